"""The numbers that DeepScaleLM draws weights by, from depth, dropout and the data's statistics.

DeepScaleLM (Kedia et al., ICML 2024) makes every residual step x <- lambda x + beta f(x), lambda^2 + beta^2 = 1, and
draws weights such that each branch f gives variance 1 at initialisation: then so has the stream, at any depth. The
attention branch averages values over tokens, so its variance depends on the correlation r of two tokens at its input,
which grows with depth; the values' and outputs' standard deviations therefore differ by layer
(tasks/deepscale/README.md 3).

NumPy float64; variances are of one element, correlations of two different tokens' same feature.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import root_scalar

from metrics.activation_moments import MOMENTS, Activation, Array

PUBLISHED_CORRELATION = 0.221
"""Correlation of two tokens' embeddings without dropout in the published code: three tables, Wikipedia."""

Norm = Literal["pre", "post"]


def embedding_correlation(same_token: float, same_segment: float = 2 / 3, tables: int = 3) -> float:
    """Correlation of two tokens of a sequence where embeddings are sums of `tables` tables of equal variance.

    (1/tables) [P(same token) + P(same segment)]: positions always differ. With P(same token) from Zipf's law
    and a uniform cut into two segments (2/3) it is 0.227; the published constant is 0.221. Without token types there
    are two tables and no segments.

    Raises:
        ValueError: a probability outside [0, 1], or another number of tables than 2 or 3.
    """
    if not 0 <= same_token <= 1 or not 0 <= same_segment <= 1:
        raise ValueError(f"P(same token) is {same_token} and P(same segment) {same_segment}; expected probabilities")
    if tables not in (2, 3):
        raise ValueError(f"tables is {tables}; expected 3 (token, position, type) or 2 (token, position)")
    return (same_token + (same_segment if tables == 3 else 0.0)) / tables


def depth_scaling(layers: int, k: float, alpha: float) -> tuple[float, float]:
    """(lambda^2, beta^2) of N layers: beta^2 = k / N^alpha, lambda^2 = 1 - beta^2.

    Raises:
        ValueError: beta^2 is not between 0 and 1.
    """
    branch_sq = k / layers**alpha
    if not 0 < branch_sq < 1:
        raise ValueError(
            f"beta^2 = {k:g} / {layers}^{alpha:g} = {branch_sq:g}; expected a value between 0 and 1: "
            "give a smaller k, or more layers"
        )
    return 1 - branch_sq, branch_sq


def branch_share(layers: int, branch_sq: float) -> float:
    """Share of the final stream that branches have written: 1 - (1 - beta^2)^(2N), with lambda^2 = 1 - beta^2."""
    return -float(np.expm1(2 * layers * np.log1p(-branch_sq)))


def branch_correlation(r: ArrayLike, activation: Activation = "relu", input_var: float = 1.0) -> Array:
    """Correlation of the MLP's output (before dropout) where its input's is r: c(r) = E[f f'] / E[f^2].

    Args:
        r: correlation of two tokens at the MLP's input.
        activation: of the MLP. For `relu`, c(r) = (1/2 + asin(r)/pi) r + sqrt(1 - r^2)/pi whatever the variance.
        input_var: variance of the activation's argument.
    """
    moments = MOMENTS[activation](np.sqrt(input_var), r)
    return moments.cross / moments.second


def mlp_spread(width: int, intermediate: int, dropout: float, activation: Activation = "relu") -> float:
    """Standard deviation of both MLP matrices that gives its branch variance 1 behind dropout.

    I s^2 E[f(sqrt(H s^2) z)^2] / (1 - p) = 1. For ReLU s^4 = 2 (1 - p) / (H I), which is sqrt((1-p)/2)/H where I = 4H.
    """
    if activation == "relu":
        return (2 * (1 - dropout) / (width * intermediate)) ** 0.25

    def excess(log_s: float) -> float:
        s = np.exp(log_s)
        second = MOMENTS[activation](s * np.sqrt(width), 0.0).second
        return float(np.log(intermediate * s**2 * second / (1 - dropout)))

    return float(np.exp(root_scalar(excess, bracket=(-20.0, 5.0), xtol=1e-14).root))


@dataclass(frozen=True, kw_only=True)
class ValueSpreads:
    """What `value_spreads` finds."""

    spreads: NDArray[np.float64]
    """[L]: standard deviation of the value and the attention output matrices of each layer."""
    correlations: NDArray[np.float64]
    """[L + 1]: correlation of two tokens at the input of each layer, and behind the last."""


def value_spreads(
    layers: int,
    width: int,
    dropout: float,
    skip_sq: float = 1.0,
    branch_sq: float = 1.0,
    correlation: float = PUBLISHED_CORRELATION,
    norm: Norm = "pre",
    activation: Activation = "relu",
    mlp_input_var: float = 1.0,
) -> ValueSpreads:
    """Layer by layer the standard deviation s_l = sqrt(sqrt((1-p)/r_l)/H) of values and attention outputs.

    It gives the attention branch the variance (H s^2)^2 r / (1-p) = 1 for long sequences. Correlations go through the
    residual steps with variance V, begun with V = 1 and r = (1-p) `correlation`:
    attention: r <- (l2 r V + b2 (1-p)) / (l2 V + b2); MLP: r <- (l2 r V + b2 (1-p) c(r)) / (l2 V + b2), where c is
    `branch_correlation`; V <- l2 V + b2 after each.

    Args:
        layers: L.
        width: H.
        dropout: p, of embeddings and branches.
        skip_sq: lambda^2 (l2).
        branch_sq: beta^2 (b2).
        correlation: of two tokens' embeddings before dropout, `embedding_correlation` of the data.
        norm: `post`: the skip connection starts at the LayerNorm's output, so V is 1 there. The published code does not
            take that into account, which matters only where lambda^2 + beta^2 is not 1 (tasks/deepscale/README.md 3).
        activation: of the MLP.
        mlp_input_var: variance of its argument, H s^2 with s of `mlp_spread`; ReLU does not depend on it.

    Raises:
        ValueError: a correlation outside (0, 1].
    """
    if not 0 < correlation <= 1:
        raise ValueError(f"the correlation of embeddings is {correlation}; expected a value above 0, at most 1")
    keep = 1 - dropout
    r, var, spreads, correlations = correlation * keep, 1.0, [], []
    for _ in range(layers):
        spreads.append(np.sqrt(np.sqrt(keep / r) / width))
        correlations.append(r)
        for part in ("attention", "mlp"):
            base = 1.0 if norm == "post" else var
            branch = keep * (float(branch_correlation(r, activation, mlp_input_var)) if part == "mlp" else 1.0)
            var = skip_sq * base + branch_sq
            r = (skip_sq * r * base + branch_sq * branch) / var
    return ValueSpreads(spreads=np.array(spreads), correlations=np.array([*correlations, r]))
