"""The published error metric and percentile, by hand."""

import math

import pytest

from metrics.published_errors import nearest_rank, published_error


@pytest.mark.parametrize(
    ("measured", "predicted", "variance", "expected"),
    [
        (2.0, 1.0, None, 0.5),
        (2.0, 1.0, 10.0, 0.1),  # the variance hides it
        (2.0, 1.0, 0.1, 0.5),
        (0.3, 0.0, 10.0, 0.03),
        (0.3, 0.0, 0.5, 0.3),  # the smaller of |m| and |m/v|: depends on the unit
        (0.0, 0.0, 2.0, 0.0),
        (-0.5, -0.01, 1.0, 0.49),
    ],
)
def test_error(measured, predicted, variance, expected):
    assert float(published_error(measured, predicted, variance)) == pytest.approx(expected)


def test_percentiles_are_of_the_nearest_rank():
    values = [5.0, 1.0, 3.0, 2.0, 4.0]
    assert [nearest_rank(values, percent) for percent in (0, 50, 90, 99, 100)] == [1, 3, 5, 5, 5]
    assert math.isnan(nearest_rank([], 50))
