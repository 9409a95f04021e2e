"""Moments of ReLU and GeLU of a centred Gaussian, in closed form.

For x, x' ~ N(0, sigma^2) with correlation r and f the activation: the mean and variance of f(x), the covariance of f(x)
and f(x'), and the second moment and the cross moment of the slope f'. A gradient of variance s_g^2 and correlation r_g
that comes back through f has the variance s_g^2 E[f'(x)^2] and the covariance r_g s_g^2 E[f'(x) f'(x')].

Everything is NumPy float64, elementwise over arrays that broadcast.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Activation = Literal["relu", "gelu"]


@dataclass(frozen=True, kw_only=True)
class ActivationMoments:
    """Each of the shape that sigma and r broadcast to."""

    mean: Array
    """E[f(x)], in the unit of sigma."""
    var: Array
    """Var f(x)."""
    cov: Array
    """Cov(f(x), f(x'))."""
    slope_second: Array
    """E[f'(x)^2]."""
    slope_cross: Array
    """E[f'(x) f'(x')]."""

    @property
    def second(self) -> Array:
        """E[f(x)^2]."""
        return self.var + self.mean**2

    @property
    def cross(self) -> Array:
        """E[f(x) f(x')]."""
        return self.cov + self.mean**2


def relu_moments(sigma: ArrayLike, r: ArrayLike) -> ActivationMoments:
    """Moments of max(x, 0) (exact).

    Raises:
        ValueError: sigma is negative or r is outside [-1, 1].
    """
    sigma, r = _checked(sigma, r)
    q = sigma**2
    return ActivationMoments(
        mean=sigma / np.sqrt(2 * np.pi),
        var=q * (np.pi - 1) / (2 * np.pi),
        cov=q * (np.pi * r + np.sqrt(1 - r**2) - r * np.arccos(r) - 1) / (2 * np.pi),
        slope_second=np.full_like(q, 0.5),
        slope_cross=0.25 + np.arcsin(r) / (2 * np.pi),
    )


def gelu_moments(sigma: ArrayLike, r: ArrayLike) -> ActivationMoments:
    """Moments of x Phi(x), the exact form of GeLU (exact).

    Raises:
        ValueError: sigma is negative or r is outside [-1, 1].
    """
    sigma, r = _checked(sigma, r)
    q = sigma**2
    a = q / (1 + q)
    mean = q / np.sqrt(2 * np.pi * (1 + q))
    both = (q + 1) ** 2 - (r * q) ** 2
    cross = (q / 4) * (
        r
        + (2 / np.pi) * r * np.arcsin(r * a)
        + (2 * q / np.pi) * (q * (1 - r**2) + 1 + r**2) / ((q + 1) * np.sqrt(both))
    )
    var = (q / (2 * np.pi)) * (np.pi - a - np.arccos(a) + 2 * a * np.sqrt((1 - a) / (1 + a)))
    second = 0.5 + (-np.arccos(a) + a * (5 * q + 3) / (1 + 2 * q) ** 1.5) / (2 * np.pi)
    slope = 0.5 + (-np.arccos(r * a) + r * a * ((q + 1) * (2 * q + 3) - 2 * (r * q) ** 2) / both**1.5) / (2 * np.pi)
    return ActivationMoments(mean=mean, var=var, cov=cross - mean**2, slope_second=second, slope_cross=slope)


MOMENTS: dict[Activation, Callable[[ArrayLike, ArrayLike], ActivationMoments]] = {
    "relu": relu_moments,
    "gelu": gelu_moments,
}


def _checked(sigma: ArrayLike, r: ArrayLike) -> tuple[Array, Array]:
    sigma, r = np.broadcast_arrays(np.asarray(sigma, np.float64), np.asarray(r, np.float64))
    if not (sigma >= 0).all():
        raise ValueError("sigma has negative values or NaN; expected standard deviations")
    if not (np.abs(r) <= 1).all():
        raise ValueError("r has values outside [-1, 1] or NaN; expected correlations")
    return sigma, r
