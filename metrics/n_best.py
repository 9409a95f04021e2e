"""The list of the best answers to one question with probabilities, in the order of run_squad's post-processing.

The decoder of `tasks/squad/README.md` 6; plain code, for lists that people read. `metrics.spans` finds the best span.

Letters: W windows of the question, T tokens of a window.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An answer with its place; text "" is no answer, "empty" stands where no span can be an answer."""

    text: str
    start_logit: float
    end_logit: float
    window: int
    """-1 for "empty"."""
    start: int
    end: int
    probability: float = np.nan
    """Softmax, in 0..1, of start_logit + end_logit over the list."""

    @property
    def score(self) -> float:
        return self.start_logit + self.end_logit


def n_best_list(
    start_logits_WT: Array,
    end_logits_WT: Array,
    starts_allowed_WT: Array,
    ends_allowed_WT: Array,
    text: Callable[[int, int, int], str],
    *,
    longest: int,
    n_best: int,
) -> list[Candidate]:
    """At most n_best answers of different texts by falling score; no answer is always listed (else added at the end).

    Candidates are those of `spans.best_spans` with n_best, of all windows, and no answer, which has the smallest
    s_0 + e_0 of the windows. Of equal scores the earlier window comes first, then the larger start logit, then the
    larger end logit, then the earlier positions; no answer comes last.

    Args:
        start_logits_WT, end_logits_WT: float [W, T].
        starts_allowed_WT, ends_allowed_WT: bool [W, T]; position 0 is never a candidate.
        text: the text of tokens a..b (inclusive) of window w, called as text(w, a, b).
        longest: most tokens of a span.
        n_best: length of the list, and how many starts and ends of a window are looked at.

    Raises:
        ValueError: no window, or longest or n_best below 1.
    """
    if not len(start_logits_WT) or longest < 1 or n_best < 1:
        raise ValueError(f"{len(start_logits_WT)} windows, longest {longest}, n_best {n_best}; each is at least 1")
    starts, ends = (np.asarray(x, dtype=np.float64) for x in (start_logits_WT, end_logits_WT))
    spans: list[tuple[float, int, int, int]] = []
    for w in range(len(starts)):
        for a in _largest(starts[w], n_best):
            for b in _largest(ends[w], n_best):
                inside = 0 < a <= b < a + longest
                if inside and starts_allowed_WT[w, a] and ends_allowed_WT[w, b]:
                    spans.append((float(starts[w, a] + ends[w, b]), w, a, b))
    null = int((starts[:, 0] + ends[:, 0]).argmin())
    spans.append((float(starts[null, 0] + ends[null, 0]), null, 0, 0))
    listed: dict[str, Candidate] = {}
    for _, w, a, b in sorted(spans, key=lambda span: span[0], reverse=True):  # stable: equal scores keep their order
        said = text(w, a, b) if a else ""
        if len(listed) < n_best and said not in listed:
            listed[said] = _candidate(said, starts, ends, w, a, b)
    found = list(listed.values())
    if "" not in listed:
        found.append(_candidate("", starts, ends, null, 0, 0))
    if len(found) == 1:
        found.insert(0, Candidate(text="empty", start_logit=0.0, end_logit=0.0, window=-1, start=0, end=0))
    odds = np.exp([one.score - max(other.score for other in found) for one in found])
    return [replace(one, probability=float(p)) for one, p in zip(found, odds / odds.sum(), strict=True)]


def _largest(logits_T: Array, n: int) -> list[int]:
    """Positions of the n largest, the largest first; of equal ones the first."""
    return np.argsort(-logits_T, kind="stable")[:n].tolist()


def _candidate(text: str, starts: Array, ends: Array, w: int, a: int, b: int) -> Candidate:
    return Candidate(text=text, start_logit=float(starts[w, a]), end_logit=float(ends[w, b]), window=w, start=a, end=b)
