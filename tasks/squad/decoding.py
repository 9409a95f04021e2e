"""From the best span and the null score of each window to one prediction a question.

README 5 (`legacy_decode`) and 6 (`decode`) say what is published and right. Both are called for every configuration of
a sweep: what is done for all windows is vectorised, texts are cut for the chosen windows alone.

Letters: N windows, Q questions.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from tasks.squad.questions.windows import Windows

Array = np.ndarray
NO_SPAN = "empty"  # what run_squad answers, with score 0, where no window has a candidate


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """One prediction for each of Q questions."""

    text: list[str]
    """What is predicted; "" is no answer."""
    best_text: list[str] | None = None
    """The text if no answer is forbidden; None: the published decoding has none."""
    null_odds: Array | None = None
    """float64 [Q]: score of no answer minus score of `best_text`, in logits; None: the published decoding has none."""


def decode(
    windows: "Windows",
    score_N: ArrayLike,
    start_N: ArrayLike,
    end_N: ArrayLike,
    null_N: ArrayLike,
    threshold: float = 0.0,
) -> Predictions:
    """The best span of all windows against the smallest null score of all windows (README 6).

    No answer iff null_odds > threshold. Of windows with equal scores the earliest wins. The text is cut from the
    context. A question without any candidate has the best text "empty" with score 0.

    Args:
        score_N, start_N, end_N: the spans of `metrics.spans.best_spans`; score -inf: the window has none.
        null_N: those of `metrics.spans.null_scores`.

    Raises:
        ValueError: arrays that are not [N], a score that is NaN or a null score that is not finite, or a question
            without window.
    """
    score, null = _scores(windows, score_N, "span score"), _scores(windows, null_N, "null score")
    _refuse(windows, ~np.isfinite(null), null, "null score")
    start, end = _positions(windows, start_N), _positions(windows, end_N)
    chosen = _first_best(windows, score)
    some = score[chosen] > -np.inf
    smallest = np.full(len(chosen), np.inf)
    np.minimum.at(smallest, windows.question, null)
    null_odds = smallest - np.where(some, score[chosen], 0.0)
    best_text = [
        windows.text(int(w), int(start[w]), int(end[w])) if found else NO_SPAN
        for w, found in zip(chosen, some, strict=True)
    ]
    text = ["" if odds > threshold else best for odds, best in zip(null_odds, best_text, strict=True)]
    return Predictions(text=text, best_text=best_text, null_odds=null_odds)


def legacy_decode(
    windows: "Windows",
    score_N: ArrayLike,
    start_N: ArrayLike,
    end_N: ArrayLike,
    null_N: ArrayLike,
    answered_N: ArrayLike,
) -> Predictions:
    """The published decoder (README 5): the window with the highest own score decides; its word pieces are joined.

    A window's own score is its span's if it answers, else its null score, so that a window that is sure to hold no
    answer beats the right span elsewhere (README 8). The first of equal ones wins. Scores are compared in
    float32, as published.

    Args:
        score_N, start_N, end_N: those of `metrics.spans.legacy_spans`.
        null_N: s_0 + e_0, without the threshold.
        answered_N: the window answers: `start > 0` of `legacy_spans`.

    Raises:
        ValueError: arrays that are not [N], a score that is NaN, or a question without window.
    """
    answered = _all_windows(windows, np.asarray(answered_N, dtype=bool))
    score, null = _scores(windows, score_N, "span score"), _scores(windows, null_N, "null score")
    start, end = _positions(windows, start_N), _positions(windows, end_N)
    chosen = _first_best(windows, np.where(answered, score, null).astype(np.float32))
    tokens = answered & (end < windows.context_end)  # a context without tokens can "answer" with what stands behind it
    return Predictions(
        text=[windows.tokens_text(int(w), int(start[w]), int(end[w])) if tokens[w] else "" for w in chosen]
    )


def _first_best(windows: "Windows", score_N: Array) -> Array:
    """For each question the window with the largest score, the earliest of equal ones: int64 [Q]."""
    question_N = np.asarray(windows.question)
    order = np.lexsort((-score_N, question_N))  # stable: of equal scores the earlier window stays before the later
    found, first = np.unique(question_N[order], return_index=True)
    ids = windows.questions.ids
    if len(found) < len(ids):
        lost = np.setdiff1d(np.arange(len(ids)), found)
        raise ValueError(f"{len(lost)} question(s) have no window, the first is {ids[lost[0]]!r}; leave them out")
    return order[first]


def _scores(windows: "Windows", values_N: ArrayLike, what: str) -> Array:
    values = _all_windows(windows, np.asarray(values_N, dtype=np.float64))
    _refuse(windows, np.isnan(values), values, what)
    return values


def _positions(windows: "Windows", values_N: ArrayLike) -> Array:
    return _all_windows(windows, np.asarray(values_N, dtype=np.int64))


def _all_windows(windows: "Windows", values_N: Array) -> Array:
    n = len(windows.question)
    if values_N.shape != (n,):
        raise ValueError(f"an array of shape {values_N.shape} for {n} windows; give one value for each window")
    return values_N


def _refuse(windows: "Windows", bad_N: Array, values_N: Array, what: str) -> None:
    if bad_N.any():
        w = int(bad_N.argmax())
        name = windows.questions.ids[int(windows.question[w])]
        raise ValueError(
            f"the {what} of {int(bad_N.sum())} window(s) is not a number to compare, first of window {w} (question "
            f"{name!r}): {values_N[w]}; the logits are not finite, look at the training that made the weights"
        )
