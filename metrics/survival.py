"""Kaplan-Meier estimates for times that may be right-censored: how long until synchronisation, or the end of chaos.

The estimate and its log-log interval (Greenwood's variance) are scipy's; median and restricted mean are read off it.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import CensoredData, ecdf


@dataclass(frozen=True)
class Survival:
    """The chance that a time is longer than t, a step function that starts at 1 and falls at the observed times."""

    times: np.ndarray
    """Distinct times in rising order, censored ones too; units of the input."""
    survival: np.ndarray
    """S(t) from that time on."""
    error: np.ndarray
    """Greenwood's standard error of S; NaN where it is undefined (S = 0)."""
    low: np.ndarray
    """Lower end of the pointwise log-log interval; NaN where it is undefined (S is 0 or 1)."""
    high: np.ndarray
    """Upper end."""
    median: float
    """The first time with S <= 1/2; NaN where S stays above."""
    restricted_mean: float
    """The mean of min(time, horizon), the area under S up to the horizon; units of the input."""
    restricted_error: float
    """Standard error of the restricted mean; NaN with a single time."""
    events: int
    """Times that are not censored."""
    censored: int


def kaplan_meier(
    times: ArrayLike, censored: ArrayLike, horizon: float | None = None, confidence: float = 0.95
) -> Survival:
    """Kaplan-Meier estimate of `times` [N], of which those `censored` [N] are known to be at least as long.

    `horizon` of the restricted mean: the largest time by default; compare means only at equal horizons.

    Raises:
        ValueError: no times, shapes that differ, a time that is negative or not finite, or a horizon beyond the data (S
            is not known there unless it is 0).
    """
    t, c = np.asarray(times, dtype=np.float64), np.asarray(censored, dtype=bool)
    if t.ndim != 1 or t.size == 0 or t.shape != c.shape:
        raise ValueError(f"times of shape {t.shape} with censored of shape {c.shape}; give [N] and [N] with N >= 1")
    if not np.isfinite(t).all() or (t < 0).any():
        raise ValueError("some times are negative or not finite; censor those sentences at the last layer observed")
    with warnings.catch_warnings():
        # scipy warns where the interval is undefined; there it is NaN, which the docstrings say.
        warnings.simplefilter("ignore", RuntimeWarning)
        curve = ecdf(CensoredData(uncensored=t[~c], right=t[c])).sf
        log_log = curve.confidence_interval(confidence, method="log-log")
    points, S = curve.quantiles, curve.probabilities
    at_risk = (t[None] >= points[:, None]).sum(1)
    deaths = ((t == points[:, None]) & ~c).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        hazard = deaths / (at_risk * (at_risk - deaths))
        error = S * np.sqrt(np.cumsum(hazard))
    end = float(t.max()) if horizon is None else horizon
    if end < 0 or (end > t.max() and S[-1] > 0):
        raise ValueError(f"horizon is {end}; give 0 to {t.max():g}, the longest time observed")
    low, high = log_log.low.probabilities, log_log.high.probabilities
    mean, mean_error = _restricted(points, S, at_risk, deaths, end)
    return Survival(
        times=points,
        survival=S,
        error=error,
        low=low,
        high=high,
        median=float(points[(S <= 0.5).argmax()]) if (S <= 0.5).any() else np.nan,
        restricted_mean=mean,
        restricted_error=mean_error if len(t) > 1 else np.nan,
        events=int((~c).sum()),
        censored=int(c.sum()),
    )


def _restricted(
    points: np.ndarray, S: np.ndarray, at_risk: np.ndarray, deaths: np.ndarray, end: float
) -> tuple[float, float]:
    """Area under the step function from 0 to `end`, and the root of sum (area after t_i)^2 d_i / (n_i (n_i - d_i))."""
    inside = points < end
    edges = np.concatenate([[0.0], points[inside], [end]])
    areas = np.diff(edges) * np.concatenate([[1.0], S[inside]])
    after = np.cumsum(areas[::-1])[::-1][1:]  # the area beyond each inner point
    n, d = at_risk[inside], deaths[inside]
    terms = np.where(d < n, d / np.maximum(n * (n - d), 1), 0.0)  # beyond a point where all have died the area is 0
    return float(areas.sum()), float(np.sqrt((after**2 * terms).sum()))
