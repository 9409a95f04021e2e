"""Kaplan-Meier against the product written out, scipy, and cases known by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import CensoredData, ecdf, norm

from metrics.survival import kaplan_meier

# Freireich's 6-MP remission times in weeks (1963), the example of every textbook; a "+" is censored.
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
CENSORED = [0, 0, 0, 1, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1]


def test_the_textbook_example():
    found = kaplan_meier(WEEKS, CENSORED)
    at = dict(zip(found.times.tolist(), zip(found.survival, found.error, strict=True), strict=True))
    for week, survival, error in ((6, 0.857, 0.076), (7, 0.807, 0.087), (10, 0.753, 0.096), (13, 0.690, 0.107),
                                  (16, 0.627, 0.114), (22, 0.538, 0.128), (23, 0.448, 0.135)):  # fmt: skip
        assert at[week][0] == pytest.approx(survival, abs=5e-4)
        assert at[week][1] == pytest.approx(error, abs=5e-4)
    assert found.median == 23
    assert (found.events, found.censored) == (9, 12)
    # Restricted to 35 weeks: 23.29 weeks, standard error 2.83 by Greenwood's sum.
    assert found.restricted_mean == pytest.approx(23.287, abs=1e-3)
    assert found.restricted_error == pytest.approx(2.827, abs=2e-3)


@given(st.integers(0, 10**6), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_the_product_and_its_interval(seed, n):
    rng = np.random.default_rng(seed)
    times, censored = rng.integers(1, 15, n).astype(float), rng.random(n) < 0.4
    found = kaplan_meier(times, censored)
    survival, variance, area, last = 1.0, 0.0, 0.0, 0.0
    for i, t in enumerate(np.unique(times)):
        risk, dead = int((times >= t).sum()), int(((times == t) & ~censored).sum())
        area, last = area + survival * (t - last), t
        survival *= 1 - dead / risk
        assert found.times[i] == t
        assert found.survival[i] == pytest.approx(survival, abs=1e-12)
        if survival > 1e-12:
            variance += dead / (risk * (risk - dead))
            assert found.error[i] == pytest.approx(survival * variance**0.5, abs=1e-12)
            if survival < 1 - 1e-12:
                spread = norm.ppf(0.975) * variance**0.5 / abs(np.log(survival))
                assert found.low[i] == pytest.approx(survival ** np.exp(spread), abs=1e-9)
                assert found.high[i] == pytest.approx(survival ** np.exp(-spread), abs=1e-9)
        else:
            assert np.isnan(found.error[i])
    assert found.restricted_mean == pytest.approx(area, abs=1e-12)
    reference = ecdf(CensoredData(uncensored=times[~censored], right=times[censored])).sf
    assert np.array_equal(found.survival, reference.probabilities)


@given(st.lists(st.floats(0, 1000), min_size=2, max_size=30))
@settings(max_examples=40, deadline=None)
def test_without_censoring_it_is_the_sample(times):
    found = kaplan_meier(times, np.zeros(len(times), dtype=bool))
    assert found.restricted_mean == pytest.approx(np.mean(times), rel=1e-9, abs=1e-9)
    assert found.restricted_error == pytest.approx(np.std(times) / len(times) ** 0.5, rel=1e-6, abs=1e-6)
    assert found.survival[-1] == 0
    assert np.mean(np.array(times) > found.median) <= 0.5


def test_nothing_but_censored_times():
    found = kaplan_meier([500, 500, 500], [True, True, True])
    assert found.times.tolist() == [500]
    assert found.survival.tolist() == [1]
    assert np.isnan(found.median)
    assert (found.restricted_mean, found.restricted_error, found.events) == (500, 0, 0)


def test_the_horizon_of_the_mean():
    assert kaplan_meier([2, 4], [False, False], horizon=3).restricted_mean == 2.5
    assert kaplan_meier([2, 4], [False, False], horizon=10).restricted_mean == 3  # S is 0 there, so it is known
    with pytest.raises(ValueError, match="horizon is 10; give 0 to 4"):
        kaplan_meier([2, 4], [False, True], horizon=10)


@pytest.mark.parametrize(
    ("times", "censored", "message"),
    [
        ([], [], "with N >= 1"),
        ([1, 2], [True], "with N >= 1"),
        ([1, np.nan], [True, False], "not finite"),
        ([1, -1], [True, False], "negative"),
    ],
)
def test_bad_times_are_refused(times, censored, message):
    with pytest.raises(ValueError, match=message):
        kaplan_meier(times, censored)
