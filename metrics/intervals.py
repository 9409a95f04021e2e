"""Intervals for means over few runs, and standard errors of means over examples that are alike in clusters."""

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


def mean_interval(values: ArrayLike, level: float = LEVEL) -> tuple[float, float, float]:
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


def clustered_standard_error(values: ArrayLike, clusters: ArrayLike) -> float:
    """Standard error of the mean of values that are alike within clusters (answers about one paragraph).

    sqrt(G / (G - 1) * sum over clusters g of (sum over i in g of (x_i - mean))^2) / N, with G clusters and N values;
    with one value a cluster it is the usual s / sqrt(N). NaN with fewer than two clusters. In the unit of the values.

    Raises:
        ValueError: another number of clusters than of values.
    """
    x, of = np.asarray(values, dtype=float), np.asarray(clusters)
    if x.ndim != 1 or x.shape != of.shape:
        raise ValueError(f"values of shape {x.shape} and clusters of shape {of.shape}; give two of the same [N]")
    _, index = np.unique(of, return_inverse=True)
    n_clusters = int(index.max()) + 1 if len(x) else 0
    if n_clusters < 2:
        return np.nan
    sums = np.bincount(index, weights=x - x.mean())
    return float(np.sqrt(n_clusters / (n_clusters - 1) * np.square(sums).sum()) / len(x))


def share_interval(successes: int, n: int, level: float = LEVEL) -> tuple[float, float, float]:
    """Share of successes among n independent runs, and Wilson's interval for it; NaN for none.

    The ends are the shares p at which (share - p)^2 = z^2 p (1 - p) / n, z the normal quantile of the level (Wilson,
    1927). Unlike Student's it stays within [0, 1] and is no point where all runs agree.

    Raises:
        ValueError: more successes than runs, or fewer than none.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} runs: give between 0 and {n}")
    if n == 0:
        return np.nan, np.nan, np.nan
    interval = stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    return successes / n, float(interval.low), float(interval.high)
