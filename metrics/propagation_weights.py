"""Norms of single matrices' gradients, from the stream's moments and those within a branch.

Letters as in `metrics.propagation`.
"""

import numpy as np
from numpy.typing import ArrayLike

from metrics.activation_moments import MOMENTS, Array
from metrics.attention_moments import attention_moments
from metrics.propagation import Gains, Propagation, Setting, on_grid

MATRICES = ("out", "up", "down")
"""The attention's output matrix and both MLP matrices. What comes into the values, queries and keys goes through the
softmax's gradient, of which the theory has only the sum."""


def matrix_norms(gains: Gains, setting: Setting, found: Propagation, intermediate: ArrayLike) -> dict[str, Array]:
    """For each of `MATRICES` [N, G]: L2 norm of its gradient, divided by the square root of the batch's tokens.

    The gradient of y = x W is the sum over tokens of x_t' dy_t. With x and dy independent, its squared norm is, a
    token, (rows) (columns) [E x^2 E dy^2 + (L - 1) E x x' E dy dy']. Tokens of different sequences
    are taken to be independent.

    Args:
        gains: as given to `propagate`.
        setting: likewise.
        found: what it returned.
        intermediate: I.
    """
    grid, n_steps = found.steps_var.shape[1:], len(found.steps_var)
    values, T, up, down = (on_grid(x, grid) for x in (gains.values, gains.scores, gains.up, gains.down))
    L, H, I, b2 = (np.asarray(x, np.float64) for x in (setting.tokens, setting.width, intermediate, setting.branch_sq))  # noqa: E741
    into_attention, into_mlp = found.steps_r[0 : n_steps - 1 : 2], found.steps_r[1:n_steps:2]
    head = attention_moments(into_attention, 0.0, T=T, p=setting.attention_dropout, d=H, L=L)
    f = MOMENTS[setting.activation](np.sqrt(up), into_mlp)
    keep = 1 - np.asarray(setting.dropout)

    def behind(first: int) -> tuple[Array, Array]:
        """Second and cross moment of the gradient at the end of a branch, before its dropout."""
        g, rg = found.steps_g[first::2], found.steps_rg[first::2]
        return b2 * g / keep, b2 * g * rg

    def norm(size: Array, x: tuple[Array | float, Array], dy: tuple[Array, Array]) -> Array:
        return np.sqrt(np.maximum(size * (x[0] * dy[0] + (L - 1) * x[1] * dy[1]), 0))

    end, back = behind(2), down * H / I  # H s_2^2 is what a step back through the down matrix multiplies by
    argument = (back * end[0] * f.slope_second, back * end[1] * f.slope_cross)
    return {
        "out": norm(H * H, (values * head.var, values * head.cov), behind(1)),
        "up": norm(H * I, (1.0, into_mlp), argument),
        "down": norm(I * H, (f.second, f.cross), end),
    }
