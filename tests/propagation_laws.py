"""What the recursion of `metrics.propagation` comes to: slopes and fixed points of a layer.

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
    """

    def excess(r: float) -> float:
        pairs = attention_gain * r + mlp_gain * float(branch_correlation(r)) / 2
        return (1 - dropout) * pairs - r * (attention_gain * r + mlp_gain / 2)

    # At 0 only the MLP's mean is left, which is above it; at 1 dropout keeps a share 1 - p of the covariance.
    r = 1.0 if dropout == 0 else float(root_scalar(excess, bracket=(0.0, 1.0), xtol=1e-15).root)
    return (attention_gain * r + mlp_gain / 2) / (1 - dropout), r


@dataclass(frozen=True, kw_only=True)
class Stationary:
    """Moments far from both ends of a network all of whose layers have the same gains."""

    r: float
    """Correlation of two tokens."""
    rg: float
    """Correlation of their gradients."""
    norm_factor: float
    """By how much the gradient's root mean square, and with it the weight-gradient norm, grows a layer towards the
    output: above 1, gradients vanish towards the input."""


def stationary(gains: Gains, setting: Setting, layers: int = 2000) -> Stationary:
    """Fixed point of a post-LN layer, forward and backward; `gains` are those of a single layer, each [1]."""
    each = {name: np.repeat(np.asarray(getattr(gains, name), np.float64), layers) for name in Gains.__annotations__}
    found = propagate(Gains(**each), setting, var=1.0, r=0.5)
    middle = layers // 2
    return Stationary(
        r=float(found.r[middle]),
        rg=float(found.rg[middle]),
        norm_factor=float(np.sqrt(found.g[middle] / found.g[middle - 1])),
    )
