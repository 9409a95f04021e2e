"""What becomes of the correlation of two tokens in ReLU and in a feed-forward block, and the published polynomials.

Arrays in and out have one shape; r is the correlation that goes in, in [0, 1].
"""

import numpy as np
from numpy.typing import ArrayLike

from metrics.activation_moments import Array, relu_moments
from metrics.dslm import branch_correlation


def relu_correlation(r: ArrayLike) -> Array:
    """Correlation after ReLU."""
    found = relu_moments(1.0, r)
    return found.cov / found.var


def relu_polynomial(r: ArrayLike) -> Array:
    """The published approximation of `relu_correlation`: at most 0.0061 away."""
    r = np.asarray(r, dtype=np.float64)
    return 0.7 * r + 0.3 * r**2


def ffn_correlation(r: ArrayLike) -> Array:
    """Correlation after linear, ReLU, linear, before dropout: the uncentred one of ReLU, c(r)."""
    return branch_correlation(r)


def ffn_polynomial(r: ArrayLike) -> Array:
    """The published approximation of `ffn_correlation`: at most 0.0076 too high."""
    r = np.asarray(r, dtype=np.float64)
    return 1 / np.pi + r / 2 + (0.5 - 1 / np.pi) * r**2
