"""What the recursion of `metrics.propagation` comes to: fixed points, slopes, factors a layer, a rule (dslm 3.3).

Closed forms hold for long sequences; stationary values are those of the recursion itself at its own length.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import root_scalar

from metrics.dslm import branch_correlation
from metrics.propagation import Gains, Setting, propagate


def pre_norm_slope(attention_gain: float, mlp_gain: float, dropout: float) -> tuple[float, float]:
    """(variance that a pre-LN layer with ReLU adds, correlation r* that the stream comes to) for long sequences.

    slope = (A r* + F/2) / (1 - p), with r* = (1 - p) (A r* + F c(r*)/2) / (A r* + F/2), A = (H s_v^2)(H s_o^2) and
    F = (H s_1^2)(I s_2^2); the residual stream is not scaled.

    Raises:
        ValueError: a gain is not positive.
    """
    if not (attention_gain > 0 and mlp_gain > 0):
        raise ValueError(f"the gains are {attention_gain} and {mlp_gain}; expected more than 0")

    def excess(r: float) -> float:
        pairs = attention_gain * r + mlp_gain * float(branch_correlation(r)) / 2
        return (1 - dropout) * pairs - r * (attention_gain * r + mlp_gain / 2)

    # At 0 only the MLP's mean is left, which is above it; at 1 dropout keeps a share 1 - p of the covariance.
    r = 1.0 if dropout == 0 else float(root_scalar(excess, bracket=(0.0, 1.0), xtol=1e-15).root)
    return (attention_gain * r + mlp_gain / 2) / (1 - dropout), r


@dataclass(frozen=True, kw_only=True)
class Stationary:
    """Far from both ends of a network all of whose layers have the same gains."""

    r: float
    """Correlation of two tokens."""
    rg: float
    """Correlation of their gradients."""
    norm_factor: float
    """By how much the gradient's root mean square, and with it the weight-gradient norm, grows a layer towards the
    output: above 1, gradients vanish towards the input."""


def stationary(gains: Gains, setting: Setting, layers: int = 2000) -> Stationary:
    """Fixed point of a post-LN layer, forward and backward.

    Args:
        gains: of a single layer, each [1].
        setting: of the network; numbers.
        layers: how many layers lead to the fixed point.

    Raises:
        ValueError: pre-LN, whose gradient has no fixed point while the stream's variance grows.
    """
    if setting.norm != "post":
        raise ValueError("norm is pre; expected post: a pre-LN stream's variance grows, so no factor a layer is fixed")
    each = {name: np.repeat(np.asarray(getattr(gains, name), np.float64), layers) for name in Gains.__annotations__}
    found = propagate(Gains(**each), setting, var=1.0, r=0.5)
    middle = layers // 2
    return Stationary(
        r=float(found.r[middle]),
        rg=float(found.rg[middle]),
        norm_factor=float(np.sqrt(found.g[middle] / found.g[middle - 1])),
    )


def branch_share(layers: int, branch_sq: float) -> float:
    """Share of the final stream that branches have written: 1 - (1 - beta^2)^(2N), with lambda^2 = 1 - beta^2."""
    return -float(np.expm1(2 * layers * np.log1p(-branch_sq)))


def gradient_bound(layers: int, branch_sq: float, branch_gain: float) -> float:
    """exp(2 N beta^2 (B - 1)): the gradient's variance at the input over that at the top; B: the branches' own gain.

    Bounded in N if and only if N beta^2 is: beta^2 = k / N^alpha with alpha >= 1.
    """
    return float(np.exp(2 * layers * branch_sq * (branch_gain - 1)))
