"""Intervals for means over few runs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

LEVEL = 0.95


def student_half(sd: ArrayLike, n: ArrayLike, level: float = LEVEL) -> np.ndarray:
    """Half the width of Student's interval for a mean of n values with this sample standard deviation; NaN below two.

    t_{(1+level)/2, n-1} sd / sqrt(n).
    """
    counts = np.asarray(n, dtype=float)
    enough = np.where(counts > 1, counts, np.nan)
    return stats.t.ppf((1 + level) / 2, enough - 1) * np.asarray(sd, dtype=float) / np.sqrt(enough)


def mean_interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float, float]:
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
    half = float(student_half(good.std(ddof=1), len(good), level))
    return mean, mean - half, mean + half
