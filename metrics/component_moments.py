"""Moments of one component with random input, forward and backward, in closed form (tasks/deepscale/README.md 1).

Input: tokens of mean mu and variance sigma_x^2, two of them correlated by r at the same feature, features independent.
Gradient of the output: mean 0, variance sigma_g^2, correlation r_g, independent of the input. Each function gives the
moments of the output and the variance and covariance of the gradient of the input, as arrays of the shape that its
arguments broadcast to, in float64.

`form`: "published" is what the published code has; "exact" is exact where nothing else is said. Where there is one
form only, the published one is exact.

Letters: d, d_in, d_out widths, L tokens, p dropout, s standard deviation of a weight.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, hyp2f1

Array = NDArray[np.float64]
LayerNormForm = Literal["published", "first_order", "exact"]
SoftmaxForm = Literal["approx", "full", "second_order"]


class Moments(NamedTuple):
    """Moments of the output and of the gradient of the input; arrays of one shape."""

    mean: Array
    var: Array
    cov: Array
    """Covariance of two tokens, same feature."""
    g_var: Array
    g_cov: Array


def linear(
    mu: ArrayLike, sigma_x: ArrayLike, r: ArrayLike, s: ArrayLike, sigma_g: ArrayLike, r_g: ArrayLike,
    d_in: ArrayLike, d_out: ArrayLike,
) -> Moments:  # fmt: skip
    """y = x W with independent entries of W of mean 0 and standard deviation s, no bias; exact."""
    mu, sigma_x, r, s, sigma_g, r_g, d_in, d_out = arrays(mu, sigma_x, r, s, sigma_g, r_g, d_in, d_out)
    check(r=r, r_g=r_g, d_in=d_in, d_out=d_out)
    gain, back = d_in * s**2, d_out * s**2 * sigma_g**2
    return broadcast(0, gain * (sigma_x**2 + mu**2), gain * (mu**2 + r * sigma_x**2), back, r_g * back)


def dropout(
    mu: ArrayLike, sigma_x: ArrayLike, r: ArrayLike, sigma_g: ArrayLike, r_g: ArrayLike, p: ArrayLike
) -> Moments:
    """Inverted dropout: kept values are divided by 1 - p; exact."""
    mu, sigma_x, r, sigma_g, r_g, p = arrays(mu, sigma_x, r, sigma_g, r_g, p)
    check(r=r, r_g=r_g, p=p)
    var = (sigma_x**2 + p * mu**2) / (1 - p)
    return broadcast(mu, var, r * sigma_x**2, sigma_g**2 / (1 - p), r_g * sigma_g**2)


class LayerNormMoments(NamedTuple):
    """`Moments`, and the covariance of two features of one token."""

    mean: Array
    var: Array
    cov: Array
    cov_features: Array
    g_var: Array
    g_cov: Array


def layernorm(
    sigma_x: ArrayLike, r: ArrayLike, sigma_g: ArrayLike, r_g: ArrayLike, d: ArrayLike, *, form: LayerNormForm,
    eps: float = 1e-5,
) -> LayerNormMoments:  # fmt: skip
    """LayerNorm without gain and bias; the mean of its input does not matter.

    Args:
        sigma_x: spread of the input.
        r: correlation of two tokens.
        sigma_g: spread of the gradient.
        r_g: its correlation.
        d: width; more than 5 for other forms than the published (below 4 the gradient's variance is infinite).
        form: "published" (limits of d to infinity, but for 1 - 1/d and -1/(d - 1)); "first_order" in 1/d, with
            eps in the variance alone; "exact" for every d and to first order in eps / sigma_x^2.
        eps: what LayerNorm adds to the variance.

    The exact forms: with n = d - 1, normalised tokens have the sample correlation of n degrees of freedom, whose mean
    is Hotelling's r k^2 2/n 2F1(1/2, 1/2; n/2 + 1; r^2), k = Gamma((n + 1)/2) / Gamma(n/2). The gradient's covariance
    is r_g sigma_g^2 E[(d - 3 + rho^2) / (s s')] / d, where s and s' are the spreads of the two tokens and rho their
    sample correlation; its terms are sums over the mixture of independent chi-squared variables that two correlated
    ones are, and become hypergeometric functions by Euler's transformation.
    """
    sigma_x, r, sigma_g, r_g, d = arrays(sigma_x, r, sigma_g, r_g, d)
    check(r=r, r_g=r_g, d=d)
    ratio = (sigma_g / sigma_x) ** 2
    if form == "published":
        return _layernorm(0, 1, r * (1 - 1 / d), -1 / (d - 1), ratio, r_g * ratio)
    if np.any(d <= 5):
        raise ValueError(f"d is {d.min():g}: give 6 or more; below, moments of a gradient through LayerNorm diverge")
    small, n = eps / sigma_x**2, d - 1
    g_var = ratio * (d - 2) / (d - 3)
    if form == "first_order":
        var = 1 / (1 + small)
        e1 = np.sqrt(d / 2) * np.exp(gammaln((d - 2) / 2) - gammaln((d - 1) / 2))
        g_cov = r_g * ratio * e1**2 * (1 + r**2 / (2 * d)) * (d - 3 + r**2) / d
        return _layernorm(0, var, r * (1 - (1 - r**2) / (2 * n)), -1 / n, g_var, g_cov)
    if form != "exact":
        raise ValueError(f"form is {form!r}; give published, first_order or exact")
    shrink = small * d / (d - 3)  # of the variance: eps E[1/s^2], to which eps^2 E[1/s^4] is added
    var = 1 - shrink + shrink * small * d / (d - 5)
    cov = r * 2 / n * np.exp(2 * (gammaln((n + 1) / 2) - gammaln(n / 2))) * hyp2f1(0.5, 0.5, n / 2 + 1, r**2)
    first, second = inverse_spreads(r, n)
    back = 1 - small * d / (d - 5)
    g_cov = r_g * ratio * ((d - 3) * first + second)
    return _layernorm(0, var, cov * (1 - shrink), -var / n, g_var * back, g_cov * back)


def inverse_spreads(r: ArrayLike, n: ArrayLike) -> tuple[Array, Array]:
    """E[1/sqrt(S S')] and E[rho^2/sqrt(S S')] of two sums of n squares of unit Gaussians that are correlated by r.

    S and S' are the diagonal of a Wishart matrix of n degrees of freedom, rho its sample correlation; n > 1.
    """
    r, n = arrays(r, n)
    z, a = r**2, (n - 1) / 2
    common = np.exp(2 * (gammaln(a) - gammaln(n / 2))) / 2
    first = common * hyp2f1(0.5, 0.5, n / 2, z)
    rising = 2 * z * a**2 / (n / 2 + 1) * hyp2f1(1.5, 1.5, n / 2 + 2, z)
    second = common / n * ((1 - z) * hyp2f1(1.5, 1.5, n / 2 + 1, z) + rising)
    return first, second


class SoftmaxMoments(NamedTuple):
    """Moments of the elements of a softmax over L elements, and of the gradient of its input."""

    mean: Array
    var: Array
    g_var: Array


def softmax(
    sigma_x: ArrayLike, r: ArrayLike, sigma_g: ArrayLike, r_g: ArrayLike, L: ArrayLike, *, form: SoftmaxForm
) -> SoftmaxMoments:
    """Softmax over L elements that are correlated by r, with gradients correlated by r_g.

    What the elements have in common cancels, so all depends on w = (1 - r) sigma_x^2. None of the forms is exact: they
    need exp(w) small against L. "approx" and "full" are published and know no r_g; "second_order" is within 0.5 %
    (var) and 1 % (g_var) for sigma_x <= 1 and L >= 300.
    """
    sigma_x, r, sigma_g, r_g, L = arrays(sigma_x, r, sigma_g, r_g, L)
    check(r=r, r_g=r_g, L=L)
    w = (1 - r) * sigma_x**2
    if form == "approx":
        var, back = np.expm1(w) / L**2, np.exp(w) / L**2
    elif form == "full":
        u = w * L / (L - 1)
        var = np.expm1(u) * np.exp(2 * u) / ((L - 1) * np.exp(w) + 1) ** 2
        back = var + 1 / L**2
    elif form == "second_order":
        grown = np.expm1(w)
        # E[a^2] - 1/L^2, written so that it keeps its digits where w is small.
        var = grown / L**2 + np.exp(w) / L**3 * (3 * grown - 2 * np.expm1(2 * w))
        back = (1 - r_g) * (var + 1 / L**2 - 2 * np.exp(3 * w) / L**3 + np.exp(2 * w) / L**3)
    else:
        raise ValueError(f"form is {form!r}; give approx, full or second_order")
    return SoftmaxMoments(*(np.array(value) for value in np.broadcast_arrays(1 / L, var, sigma_g**2 * back)))


def arrays(*values: ArrayLike) -> tuple[Array, ...]:
    """The values as float64.

    Raises:
        ValueError: one is not finite.
    """
    found = tuple(np.asarray(value, dtype=np.float64) for value in values)
    for value in found:
        if not np.isfinite(value).all():
            raise ValueError(f"an argument holds {value[~np.isfinite(value)].flat[0]}: give finite numbers")
    return found


def check(**values: Array) -> None:
    """Refuse correlations and dropout outside [0, 1) and sizes below 2; a size is named d..., I or L.

    Raises:
        ValueError: with the argument's name and value.
    """
    for name, value in values.items():
        if name.startswith("r") or name == "p":
            bad, remedy = value[(value < 0) | (value >= 1)], "at least 0 and less than 1"
        else:
            bad, remedy = value[value < 2], "2 or more"
        if bad.size:
            raise ValueError(f"{name} is {bad.flat[0]:g}: give {remedy}")


def broadcast(mean: ArrayLike, var: ArrayLike, cov: ArrayLike, g_var: ArrayLike, g_cov: ArrayLike) -> Moments:
    """The moments as arrays of one shape."""
    return Moments(*(np.array(value, dtype=np.float64) for value in np.broadcast_arrays(mean, var, cov, g_var, g_cov)))


def _layernorm(*values: ArrayLike) -> LayerNormMoments:
    return LayerNormMoments(*(np.array(value, dtype=np.float64) for value in np.broadcast_arrays(*values)))
