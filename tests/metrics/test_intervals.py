"""Standard errors of means over clusters, and intervals for shares: against their formulas, and at limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.intervals import clustered_standard_error, share_interval

VALUES = st.lists(st.tuples(st.floats(-10, 10), st.integers(5, 9)), min_size=2, max_size=20)


@given(VALUES)
def test_against_a_loop(pairs):
    values, clusters = zip(*pairs, strict=True)
    mean, names = sum(values) / len(values), sorted(set(clusters))
    if len(names) < 2:
        assert np.isnan(clustered_standard_error(values, clusters))
        return
    total = sum(sum(x - mean for x, of in pairs if of == name) ** 2 for name in names)
    wanted = (len(names) / (len(names) - 1) * total) ** 0.5 / len(values)
    assert clustered_standard_error(values, clusters) == pytest.approx(wanted, abs=1e-12)


def test_one_value_a_cluster_gives_the_usual_error_and_copies_give_no_more_certainty():
    values = np.array([1.0, 4.0, 2.0, 8.0])
    usual = clustered_standard_error(values, np.arange(4))
    assert usual == pytest.approx(values.std(ddof=1) / 2)
    assert clustered_standard_error(np.repeat(values, 5), np.repeat(np.arange(4), 5)) == pytest.approx(usual)


def test_what_does_not_fit():
    with pytest.raises(ValueError, match="two of the same"):
        clustered_standard_error([1.0, 2.0], [0])
    assert np.isnan(clustered_standard_error([], []))


def test_wilson_ends_solve_their_equation_and_stay_in_bounds():
    for successes, n in ((0, 8), (5, 8), (8, 8), (1, 1), (40, 100)):
        share, low, high = share_interval(successes, n)
        assert share == successes / n
        assert 0 <= low <= share <= high <= 1
        for end in (low, high):
            off = (share - end) ** 2 - 1.959964**2 * end * (1 - end) / n
            assert off == pytest.approx(0, abs=1e-6)
    assert share_interval(8, 8)[1] < 0.7  # eight runs that agree leave room
    assert np.isnan(share_interval(0, 0)).all()
    with pytest.raises(ValueError, match="3 successes of 2"):
        share_interval(3, 2)
