"""How far the tokens of a sentence are from being equal, and from which layer on they are.

No rule that turns the spread into an offset stands in the published code; `first` and `persistent` are ours
(`tasks/transient_chaos/README.md 6`).

Dimensions: B sentences, T tokens, H hidden, Q thresholds, t layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


def token_spread(h_BTH: Tensor, real: Tensor | None = None) -> Tensor:
    """s [B]: the mean over H of the population sd over tokens, in the units of the states.

    Over all tokens, padding included, as published; over the real ones with `real` [B, T].
    """
    return _deviation(h_BTH, real)[0].mean(-1)


def relative_spread(h_BTH: Tensor, real: Tensor | None = None) -> Tensor:
    """The scale-free spread [B]: `token_spread` over the population sd, over H, of the mean token. No unit.

    NaN where the mean token is constant over H and the tokens are equal.
    """
    sd_BH, mean_BH = _deviation(h_BTH, real)
    return sd_BH.mean(-1) / mean_BH.std(-1, correction=0)


def _deviation(h_BTH: Tensor, real: Tensor | None) -> tuple[Tensor, Tensor]:
    """(population sd over tokens, mean token), [B, H] each."""
    if real is None:
        variance, mean = torch.var_mean(h_BTH, dim=1, correction=0)
        return variance.sqrt(), mean
    weight = (real != 0).to(h_BTH.dtype)[:, :, None]
    count = weight.sum(1)
    if not bool((count > 0).all()):
        raise ValueError("a sentence has no real token; leave it out")
    mean = (h_BTH * weight).sum(1) / count
    return (((h_BTH - mean[:, None]).square() * weight).sum(1) / count).sqrt(), mean


@dataclass(frozen=True)
class Offsets:
    """From which layer on the tokens of a sentence are equal up to a threshold; -1 never: censored at `observed`."""

    first: np.ndarray
    """[Q, B]: the first layer with s below the threshold."""
    persistent: np.ndarray
    """[Q, B]: the first layer from which s stays below to the end of what was observed."""
    observed: np.ndarray
    """[B]: the last layer whose s was finite, -1 for none. What comes after a NaN or infinite s is not looked at."""


class OffsetTracker:
    """Offsets while the layers go by, without a record of them: three integers a sentence and threshold."""

    def __init__(self, thresholds: Sequence[float]) -> None:
        """Raises: ValueError: no threshold, or one that is not positive."""
        self.thresholds = np.asarray(thresholds, dtype=np.float64)
        if self.thresholds.ndim != 1 or self.thresholds.size == 0 or not (self.thresholds > 0).all():
            raise ValueError(f"thresholds are {thresholds}; give at least one, all above 0")
        self._state: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None = None

    def update(self, t: int, spread: Tensor | np.ndarray) -> None:
        """Take s_t [B] of layer `t`; the layers come in rising order, not necessarily all of them."""
        s = np.asarray(spread.detach().cpu() if isinstance(spread, Tensor) else spread, dtype=np.float64)
        if self._state is None:
            never = np.full((len(self.thresholds), len(s)), -1, dtype=np.int64)
            self._state = (never, never.copy(), np.full(len(s), -1, dtype=np.int64), np.ones(len(s), dtype=bool))
        first, since, observed, alive = self._state
        alive &= np.isfinite(s)
        observed[alive] = t
        below = s < self.thresholds[:, None]
        first[alive & below & (first < 0)] = t
        since[alive & below & (since < 0)] = t
        since[alive & ~below] = -1

    def result(self) -> Offsets:
        """The offsets over the layers given so far.

        Raises:
            ValueError: there were none.
        """
        if self._state is None:
            raise ValueError("no layer was given; call update for each")
        first, since, observed, _ = (array.copy() for array in self._state)
        return Offsets(first=first, persistent=since, observed=observed)


def offsets(spread: Tensor | np.ndarray, thresholds: Sequence[float]) -> Offsets:
    """Offsets of a whole record s [t, B], t = 0, 1, ..."""
    tracker = OffsetTracker(thresholds)
    for t, s in enumerate(spread):
        tracker.update(t, s)
    return tracker.result()
