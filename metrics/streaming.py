"""Mean, standard deviation, extremes and histogram of values that come in pieces and are not kept.

Sums of values and of their squares are in float64, about the first finite piece's mean, so that nothing cancels where
the spread is small against the mean.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

EDGES = [10 ** (i / 10) for i in range(-40, 41)]
"""Inner edges of the histogram's bins, ten a decade from 1e-4 to 1e4; one more bin below and one above."""


@dataclass(kw_only=True)
class Stream:
    """What is known of the values so far; those that are not finite are counted apart."""

    count: int = 0
    """Finite values."""
    not_finite: int = 0
    least: float = float("inf")
    most: float = float("-inf")
    bins: Tensor = field(default_factory=lambda: torch.zeros(len(EDGES) + 1, dtype=torch.int64))
    """int64 [len(EDGES) + 1]; a bin holds its lower edge."""
    _origin: float = 0.0
    _sum: float = 0.0
    _squares: float = 0.0

    def add(self, values: Tensor) -> None:
        """Values of any shape, on any device."""
        flat = values.detach().flatten().double()
        known = torch.isfinite(flat)
        fine = flat if bool(known.all()) else flat[known]
        self.not_finite += len(flat) - len(fine)
        if not len(fine):
            return
        if not self.count:
            self._origin = float(fine.mean())
        off = fine - self._origin
        edges = torch.tensor(EDGES, dtype=torch.float64, device=fine.device)
        self.count += len(fine)
        self._sum += float(off.sum())
        self._squares += float(off.square().sum())
        self.least, self.most = min(self.least, float(fine.min())), max(self.most, float(fine.max()))
        self.bins += torch.bincount(torch.bucketize(fine, edges, right=True), minlength=len(self.bins)).cpu()

    @property
    def mean(self) -> float:
        """Mean of the finite values; NaN without any."""
        return self._origin + self._sum / self.count if self.count else float("nan")

    @property
    def sd(self) -> float:
        """Standard deviation of the sample (n - 1); NaN below two values."""
        if self.count < 2:
            return float("nan")
        return (max(0.0, self._squares - self._sum**2 / self.count) / (self.count - 1)) ** 0.5


def inverse_spreads(v: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """1 / sigma(v) over the last dimension in two definitions, float64, each [...].

    First 1 / sqrt(biased variance + eps), what a LayerNorm multiplies the centred input by; then 1 over the unbiased
    standard deviation, as published (tasks/transfer/README.md 4). They differ by sqrt(H / (H - 1)) and eps.
    """
    variance, H = v.double().var(-1, correction=0), v.shape[-1]
    return torch.rsqrt(variance + eps), torch.rsqrt(variance * (H / (H - 1)))
