"""The error of a measurement as the published simulations print it, and their percentiles.

Kept to set our numbers beside the published ones. It hides errors: where an output variance is given the smaller of two
ratios counts, and where zero is predicted the error depends on the unit.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def published_error(measured: ArrayLike, predicted: ArrayLike, variance: ArrayLike | None = None) -> Array:
    """|m - t|/|m|; with a variance v the smaller of that and |m - t|/v, or of |m| and |m/v| where t is 0.

    Args:
        measured: m.
        predicted: t, of the same shape.
        variance: v, the predicted variance of the output (or of the gradient); None: not given.
    """
    m, t = np.asarray(measured, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.abs(m - t) / np.abs(m)
        if variance is None:
            return ratio
        v = np.asarray(variance, dtype=np.float64)
        zero = np.minimum(np.abs(m), np.abs(m / v))
        return np.where(t == 0, zero, np.fmin(ratio, np.abs(m - t) / v))


def nearest_rank(values: ArrayLike, percent: float) -> float:
    """The published percentile: `sorted(values)[int(n * percent / 100)]`, without interpolation; NaN without values."""
    values = np.sort(np.asarray(values, dtype=np.float64))
    if not values.size:
        return float("nan")
    return float(values[min(int(values.size * percent / 100), values.size - 1)])
