"""The similarity of independent data: what PWCCA and the others give where there is nothing to find.

With N rows of I and J features all correlations are 1 as soon as I + J >= N, whatever the features are, and for 768
features a side PWCCA is 0.82 at 1000 rows and still 0.17 at 20,000. So every value needs the one
of independent data beside it, with the same number of rows and the same scatters.

It is drawn without drawing rows. X is given, of rank K and with scatter V diag(l) V^T; Y has independent Gaussian rows
with the covariance that was seen, U diag(t) U^T / (N - 1). The N - 1 centred dimensions of the rows are split into
the K in which X lies and the others: with A [K, Q] of independent standard normals, and W a Wishart matrix of
N - 1 - K degrees of freedom,

    X^T Y = V l^1/2 A t^1/2 U^T / sqrt(N - 1),   Y^T Y = U t^1/2 (A^T A + W) t^1/2 U^T / (N - 1),

and the mean of Y is independent of both. This is exact in law, and a draw costs as much as a comparison.

Dimensions: N rows, K rank of X, Q rank of Y, I, J features.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from metrics.similarity import Level, prepare


@dataclass(frozen=True, kw_only=True)
class IndependentDraw:
    """Features Y of rows that know nothing of X, for all levels of X that have the same rank."""

    level: Level
    """Level of the drawn Y."""
    normal_KQ: Tensor
    root_QJ: Tensor
    """t^1/2 U^T / sqrt(N - 1)."""

    def cross(self, x: Level) -> Tensor:
        """[I, J]: the cross scatter of X with the drawn Y."""
        spectrum = x.centred
        return (spectrum.vectors_HK * spectrum.values_K.sqrt()) @ self.normal_KQ @ self.root_QJ


def wishart(degrees: int, size: int, random: np.random.Generator) -> np.ndarray:
    """A Wishart matrix [Q, Q] of identity scale: the scatter of `degrees` standard normal rows.

    By Bartlett's decomposition, whose cost does not grow with the degrees; with fewer degrees than Q, from the rows.
    """
    if degrees < size:
        rows = random.standard_normal((max(0, degrees), size))
        return rows.T @ rows
    lower = np.tril(random.standard_normal((size, size)), -1)
    lower[np.diag_indices(size)] = np.sqrt(random.chisquare(degrees - np.arange(size)))
    return lower @ lower.T


def draw_independent(
    rank: int, y: Level, random: np.random.Generator, *, ridge: float, legacy_uncentred: bool = False
) -> IndependentDraw:
    """A draw of Y for all X of this rank, with the number of rows, the covariance and the mean of `y`.

    Args:
        rank: K, directions of the centred X.
        y: the level that was seen.
        random: drawn on the host, so that a device changes nothing.
        ridge: as in `prepare`.
        legacy_uncentred: as in `prepare`.

    Raises:
        ValueError: more directions than N rows have, or an empty `y`.
    """
    N, Q = y.count, len(y.centred.values_K)
    if rank > N - 1 or not Q:
        raise ValueError(f"X of rank {rank} and Y of rank {Q} on {N} rows; give at most {N - 1}, and at least 1 each")
    device = y.mean_H.device
    normal = random.standard_normal((rank, Q))
    inner_QQ = torch.from_numpy(normal.T @ normal + wishart(N - 1 - rank, Q, random)).to(device)
    mean_Q = torch.from_numpy(random.standard_normal(Q)).to(device) / N**0.5
    root_QJ = y.centred.values_K.sqrt()[:, None] * y.centred.vectors_HK.T / (N - 1) ** 0.5
    scatter_JJ = root_QJ.T @ inner_QQ @ root_QJ
    level = prepare(
        (scatter_JJ + scatter_JJ.T) / 2,
        y.mean_H + mean_Q @ root_QJ,
        N,
        ridge=ridge,
        legacy_uncentred=legacy_uncentred,
    )
    return IndependentDraw(level=level, normal_KQ=torch.from_numpy(normal).to(device), root_QJ=root_QJ)
