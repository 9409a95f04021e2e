"""The spread of tokens and the layers from which on it is small."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.synchronisation import OffsetTracker, offsets, relative_spread, token_spread

STATES = torch.randn(3, 6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_spread_is_the_mean_sd_over_tokens():
    found = token_spread(STATES)
    for b in range(3):
        assert float(found[b]) == pytest.approx(np.std(STATES[b].numpy(), axis=0).mean(), rel=1e-14)
    assert (token_spread(STATES[:, :1].expand(3, 6, 8)) < 1e-15).all()
    assert torch.allclose(token_spread(STATES[:, torch.randperm(6)]), found, rtol=1e-13)
    assert torch.allclose(token_spread(5 * STATES + 3), 5 * found, rtol=1e-13)


def test_with_a_mask_only_real_tokens_count():
    real = torch.tensor([[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1], [1, 0, 0, 0, 0, 0]])
    found = token_spread(STATES, real)
    assert float(found[0]) == pytest.approx(float(token_spread(STATES[:1, :3])), rel=1e-13)
    assert float(found[1]) == pytest.approx(float(token_spread(STATES[1:2])), rel=1e-13)
    assert float(found[2]) == 0
    assert float(relative_spread(STATES, real)[0]) == pytest.approx(float(relative_spread(STATES[:1, :3])), rel=1e-13)
    real[2] = 0
    with pytest.raises(ValueError, match="no real token"):
        token_spread(STATES, real)


def test_relative_spread_has_no_scale():
    found = relative_spread(STATES)
    for b in range(3):
        state = STATES[b].numpy()
        assert float(found[b]) == pytest.approx(np.std(state, axis=0).mean() / np.std(state.mean(0)), rel=1e-13)
    assert torch.allclose(relative_spread(5 * STATES), found, rtol=1e-13)
    assert torch.isnan(relative_spread(torch.ones(1, 3, 4))).all()


def test_offsets_by_both_rules():
    record = np.array([[1, 1, 0.5], [0.05, 1, 0.05], [1, 1, 0.04], [0.05, 1, 0.03], [0.01, 1, 0.02]])
    found = offsets(record, [0.1, 0.025])
    assert found.first.tolist() == [[1, -1, 1], [4, -1, 4]]
    assert found.persistent.tolist() == [[3, -1, 1], [4, -1, 4]]
    assert found.observed.tolist() == [4, 4, 4]
    # A spread that rises above at the very end has no persistent offset.
    assert offsets(torch.tensor([[0.0], [0.0], [1.0]]), [0.5]).persistent.tolist() == [[-1]]


def test_nothing_is_seen_after_a_state_that_is_not_finite():
    record = np.array([[1.0, 1.0, np.nan], [0.01, np.inf, 0.01], [np.nan, 0.01, 0.01], [1.0, 0.01, 0.01]])
    found = offsets(record, [0.1])
    assert found.first.tolist() == [[1, -1, -1]]
    assert found.persistent.tolist() == [[1, -1, -1]]
    assert found.observed.tolist() == [1, 0, -1]


@given(st.integers(0, 10**6), st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_the_tracker_says_what_the_record_says(seed, layers):
    rng = np.random.default_rng(seed)
    record, thresholds = rng.random((layers, 4)), [0.9, 0.5, 0.2]
    tracker = OffsetTracker(thresholds)
    for t in range(layers):
        tracker.update(10 * t, torch.tensor(record[t]))  # every tenth layer alone is looked at
    found = tracker.result()
    for q, threshold in enumerate(thresholds):
        for b in range(4):
            below = record[:, b] < threshold
            first = int(below.argmax()) * 10 if below.any() else -1
            above = np.flatnonzero(~below)
            since = 0 if len(above) == 0 else int(above[-1]) + 1
            assert found.first[q, b] == first
            assert found.persistent[q, b] == (10 * since if since < layers else -1)


def test_bad_thresholds_are_refused():
    for thresholds in ([], [0.0], [0.1, -1.0]):
        with pytest.raises(ValueError, match="give at least one, all above 0"):
            OffsetTracker(thresholds)
    with pytest.raises(ValueError, match="no layer was given"):
        OffsetTracker([0.1]).result()
