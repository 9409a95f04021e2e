"""The best answer span of a window of tokens from logits of its start and its end, for any number of windows at once.

`tasks/squad/README.md` 5 and 6 say how spans make answers. Position 0 is [CLS], which stands for no answer and is in
no span.

Letters: ... any leading dimensions (windows, layers, configurations), T tokens of a window.
"""

from typing import NamedTuple

import torch
from torch import Tensor

NONE = -float("inf")


class Spans(NamedTuple):
    """A span for each window; both ends belong to it."""

    score: Tensor
    """[...]: start logit + end logit."""
    start: Tensor
    """int64 [...]."""
    end: Tensor
    """int64 [...]."""


def null_scores(start_logits: Tensor, end_logits: Tensor) -> Tensor:
    """Scores of no answer, s_0 + e_0, float64 [...], of logits [..., T]."""
    return start_logits[..., 0].double() + end_logits[..., 0].double()


def best_spans(
    start_logits: Tensor,
    end_logits: Tensor,
    starts_allowed: Tensor,
    ends_allowed: Tensor,
    longest: int,
    n_best: int | None = None,
) -> Spans:
    """The span a..b with the largest s_a + e_b, a <= b < a + longest, both allowed.

    Of equal scores the largest start logit wins, then the first start, then the first end: the order of run_squad. The
    sums are float64, so that nothing is rounded of float32 logits. Where there is no candidate the score is -inf and
    both ends are 0. A logit that is NaN or -inf is no candidate.

    Args:
        start_logits, end_logits: float [..., T].
        starts_allowed, ends_allowed: bool, broadcast to [..., T]; position 0 is never a candidate, whatever they say.
        longest: most tokens of a span.
        n_best: None searches all spans. A number searches, as run_squad does, starts among the n_best largest start
            logits and ends among the n_best largest end logits; these are counted over the whole window, question and
            padding included, so that the width to which windows are padded matters; of equal logits the first count.

    Memory beside the arguments: some 30 bytes a logit.

    Raises:
        ValueError: logits of different shapes, or longest or n_best below 1.
    """
    _check(start_logits, end_logits, longest)
    if n_best is not None and n_best < 1:
        raise ValueError(f"n_best is {n_best}; at least one start and one end must be looked at")
    starts = _only(start_logits, starts_allowed, n_best)
    reached, at = _windowed_maximum(_only(end_logits, ends_allowed, n_best), longest)
    score = starts.double().add_(reached)  # in place: half the memory of adding two float64 copies
    best = score.amax(-1)
    start = torch.where(score == best[..., None], starts, NONE).argmax(-1)
    end = at.gather(-1, start[..., None])[..., 0].long()
    none = best == NONE
    return Spans(best, start.masked_fill(none, 0), end.masked_fill(none, 0))


def legacy_spans(
    start_logits: Tensor,
    end_logits: Tensor,
    context_start: Tensor,
    context_end: Tensor,
    longest: int,
    threshold: float | Tensor = 0.0,
) -> Spans:
    """The published search, which also decides whether the window answers
    (`tasks/squad/README.md` 5).

    Spans lie in context_start <= a <= b < context_end and have at most longest + 1 tokens (a published slip). Of equal
    scores the last start wins, and of its ends the first. Where the best is >= null + threshold it is returned, else
    (null, 0, 0), null = s_0 + e_0. Of an empty context the token at context_start is looked at, as published. All sums
    and comparisons are made in the logits' own type: float32 for the published numbers.

    Args:
        start_logits, end_logits: float [..., T].
        context_start, context_end: int, broadcast to [...]; half open.
        longest: the published parameter (17), one less than the tokens that it allows.
        threshold: a number, or a tensor broadcast to [...]; above 0 it favours no answer.

    Raises:
        ValueError: logits of different shapes, or a negative longest.
    """
    _check(start_logits, end_logits, longest + 1)
    position_T = torch.arange(start_logits.shape[-1], device=start_logits.device)
    after = torch.maximum(context_end, context_start + 1)
    inside = (position_T >= context_start[..., None]) & (position_T < after[..., None])
    starts = torch.where(inside, start_logits, NONE)
    reached, at = _windowed_maximum(torch.where(inside, end_logits, NONE), longest + 1)
    score = starts + reached
    best = score.amax(-1)
    start = torch.where(score == best[..., None], position_T, -1).amax(-1).clamp_min(0)  # -1: all scores are NaN
    end = at.gather(-1, start[..., None])[..., 0].long()
    null = start_logits[..., 0] + end_logits[..., 0]
    if isinstance(threshold, Tensor):
        threshold = threshold.to(null)
    answers = best >= null + threshold
    return Spans(torch.where(answers, best, null), start.masked_fill(~answers, 0), end.masked_fill(~answers, 0))


def _check(start_logits: Tensor, end_logits: Tensor, longest: int) -> None:
    if start_logits.shape != end_logits.shape or not start_logits.ndim or not start_logits.shape[-1]:
        shapes = f"{tuple(start_logits.shape)} and {tuple(end_logits.shape)}"
        raise ValueError(f"start and end logits of shapes {shapes}; give two of the same [..., T], T at least 1")
    if longest < 1:
        raise ValueError(f"spans of at most {longest} tokens; a span has at least one")


def _only(logits: Tensor, allowed: Tensor, n_best: int | None) -> Tensor:
    """The logits [..., T] with -inf at what is no candidate."""
    kept = allowed & (logits > NONE)  # NaN is not above
    kept = kept & (torch.arange(logits.shape[-1], device=logits.device) > 0)
    if n_best is not None and n_best < logits.shape[-1]:
        first = logits.sort(dim=-1, descending=True, stable=True).indices[..., :n_best]
        kept = kept & torch.zeros_like(logits, dtype=torch.bool).scatter_(-1, first, True)
    return torch.where(kept, logits, NONE)


def _windowed_maximum(values: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """For each t the maximum of values[..., t : t + width] and where it first is, int32; both [..., T].

    The maximum over 2 r positions is that of two maxima over r positions, so about log2(width) passes do; the last
    two may overlap, which does no harm to a maximum.
    """
    length = values.shape[-1]
    best = values.clone()
    at = torch.arange(length, dtype=torch.int32, device=values.device).expand(values.shape).clone()
    reach, width = 1, min(width, length)
    while reach < width:
        step = min(reach, width - reach)
        left, right = slice(None, length - step), slice(step, None)
        better = best[..., right] > best[..., left]  # strict: of equal values the first stays
        at[..., left] = torch.where(better, at[..., right], at[..., left])
        best[..., left] = torch.where(better, best[..., right], best[..., left])
        reach += step
    return best, at
