"""Windows, running exponents, Kaplan-Yorke dimension and chaos length."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.lyapunov import chaos_lengths, cumulative_exponents, kaplan_yorke, window_growth

RECORD = np.random.default_rng(0).normal(size=(23, 4, 3))


def test_windows_are_means_over_whole_windows():
    found = window_growth(RECORD, tau=10, start=2)
    assert found.shape == (2, 4, 3)  # 21 layers from the third on
    assert np.abs(found[1] - RECORD[12:22].mean(0)).max() < 1e-15
    # Records of 2 layers each: twice the layers, the sum is that of the records.
    found = window_growth(RECORD, tau=10, start=4, every=2)
    assert found.shape == (4, 4, 3)
    assert np.abs(found[0] - RECORD[2:7].sum(0) / 10).max() < 1e-15
    assert np.abs(window_growth(RECORD, tau=1) - RECORD).max() == 0


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_how_often_growth_is_recorded_does_not_matter(windows, every, start):
    growth = np.random.default_rng(every).normal(size=(12 * (windows + start) + 7, 2))
    merged = growth[: len(growth) // every * every].reshape(-1, every, 2).sum(1)
    fine = window_growth(growth[: len(merged) * every], tau=12, start=12 * start)
    assert np.abs(window_growth(merged, tau=12, start=12 * start, every=every) - fine).max() < 1e-14
    one, other = (
        cumulative_exponents(growth[: len(merged) * every], start=12 * start)[every - 1 :: every],
        cumulative_exponents(merged, start=12 * start, every=every),
    )
    assert np.abs(one - other).max() < 1e-13


def test_collapsed_and_unknown_growth_stay_in_their_window():
    record = np.zeros((6, 2))
    record[1, 0], record[3, 1] = -np.inf, np.nan
    assert np.array_equal(window_growth(record, 2), [[-np.inf, 0], [0, np.nan], [0, 0]], equal_nan=True)
    running = cumulative_exponents(record)
    assert (running[1:, 0] == -np.inf).all()
    assert np.isnan(running[3:, 1]).all()


def test_running_exponents():
    found = cumulative_exponents(RECORD, start=3)
    assert found.shape == (20, 4, 3)
    assert np.abs(found[6] - RECORD[3:10].mean(0)).max() < 1e-15


def test_windows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="tau 5 and start 0 must be multiples of the 2 layers"):
        window_growth(RECORD, tau=5, every=2)
    with pytest.raises(ValueError, match="tau 4 and start 3 must be multiples"):
        window_growth(RECORD, tau=4, start=3, every=2)
    with pytest.raises(ValueError, match="no window of 24 layers fits from layer 0 to 23"):
        window_growth(RECORD, tau=24)
    with pytest.raises(ValueError, match="below the 23 layers"):
        cumulative_exponents(RECORD, start=23)
    with pytest.raises(ValueError, match="a single number"):
        window_growth(1.0, tau=1)


def test_kaplan_yorke():
    """The Lorenz attractor's published spectrum gives its published 2.062; degenerate spectra give what they must."""
    assert kaplan_yorke([0.9056, 0, -14.5723]) == pytest.approx(2.062, abs=1e-3)
    assert kaplan_yorke([-14.5723, 0, 0.9056]) == pytest.approx(2.062, abs=1e-3)
    assert kaplan_yorke([-0.1, -0.2]) == 0
    assert kaplan_yorke([0.3, -0.3, -1]) == 2
    assert kaplan_yorke([0.0, -1.0]) == 1
    assert kaplan_yorke([0.3, -np.inf]) == 1
    assert np.isnan(kaplan_yorke([0.3, 0.1]))  # the sum is not negative yet: more exponents are needed
    assert np.isnan(kaplan_yorke([0.3, np.nan, -5]))
    several = kaplan_yorke([[0.5, -1.0], [0.5, 0.4], [-1, -2]])
    assert np.array_equal(several, [1.5, np.nan, 0], equal_nan=True)
    with pytest.raises(ValueError, match="hold no exponent"):
        kaplan_yorke(np.zeros((3, 0)))


def test_chaos_lengths_and_their_censoring():
    lengths = chaos_lengths(
        np.array(
            [
                # calm, chaotic throughout, back and forth, calm from the start, NaN in the middle, NaN at once
                [0.2, 0.1, 0.1, -0.1, 0.3, np.nan],
                [0.1, 0.1, 0.0, -np.inf, 0.2, 0.1],
                [-0.1, 0.2, 0.1, -0.1, np.nan, 0.1],
                [-0.2, 0.1, -0.1, -0.2, -0.1, -0.1],
            ]
        ),
        tau=50,
    )
    assert lengths.first.tolist() == [100, 200, 50, 0, 100, 0]
    assert lengths.first_censored.tolist() == [False, True, False, False, True, True]
    assert lengths.last.tolist() == [100, 200, 150, 0, 100, 0]
    assert lengths.last_censored.tolist() == [False, True, False, False, True, True]
    with pytest.raises(ValueError, match="give \\[W, N\\]"):
        chaos_lengths(np.zeros(3), 10)


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_chaos_lengths_do_not_depend_on_the_other_sentences(seed):
    rng = np.random.default_rng(seed)
    windows = rng.normal(size=(7, 6))
    windows[rng.random(windows.shape) < 0.1] = np.nan
    whole, order = chaos_lengths(windows, 10), rng.permutation(6)
    moved = chaos_lengths(windows[:, order], 10)
    for name in ("first", "first_censored", "last", "last_censored"):
        assert np.array_equal(getattr(moved, name), getattr(whole, name)[order])
    assert (whole.first <= whole.last).all() or not whole.first_censored.all()
    for n in range(6):  # one by one, in plain words
        seen = []
        for value in windows[:, n]:
            if np.isnan(value):
                break
            seen.append(value > 0)
        assert whole.first[n] == 10 * (seen.index(False) if False in seen else len(seen))
        assert whole.last[n] == 10 * (len(seen) - seen[::-1].index(True) if True in seen else 0)
        assert whole.first_censored[n] == (False not in seen)
        assert whole.last_censored[n] == (not seen or seen[-1])
