"""How well hidden tokens are named: accuracy over sequences and over tokens, perplexity, and what guessing gives.

Dimensions: N sequences, T tokens, V vocabulary. A label below 0 (-100) marks a token that is not hidden.
"""

from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Shares of hidden tokens that were named rightly, both in 0..1."""

    macro: float
    """Mean over sequences of (right / hidden): the published one. Sequences without a hidden token are left out."""
    micro: float
    """Right over hidden tokens of all sequences."""
    empty: int
    """Sequences without a hidden token, for which the published mean would be NaN."""


def accuracy_of_counts(right_N: Array, hidden_N: Array) -> Accuracy:
    """Accuracy from the numbers of right and of hidden tokens of each sequence; NaN where nothing is hidden at all.

    Raises:
        ValueError: counts of different shapes, or more right than hidden.
    """
    right_N, hidden_N = np.asarray(right_N, dtype=float), np.asarray(hidden_N, dtype=float)
    if right_N.shape != hidden_N.shape or right_N.ndim != 1:
        raise ValueError(f"counts of shapes {right_N.shape} and {hidden_N.shape}; give two of the same [N]")
    if (right_N > hidden_N).any():
        raise ValueError(f"sequence {int((right_N > hidden_N).argmax())} has more right than hidden tokens")
    some = hidden_N > 0
    if not some.any():
        return Accuracy(macro=np.nan, micro=np.nan, empty=len(hidden_N))
    return Accuracy(
        macro=float((right_N[some] / hidden_N[some]).mean()),
        micro=float(right_N.sum() / hidden_N.sum()),
        empty=int((~some).sum()),
    )


def masked_accuracy(predicted_NT: Array, labels_NT: Array) -> Accuracy:
    """Accuracy of predicted ids against labels."""
    hidden_NT = labels_NT >= 0
    return accuracy_of_counts(((predicted_NT == labels_NT) & hidden_NT).sum(axis=1), hidden_NT.sum(axis=1))


def perplexity(loss: float) -> float:
    """exp of a mean cross entropy in nats a token; infinite where that overflows."""
    with np.errstate(over="ignore"):
        return float(np.exp(np.float64(loss)))


def unigram_loss(labels: Array, counts_V: Array) -> float:
    """Cross entropy, in nats a token, of naming hidden tokens with the frequencies of `counts_V`, one added to each.

    The constant prediction that a readout's bias alone can learn: -mean over hidden tokens of ln((c + 1) / (sum + V)).
    NaN where nothing is hidden.
    """
    hidden = labels[labels >= 0]
    smoothed_V = np.asarray(counts_V, dtype=float) + 1
    return float(-np.log(smoothed_V[hidden] / smoothed_V.sum()).mean()) if len(hidden) else np.nan
