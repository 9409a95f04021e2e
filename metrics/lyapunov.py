"""Exponents from records of growth: windows, running means, Kaplan-Yorke dimension, chaos length.

Natural logarithms throughout, so exponents are nats per layer. A record holds ln|R_ii| (or ln||u||) of consecutive
stretches of `every` layers; any axes may follow the first. See tasks/transient_chaos/README.md 5 and 6.

Dimensions: R records, W windows, N sentences, K exponents.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


def window_growth(log_growth: ArrayLike, tau: int, start: int = 0, every: int = 1) -> np.ndarray:
    """Mean growth per layer [W, ...] in consecutive windows of `tau` layers, from layer `start` on.

    `log_growth` [R, ...] covers layers 0 to R * every; layers after the last whole window are dropped. A window that
    holds -inf (a collapsed direction) is -inf, one that holds NaN is NaN.

    Raises:
        ValueError: `tau` or `start` is no multiple of `every`, or no window fits.
    """
    records = _records(log_growth)
    if every < 1 or tau < 1 or tau % every or start < 0 or start % every:
        raise ValueError(f"tau {tau} and start {start} must be multiples of the {every} layers between two records")
    used = records[start // every :]
    windows, per_window = len(used) * every // tau, tau // every
    if windows == 0:
        raise ValueError(
            f"no window of {tau} layers fits from layer {start} to {len(records) * every}; give a smaller tau"
        )
    return used[: windows * per_window].reshape(windows, per_window, *records.shape[1:]).sum(1) / tau


def cumulative_exponents(log_growth: ArrayLike, start: int = 0, every: int = 1) -> np.ndarray:
    """Exponents so far [R - start/every, ...]: the growth from layer `start` on over the layers it took.

    Row r is the mean over layers `start` to `start + (r + 1) every`; the last row is the finite-time spectrum.

    Raises:
        ValueError: `start` is no multiple of `every`, or nothing is left after it.
    """
    records = _records(log_growth)
    if every < 1 or start < 0 or start % every or start >= len(records) * every:
        raise ValueError(
            f"start {start} must be a multiple of the {every} layers between two records, "
            f"and below the {len(records) * every} layers that they cover"
        )
    used = records[start // every :]
    layers = every * np.arange(1, len(used) + 1, dtype=np.float64)
    return used.cumsum(axis=0) / layers.reshape(-1, *[1] * (records.ndim - 1))


def kaplan_yorke(exponents: ArrayLike) -> np.ndarray:
    """The Kaplan-Yorke dimension [...] of spectra [..., K]: j + (sum of the j largest) / |the next|.

    j is the largest number whose sum is not negative. 0 where the largest exponent is negative; NaN where no sum of the
    K given ones is negative (then the dimension is at least K: ask for more exponents) or one of them is NaN.
    """
    spectrum = -np.sort(-np.asarray(exponents, dtype=np.float64), axis=-1)
    if spectrum.ndim == 0 or spectrum.shape[-1] == 0:
        raise ValueError(f"spectra of shape {spectrum.shape} hold no exponent; give [..., K]")
    sums = spectrum.cumsum(axis=-1)
    negative = sums < 0
    j = negative.argmax(axis=-1)  # the first negative sum is that of j + 1 exponents
    padded = np.concatenate([np.zeros_like(sums[..., :1]), sums], axis=-1)
    before = np.take_along_axis(padded, j[..., None], axis=-1)[..., 0]
    following = np.take_along_axis(spectrum, j[..., None], axis=-1)[..., 0]
    known = negative.any(axis=-1) & ~np.isnan(spectrum).any(axis=-1)
    return np.where(known, j + before / np.where(known, np.abs(following), 1.0), np.nan)


@dataclass(frozen=True)
class ChaosLengths:
    """How long sentences are chaotic, in layers, [N] each. The two differ where growth changes its sign repeatedly."""

    first: np.ndarray
    """tau times the index of the first window without growth; the length observed where there is none."""
    first_censored: np.ndarray
    """Whether no such window was seen."""
    last: np.ndarray
    """tau times (index of the last window with growth, plus one); 0 where there is none."""
    last_censored: np.ndarray
    """Whether growth lasted to the end of what was observed."""


def chaos_lengths(windows: ArrayLike, tau: int) -> ChaosLengths:
    """Chaos lengths of exponents [W, N] over windows of `tau` layers: no growth means lambda <= 0, -inf too.

    Observation of a sentence ends before its first window that is NaN or +inf: a state that is not finite is no chaos.
    No rule stands in the published code; this one is `tasks/transient_chaos/README.md 6`.

    Raises:
        ValueError: not [W, N], no window, or tau below 1.
    """
    growth = np.asarray(windows, dtype=np.float64)
    if growth.ndim != 2 or len(growth) == 0 or tau < 1:
        raise ValueError(f"windows of shape {growth.shape} with tau {tau}; give [W, N] with W >= 1, and tau >= 1")
    W = len(growth)
    unknown = np.isnan(growth) | np.isposinf(growth)
    observed = np.where(unknown.any(0), unknown.argmax(0), W)
    seen = np.arange(W)[:, None] < observed
    calm, chaotic = seen & ~(growth > 0), seen & (growth > 0)
    last = np.where(chaotic.any(0), W - chaotic[::-1].argmax(0), 0)
    return ChaosLengths(
        first=tau * np.where(calm.any(0), calm.argmax(0), observed),
        first_censored=np.asarray(~calm.any(0)),
        last=tau * last,
        last_censored=last == observed,
    )


def _records(log_growth: ArrayLike) -> np.ndarray:
    records = np.asarray(log_growth, dtype=np.float64)
    if records.ndim == 0:
        raise ValueError("log_growth is a single number; give records along the first axis")
    return records
