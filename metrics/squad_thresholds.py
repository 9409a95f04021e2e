"""When to answer: scores under a threshold of the no-answer score, the best threshold, and how well that score ranks.

`tasks/squad/README.md` 7 tells the rules. A question is left unanswered iff its no-answer score is above the threshold
(`na > t`); for log odds such as `null_odds` the threshold 0 is the neutral one.

Letters: Q questions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import average_precision_score

from metrics.squad import percent

Array = np.ndarray
TIED = 1e-9  # questions: sums of F1 that differ by less are equal sums, added in another order


@dataclass(frozen=True, kw_only=True)
class Best:
    """The best score that a threshold can give, and that threshold."""

    value: float
    """Mean score in percent; NaN without questions."""
    threshold: float
    """-inf: never answering is best. NaN without questions."""


def apply_threshold(scores_Q: ArrayLike, has_answer_Q: ArrayLike, na_Q: ArrayLike, threshold: float) -> Array:
    """Scores [Q] in 0..1 when questions with na > threshold are left unanswered: 1 there without an answer, else 0."""
    scores, has_answer, na = _checked(scores_Q, has_answer_Q, na_Q)
    return np.where(na > threshold, ~has_answer, scores)


def best_threshold(scores_Q: ArrayLike, has_answer_Q: ArrayLike, na_Q: ArrayLike) -> Best:
    """The best mean score over the thresholds -inf and every distinct na; the smallest of equally good ones.

    Questions of equal na are answered together or not at all, so that every value can be had by a threshold. One sort:
    O(Q log Q). The threshold is chosen on the questions that it is scored on, which is optimistic.

    Args:
        scores_Q: scores in 0..1 if all questions are answered.
        has_answer_Q: whether the question has an answer.
        na_Q: no-answer scores, in any unit.

    Raises:
        ValueError: different shapes, or an na that is not finite.
    """
    scores, has_answer, na = _checked(scores_Q, has_answer_Q, na_Q)
    if not len(na):
        return Best(value=np.nan, threshold=np.nan)
    order = np.argsort(na, kind="stable")
    ordered = na[order]
    last_of_group = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    never = (~has_answer).astype(np.float64)
    gained = np.cumsum((scores - never)[order])[last_of_group]
    gains = np.concatenate([[0.0], gained])
    k = int((gains >= gains.max() - TIED).argmax())
    threshold = float(ordered[last_of_group[k - 1]]) if k else -np.inf
    return Best(value=percent(np.where(na > threshold, never, scores)), threshold=threshold)


def library_best(
    scores_Q: ArrayLike,
    has_answer_Q: ArrayLike,
    na_Q: ArrayLike,
    answered_Q: ArrayLike,
    n_unanswerable: int | None = None,
) -> Best:
    """The published search for the best threshold, with its defects: for comparison with published numbers only.

    A running sum from the number of questions without an answer, over questions by increasing na, those of equal na in
    the order given: what it finds between equal na no threshold gives. A question without an answer costs 1 whenever
    its prediction is not the empty string, even one such as "the" which scores 1. Never answering is threshold 0.

    Args:
        scores_Q, has_answer_Q, na_Q: as `best_threshold` takes them.
        answered_Q: the prediction is not the empty string.
        n_unanswerable: questions without an answer of the whole data set, where not all have a prediction.
    """
    scores, has_answer, na = _checked(scores_Q, has_answer_Q, na_Q)
    answered = np.asarray(answered_Q, dtype=bool)
    if answered.shape != na.shape:
        raise ValueError(f"answered_Q has shape {answered.shape} and na_Q {na.shape}; give the same [Q]")
    if not len(na):
        return Best(value=np.nan, threshold=np.nan)
    order = np.argsort(na, kind="stable")
    steps = np.where(has_answer, scores, np.where(answered, -1.0, 0.0))[order]
    base = (~has_answer).sum() if n_unanswerable is None else n_unanswerable
    running = np.cumsum(np.concatenate([[base], steps]))  # adds one after the other, as the published loop does
    k = int(running.argmax())
    return Best(value=100.0 * float(running[k]) / len(na), threshold=float(na[order[k - 1]]) if k else 0.0)


def null_average_precision(has_answer_Q: ArrayLike, na_Q: ArrayLike) -> float:
    """Average precision, in 0..1, of finding the questions without an answer by a large na; NaN for one class alone."""
    _, has_answer, na = _checked(na_Q, has_answer_Q, na_Q)
    if has_answer.all() or not has_answer.any():
        return np.nan
    return float(average_precision_score(~has_answer, na))


def _checked(scores_Q: ArrayLike, has_answer_Q: ArrayLike, na_Q: ArrayLike) -> tuple[Array, Array, Array]:
    scores, na = np.asarray(scores_Q, dtype=np.float64), np.asarray(na_Q, dtype=np.float64)
    has_answer = np.asarray(has_answer_Q, dtype=bool)
    if not scores.shape == has_answer.shape == na.shape or na.ndim != 1:
        raise ValueError(f"shapes {scores.shape}, {has_answer.shape} and {na.shape}; give three of the same [Q]")
    if not np.isfinite(na).all():
        at = int((~np.isfinite(na)).argmax())
        raise ValueError(f"the no-answer score of question {at} is {na[at]}; give finite ones")
    return scores, has_answer, na
