"""Span search and thresholds as built against the published loops. Part of `benchmarks/squad_probes.py`.

The published search goes over the starts of a window in a Python loop, window after window and layer after layer. A
threshold study evaluates all questions anew for each threshold; here that plain way is vectorised over questions too,
and answers of windows are given, though the published one searched them again for each. Both ways must give equal
results. One process, one thread; seconds are of the processor, so that a busy machine changes them little.

Letters: N windows, L layers, T tokens, Q questions.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from metrics.spans import best_spans, legacy_spans
from metrics.squad_thresholds import best_threshold

Row = tuple[str, float, float, float]
PUBLISHED_LONGEST = 17
LONGEST = 30


def measure() -> list[Row]:
    """What, plain seconds, seconds as built, largest difference: of the span searches and of the thresholds."""
    return [*measure_span_search(), *measure_thresholds()]


def measure_span_search(n_windows: int = 64, n_layers: int = 12, length: int = 384) -> list[Row]:
    """The published search (7a), and the exhaustive one of correct decoding (7b), on windows with 20 question tokens.

    Logits are rounded to 1/8, so that many are tied.

    Raises:
        AssertionError: a span or a score differs.
    """
    generator = torch.Generator().manual_seed(0)
    starts, ends = (torch.randn(2, n_windows, n_layers, length, generator=generator) * 4 * 8).round() / 8
    begin = torch.full((n_windows,), 22)
    stop = torch.randint(100, length, (n_windows,), generator=generator)
    position_T = torch.arange(length)
    context = ((position_T >= begin[:, None]) & (position_T < stop[:, None]))[:, None]
    bounds = list(zip(begin.tolist(), stop.tolist(), strict=True))

    def loop(search: Callable[..., tuple[Any, int, int]], longest: int) -> list[tuple[Any, int, int]]:
        return [
            search(starts[n, layer], ends[n, layer], *bounds[n], longest)
            for n in range(n_windows)
            for layer in range(n_layers)
        ]

    found = []
    for what, search, ours, longest in (
        (
            "published span search",
            published_search,
            lambda: legacy_spans(starts, ends, begin[:, None], stop[:, None], PUBLISHED_LONGEST),
            PUBLISHED_LONGEST,
        ),
        ("best span, exhaustive", plain_search, lambda: best_spans(starts, ends, context, context, LONGEST), LONGEST),
    ):
        plain_seconds, plain = timed(lambda search=search, longest=longest: loop(search, longest))
        seconds, spans = timed(ours, repeats=10)
        own = zip(*(x.flatten().tolist() for x in spans), strict=True)
        assert [(float(score), a, b) for score, a, b in plain] == list(own), f"{what}: the spans differ"
        found.append((f"{what}, {n_windows} windows x {n_layers} layers, T={length}", plain_seconds, seconds, 0.0))
    return found


def published_search(
    s_T: torch.Tensor, e_T: torch.Tensor, context_start: int, context_end: int, longest: int
) -> tuple[torch.Tensor, int, int]:
    """The published loop over the starts of one window, threshold 0."""
    null = s_T[0] + e_T[0]
    best, span = s_T[context_start] + e_T[context_start], (context_start, context_start)
    for a in range(context_start, context_end):
        b = a + int(torch.argmax(e_T[a : min(a + longest, context_end - 1) + 1]))
        score = s_T[a] + e_T[b]
        if score >= best:
            best, span = score, (a, b)
    return (best, *span) if best >= null else (null, 0, 0)


def plain_search(
    s_T: torch.Tensor, e_T: torch.Tensor, context_start: int, context_end: int, longest: int
) -> tuple[torch.Tensor, int, int]:
    """The loop for spans of at most `longest` tokens; of equal scores the largest start logit wins, then the first."""
    best, span, start = s_T.new_tensor(-torch.inf), (0, 0), s_T[0]
    for a in range(context_start, context_end):
        b = a + int(torch.argmax(e_T[a : min(a + longest, context_end)]))
        score = s_T[a] + e_T[b]
        if score > best or (score == best and s_T[a] > start):
            best, span, start = score, (a, b), s_T[a]
    return (best, *span)


def measure_thresholds(n_questions: int = 6078, n_unanswerable: int = 3168) -> list[Row]:
    """The best threshold of F1 over all distinct no-answer scores of a data set as large as the published dev set.

    Raises:
        AssertionError: another threshold, or values that differ by more than rounding.
    """
    rng = np.random.default_rng(0)
    has_answer = rng.permutation(n_questions) >= n_unanswerable
    na = rng.normal(size=n_questions) - 2 * has_answer
    scores = np.where(has_answer, rng.choice([0, 2 / 3, 1], n_questions), 0.0)
    plain_seconds, (value, threshold) = timed(lambda: evaluate_each(scores, has_answer, na))
    seconds, best = timed(lambda: best_threshold(scores, has_answer, na), repeats=20)
    assert best.threshold == threshold, f"threshold {best.threshold} against {threshold}"
    what = f"best of {len(np.unique(na)) + 1} thresholds, Q={n_questions}"
    return [(what, plain_seconds, seconds, float(abs(best.value - value)))]


def evaluate_each(scores_Q: np.ndarray, has_answer_Q: np.ndarray, na_Q: np.ndarray) -> tuple[float, float]:
    """The best value in percent and its threshold, all questions evaluated for each threshold."""
    never = (~has_answer_Q).astype(float)
    best, chosen = -np.inf, np.nan
    for threshold in (-np.inf, *np.unique(na_Q)):
        value = 100 * np.where(na_Q > threshold, never, scores_Q).mean()
        if value > best + 1e-9:
            best, chosen = value, float(threshold)
    return best, chosen


def timed(work: Callable[[], Any], repeats: int = 0) -> tuple[float, Any]:
    """Seconds of the processor for one call, and what it gave; with `repeats` the mean of so many calls after one."""
    result = work() if repeats else None
    clock = time.process_time()
    for _ in range(max(repeats, 1)):
        result = work()
    return (time.process_time() - clock) / max(repeats, 1), result
