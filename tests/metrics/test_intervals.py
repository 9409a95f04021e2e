"""The standard error of a mean over clusters: against its formula in a loop, with one value a cluster, at limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.intervals import clustered_standard_error

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
