"""Intervals for means over few runs."""

from collections.abc import Sequence

import numpy as np
from scipy import stats


def mean_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float, float]:
    """Mean of the values that are not NaN, and Student's interval for it; its ends are NaN with fewer than two values.

    The interval is mean ± t_{(1+level)/2, n-1} s / sqrt(n), s the sample standard deviation.
    """
    good = np.asarray(values, dtype=float)
    good = good[~np.isnan(good)]
    if not len(good):
        return np.nan, np.nan, np.nan
    mean = float(good.mean())
    if len(good) < 2:
        return mean, np.nan, np.nan
    half = stats.t.ppf((1 + level) / 2, len(good) - 1) * good.std(ddof=1) / np.sqrt(len(good))
    return mean, mean - half, mean + half
