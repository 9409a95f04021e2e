"""How well a model copies, where its attention points, and what bags of the copied symbols know.

Dimensions: B sequences, T target positions; the last of T is the end symbol. Any axes may stand before B.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["permutation", "distinct", "repeat"]


def copy_accuracy(predicted: Tensor, gold: Tensor) -> Tensor:
    """Share of positions, the end symbol's included, at which the most probable symbol is the gold one.

    Args:
        predicted: [..., B, T] ids.
        gold: [..., B, T] ids.

    Returns:
        [...] shares in [0, 1].

    Raises:
        ValueError: the shapes cannot be compared.
    """
    if predicted.shape[-2:] != gold.shape[-2:]:
        raise ValueError(f"predicted {tuple(predicted.shape)} and gold {tuple(gold.shape)}: expected the same [B, T]")
    return (predicted == gold).double().mean((-2, -1))


def attention_accuracy(attended: Tensor, shift: int = 0, *, with_end: bool = True) -> Tensor:
    """Share of target positions t at which attention is greatest on source position t + shift.

    The published names for shifts of 1 and -1 are `attn_acc_m1` and `attn_acc_p1` (tasks/attention/README.md 4): here
    they are late and early. All positions count, also those at whose t + shift there is no source position.

    Args:
        attended: [..., B, T] the argmax of attention over source positions.
        with_end: Whether the last target position, the end symbol's, counts. The published copy model counts it, the
            published multi-head model does not.

    Returns:
        [...] shares in [0, 1].

    Raises:
        ValueError: no target position is left.
    """
    counted = attended if with_end else attended[..., :-1]
    if not counted.shape[-1]:
        raise ValueError(f"attended has the shape {tuple(attended.shape)}; no target position is left to count")
    return (counted == torch.arange(counted.shape[-1], device=attended.device) + shift).double().mean((-2, -1))


@dataclass(frozen=True, kw_only=True)
class BagStatistics:
    """Moments of the counts of symbols in a sequence, the end symbol left out."""

    presence: float
    """Probability that a symbol is in a sequence."""
    variance: float
    """Variance of a symbol's count."""
    covariance: float
    """Covariance of the counts of two different symbols."""


def bag_statistics(kind: Kind, symbols: int, length: int) -> BagStatistics:
    """What a bag of words tells about a sequence, in closed form.

    Of L out of V symbols without repetition p = L/V are there: variance p (1 - p), covariance -p (1 - p) / (V - 1); for
    a permutation p is 1 and bags are constant. With repetition the counts are multinomial: presence
    1 - (1 - 1/V)^L, variance L/V (1 - 1/V), covariance -L/V^2.

    Raises:
        ValueError: less than two symbols, or more positions than symbols without repetition.
    """
    if symbols < 2 or length < 1:
        raise ValueError(f"{symbols} symbols and length {length}; expected at least 2 symbols and 1 position")
    if kind == "repeat":
        share = 1 / symbols
        return BagStatistics(
            presence=1 - (1 - share) ** length,
            variance=length * share * (1 - share),
            covariance=-length * share**2,
        )
    if length > symbols or (kind == "permutation" and length != symbols):
        raise ValueError(f"{kind} of {symbols} symbols has no sequences of {length} different ones")
    share = length / symbols
    variance = share * (1 - share)
    return BagStatistics(presence=share, variance=variance, covariance=(share - 1) * share / (symbols - 1))


def counted_bag_statistics(sequences: Tensor, symbols: int) -> BagStatistics:
    """Statistics of drawn sequences [N, L], means over symbols and pairs of symbols; divisors are N.

    Raises:
        ValueError: no sequences, or a symbol outside 0 .. symbols - 1.
    """
    if sequences.dim() != 2 or not len(sequences):
        raise ValueError(f"sequences of shape {tuple(sequences.shape)}; expected [N, L] with at least one")
    if int(sequences.min()) < 0 or int(sequences.max()) >= symbols:
        raise ValueError(f"a symbol outside 0 to {symbols - 1} among the sequences")
    counts_NV = torch.zeros(len(sequences), symbols, dtype=torch.float64, device=sequences.device)
    counts_NV.scatter_add_(1, sequences, torch.ones_like(sequences, dtype=torch.float64))
    centred = counts_NV - counts_NV.mean(0)
    covariance_VV = centred.T @ centred / len(sequences)
    own = covariance_VV.diagonal()
    others = (covariance_VV.sum() - own.sum()) / (symbols * (symbols - 1))
    return BagStatistics(
        presence=float((counts_NV > 0).double().mean()), variance=float(own.mean()), covariance=float(others)
    )
