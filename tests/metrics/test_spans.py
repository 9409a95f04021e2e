"""The vectorised span searches against slow loops over all spans; logits on a coarse grid, so that most are tied."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from metrics.spans import best_spans, legacy_spans, null_scores

T = 9
LOGITS = arrays(np.float32, (2, 3, T), elements=st.integers(-2, 2).map(float))
MASKS = arrays(np.bool_, (3, T))


def largest(logits, n):
    """Positions of the n largest; of equal ones the first: Python's sort is stable."""
    return [i for i, _ in sorted(enumerate(logits), key=lambda one: one[1], reverse=True)[:n]]


def slow_best(starts, ends, starts_allowed, ends_allowed, longest, n_best):
    """run_squad's loops over the largest starts and ends; the first of equal sums stays."""
    best = (-np.inf, 0, 0)
    for a in largest(starts, n_best):
        for b in largest(ends, n_best):
            if 0 < a <= b < a + longest and starts_allowed[a] and ends_allowed[b] and starts[a] + ends[b] > best[0]:
                best = (starts[a] + ends[b], a, b)
    return best


@settings(max_examples=80)
@given(LOGITS, LOGITS, MASKS, MASKS, st.integers(1, T + 2), st.one_of(st.none(), st.integers(1, T + 2)))
def test_the_best_span_against_loops(starts, ends, starts_allowed, ends_allowed, longest, n_best):
    logits, masks = [[torch.from_numpy(x) for x in pair] for pair in ((starts, ends), (starts_allowed, ends_allowed))]
    found = best_spans(logits[0], logits[1], masks[0], masks[1], longest, n_best)
    assert found.score.shape == found.start.shape == found.end.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            wanted = slow_best(
                starts[i, j].tolist(), ends[i, j].tolist(), starts_allowed[j], ends_allowed[j], longest, n_best or T
            )
            assert (found.score[i, j].item(), found.start[i, j].item(), found.end[i, j].item()) == wanted


def slow_legacy(starts, ends, context_start, context_end, longest, threshold):
    """The published loop over starts, as `tasks/squad/README.md` 5 tells it; float32 throughout."""
    null = starts[0] + ends[0]
    best, span = starts[context_start] + ends[context_start], (context_start, context_start)
    for a in range(context_start, context_end):
        b = a + int(ends[a : min(a + longest, context_end - 1) + 1].argmax())
        if starts[a] + ends[b] >= best:
            best, span = starts[a] + ends[b], (a, b)
    return (best, *span) if best >= null + np.float32(threshold) else (null, 0, 0)


@settings(max_examples=80)
@given(
    LOGITS,
    LOGITS,
    st.integers(1, T - 1),
    st.integers(1, T),
    st.integers(0, T + 2),
    st.sampled_from([-1.0, 0.0, 0.1, 2.0]),
)
def test_the_published_search_against_its_loop(starts, ends, context_start, context_end, longest, threshold):
    bounds = torch.tensor([context_start] * 3), torch.tensor(context_end)
    found = legacy_spans(torch.from_numpy(starts), torch.from_numpy(ends), *bounds, longest, threshold)
    for i in range(2):
        for j in range(3):
            wanted = slow_legacy(starts[i, j], ends[i, j], context_start, context_end, longest, threshold)
            assert (found.score[i, j].item(), found.start[i, j].item(), found.end[i, j].item()) == wanted


def test_long_windows_and_any_length_against_an_unfolded_maximum():
    starts, ends = torch.randn(2, 4, 384, generator=torch.Generator().manual_seed(1))
    everywhere = torch.ones(384, dtype=torch.bool)
    for longest in (1, 2, 3, 17, 30, 31, 32, 33, 383, 384, 1000):
        sums = starts[:, :, None].double() + ends[:, None, :].double()
        distance = torch.arange(384)[None, :] - torch.arange(384)[:, None]
        sums = sums.masked_fill((distance < 0) | (distance >= longest), -torch.inf)
        sums[:, 0] = sums[:, :, 0] = -torch.inf
        best, flat = sums.flatten(1).max(1)
        found = best_spans(starts, ends, everywhere, everywhere, longest)
        assert torch.equal(found.score, best)
        assert torch.equal(found.start * 384 + found.end, flat)


def test_masks_of_windows_broadcast_over_layers_and_nothing_is_changed():
    generator = torch.Generator().manual_seed(2)
    starts, ends = torch.randn(2, 5, 3, 12, generator=generator)
    allowed = torch.rand(5, 1, 12, generator=generator) > 0.4
    kept = starts.clone(), ends.clone(), allowed.clone()
    found = best_spans(starts, ends, allowed, allowed, 4)
    for layer in range(3):
        own = best_spans(starts[:, layer], ends[:, layer], allowed[:, 0], allowed[:, 0], 4)
        assert all(torch.equal(a[:, layer], b) for a, b in zip(found, own, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(kept, (starts, ends, allowed), strict=True))


def test_padding_changes_nothing_and_n_best_that_takes_all_is_exhaustive():
    generator = torch.Generator().manual_seed(3)
    starts, ends = torch.randn(2, 6, 20, generator=generator)
    allowed = torch.rand(6, 20, generator=generator) > 0.3
    found = best_spans(starts, ends, allowed, allowed, 5)
    wide = [torch.nn.functional.pad(x, (0, 7)) for x in (starts, ends, allowed)]
    for again in (
        best_spans(wide[0], wide[1], wide[2], wide[2], 5),
        best_spans(starts, ends, allowed, allowed, 5, n_best=20),
    ):
        assert all(torch.equal(a, b) for a, b in zip(found, again, strict=True))


def test_scores_are_not_rounded_to_float32():
    starts = torch.tensor([1.0, 2.0**24])
    ends = torch.tensor([2.0**25, 1.0])
    assert best_spans(starts, ends, torch.tensor(True), torch.tensor(True), 1).score.item() == 2**24 + 1
    assert null_scores(starts, ends).item() == 2**25 + 1


def test_windows_without_candidates_and_broken_logits():
    nothing = torch.zeros(4, dtype=torch.bool)
    found = best_spans(torch.ones(4), torch.ones(4), nothing, ~nothing, 3)
    assert (found.score.item(), found.start.item(), found.end.item()) == (-np.inf, 0, 0)
    broken = torch.tensor([0.0, torch.nan, -torch.inf, 1.0])
    found = best_spans(broken, broken, ~nothing, ~nothing, 3)
    assert (found.score.item(), found.start.item(), found.end.item()) == (2.0, 3, 3)
    with pytest.raises(ValueError, match=r"shapes \(4,\) and \(3,\)"):
        best_spans(torch.ones(4), torch.ones(3), ~nothing, ~nothing, 3)
    with pytest.raises(ValueError, match="at most 0 tokens"):
        best_spans(torch.ones(4), torch.ones(4), ~nothing, ~nothing, 0)
    with pytest.raises(ValueError, match="n_best is 0"):
        best_spans(torch.ones(4), torch.ones(4), ~nothing, ~nothing, 1, n_best=0)
    with pytest.raises(ValueError, match="at most 0 tokens"):
        legacy_spans(torch.ones(4), torch.ones(4), torch.tensor(1), torch.tensor(2), -1)
