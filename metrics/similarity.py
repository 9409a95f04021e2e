"""How alike two networks represent the same rows: PWCCA, SVCCA, mean CCA correlation, linear CKA, all from moments.

CCA of rows X and Y with scatters S and T (sums over rows of products of centred features) and the ridge r:
the singular values of (S + r)^-1/2 X^T Y (T + r')^-1/2. The square roots come from eigenvectors, taken once a level and
shared by all its pairs: they give what Cholesky factors would (any root does), and beside it the principal components
and the range of features that are linearly dependent. The output of a LayerNorm with gain 1 sums to zero, and N rows
have at most N - 1 centred dimensions; a Cholesky factor of such a scatter is rounding in those directions, or fails.
Directions with less than RANGE of the largest scatter are left out. All is float64, on the device of the moments.

PWCCA: Morcos, Raghu & Bengio 2018, arXiv 1806.05759, as published code computes it (tasks/transfer/README.md 5).
SVCCA: Raghu et al. 2017, arXiv 1706.05806. Linear CKA: Kornblith et al. 2019, arXiv 1905.00414.

Dimensions: N rows, I features of X, J of Y, H of either, K directions kept of either, C = min of both K.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

RANGE = 1e-12
"""Scatter of a direction, in parts of the largest, up to which it is rounding: float32 features carry errors of 6e-8 of
their size, so of 4e-15 of their square."""
VARIANCE = 0.99
"""Share of the variance that SVCCA keeps."""
METRICS = ("pwcca", "pwcca_reverse", "pwcca_mean", "mean_cca", "svcca", "cka")


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """Eigenvalues and eigenvectors of a scatter in its range, in decreasing order."""

    values_K: Tensor
    vectors_HK: Tensor


@dataclass(frozen=True, kw_only=True)
class Level:
    """What all pairs with one level's features share."""

    count: int
    """N."""
    mean_H: Tensor
    centred: Spectrum
    """Spectrum of the features less their means."""
    white: Spectrum
    """Spectrum of what PWCCA whitens: `centred`, or with `legacy_uncentred` of the features as they are."""
    ridge: float
    """Added to all eigenvalues of `white`."""
    offset_K: Tensor
    """sqrt(N) times the mean row in whitened coordinates; 0 where the features are centred."""
    legacy_uncentred: bool

    @property
    def finite(self) -> bool:
        """Whether there is anything to compare: a finite scatter that is not zero."""
        return len(self.centred.values_K) > 0 and len(self.white.values_K) > 0

    @property
    def components(self) -> int:
        """Principal components with VARIANCE of the variance, the fewest."""
        share = self.centred.values_K.cumsum(0) / self.centred.values_K.sum()
        return min(len(share), int((share < VARIANCE).sum()) + 1)


@dataclass(frozen=True, kw_only=True)
class Pwcca:
    """Canonical correlations in the order of decreasing singular values, and their weights from either side."""

    singular_C: Tensor
    """Singular values of the whitened cross scatter; the correlations where the ridge is 0 and features are centred."""
    correlations_C: Tensor
    """Pearson correlations of the canonical variates."""
    weights_first_C: Tensor
    """Share of X that each variate of X accounts for; they sum to 1."""
    weights_second_C: Tensor
    """Share of Y that each variate of Y accounts for."""

    @property
    def value(self) -> float:
        """Weighted by the first side, as published: PWCCA(X, Y)."""
        return float(self.weights_first_C @ self.correlations_C)

    @property
    def reverse(self) -> float:
        """PWCCA(Y, X)."""
        return float(self.weights_second_C @ self.correlations_C)


def spectrum(scatter_HH: Tensor, rank: int | None = None) -> Spectrum:
    """The range of a symmetric positive semidefinite matrix: at most `rank` directions, none below RANGE.

    It is empty where the matrix is zero or not finite.
    """
    H = len(scatter_HH)
    if not bool(torch.isfinite(scatter_HH).all()):
        return Spectrum(values_K=scatter_HH.new_zeros(0), vectors_HK=scatter_HH.new_zeros(H, 0))
    values, vectors = torch.linalg.eigh(scatter_HH.double())
    values, vectors = values.flip(0), vectors.flip(1)
    keep = int((values > RANGE * values[:1].clamp(min=0)).sum())
    keep = min(keep, H if rank is None else max(0, rank))
    return Spectrum(values_K=values[:keep].contiguous(), vectors_HK=vectors[:, :keep].contiguous())


def prepare(
    scatter_HH: Tensor,
    mean_H: Tensor,
    count: int,
    *,
    ridge: float,
    legacy_uncentred: bool = False,
) -> Level:
    """The shared part of all comparisons with these features.

    Args:
        scatter_HH: sum over rows of (x - mean)(x - mean)^T, not divided.
        mean_H: mean row.
        count: N.
        ridge: added to the scatter's diagonal, in parts of its mean diagonal, so that neither N nor the features' unit
            matters.
        legacy_uncentred: as published: the features are not centred (so a constant offset changes the value), and the
            ridge is added as it is.

    Raises:
        ValueError: a ridge below 0.
    """
    if not ridge >= 0:
        raise ValueError(f"ridge is {ridge}: give 0 or more")
    centred = spectrum(scatter_HH, count - 1)
    if legacy_uncentred:
        white = spectrum(scatter_HH + count * torch.outer(mean_H, mean_H), count)
        added = ridge
        offset = count**0.5 * (mean_H @ white.vectors_HK) / (white.values_K + added).sqrt()
    else:
        white, added = centred, ridge * float(centred.values_K.sum()) / len(scatter_HH)
        offset = torch.zeros_like(white.values_K)
    return Level(
        count=count,
        mean_H=mean_H,
        centred=centred,
        white=white,
        ridge=added,
        offset_K=offset,
        legacy_uncentred=legacy_uncentred,
    )


def pwcca(x: Level, y: Level, cross_IJ: Tensor) -> Pwcca:
    """Projection-weighted CCA of two levels, both ways, from their cross scatter (of centred features).

    With a_k, b_k the directions of the singular values: p_k = X a_k, q_k = Y b_k, rho_k their Pearson correlation; of
    the QR factorisation P = Q R in that order, alpha_k = sum_i |x_i . Q_k|, without forming either: R^T R = P^T P is
    known from the moments, and X^T Q = (X^T P) R^-1. Individual rho and alpha among equal singular values depend on the
    basis; only their weighted sum is comparable.

    Raises:
        ValueError: one of them is empty (see `Level.finite`), or they were prepared in different ways.
    """
    if not (x.finite and y.finite):
        raise ValueError("the features of one side are constant or not finite, so there is no correlation")
    if x.legacy_uncentred != y.legacy_uncentred or x.count != y.count:
        raise ValueError("the two levels differ in rows or in centring; prepare both alike")
    if x.legacy_uncentred:
        cross_IJ = cross_IJ + x.count * torch.outer(x.mean_H, y.mean_H)
    root_x, root_y = (x.white.values_K + x.ridge).sqrt(), (y.white.values_K + y.ridge).sqrt()
    whitened = (x.white.vectors_HK.T @ cross_IJ @ y.white.vectors_HK) / root_x[:, None] / root_y
    u_KC, s_C, vh_CK = torch.linalg.svd(whitened, full_matrices=False)
    variance_first, mean_first, weights_first = _variates(x, u_KC)
    variance_second, mean_second, weights_second = _variates(y, vh_CK.T)
    scale = (variance_first - mean_first.square()) * (variance_second - mean_second.square())
    known = scale > RANGE * variance_first * variance_second  # a variate that is constant has no correlation
    rho_C = torch.where(known, (s_C - mean_first * mean_second) / scale.clamp(min=1e-300).sqrt(), 0.0)
    return Pwcca(singular_C=s_C, correlations_C=rho_C, weights_first_C=weights_first, weights_second_C=weights_second)


def _variates(level: Level, u_KC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """|p_k|^2, sqrt(N) times the mean of p_k, and the normalised alpha_k of one side's variates, each [C]."""
    values_K = level.white.values_K
    damped_K = values_K / (values_K + level.ridge)
    gram_CC = u_KC.T @ (damped_K[:, None] * u_KC)
    spread_CH = (u_KC * (values_K / (values_K + level.ridge).sqrt())[:, None]).T @ level.white.vectors_HK.T
    if level.ridge > 0:  # without one the variates are orthonormal already
        spread_CH = torch.linalg.solve_triangular(torch.linalg.cholesky(gram_CC), spread_CH, upper=False)
    alpha_C = spread_CH.abs().sum(1)
    return gram_CC.diagonal(), level.offset_K @ u_KC, alpha_C / alpha_C.sum()


def svcca(x: Level, y: Level, cross_IJ: Tensor) -> float:
    """Mean canonical correlation of the principal components with 99 % of the variance of each side; no ridge."""
    bases = []
    for level in (x, y):
        k = level.components
        bases.append(level.centred.vectors_HK[:, :k] / level.centred.values_K[:k].sqrt())
    return float(torch.linalg.svdvals(bases[0].T @ cross_IJ @ bases[1]).mean())


def linear_cka(x: Level, y: Level, cross_IJ: Tensor) -> float:
    """|X^T Y|_F^2 / (|X^T X|_F |Y^T Y|_F) of centred features."""
    norms = x.centred.values_K.norm() * y.centred.values_K.norm()
    return float(cross_IJ.square().sum() / norms)


def similarities(x: Level, y: Level, cross_IJ: Tensor) -> dict[str, float]:
    """All METRICS of two levels; NaN where one of them is constant or not finite.

    `cross_IJ` is the cross scatter of centred features, sum over rows of (x - mean)(y - mean)^T.
    """
    if not (x.finite and y.finite):
        return dict.fromkeys(METRICS, float("nan"))
    found = pwcca(x, y, cross_IJ)
    return {
        "pwcca": found.value,
        "pwcca_reverse": found.reverse,
        "pwcca_mean": (found.value + found.reverse) / 2,
        "mean_cca": float(found.correlations_C.mean()),
        "svcca": svcca(x, y, cross_IJ),
        "cka": linear_cka(x, y, cross_IJ),
    }
