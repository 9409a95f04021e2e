"""Moments of the residual stream through a whole transformer, forward and backward (tasks/deepscale/README.md 2).

The stream has the variance V and the correlation r of two tokens; its gradient has the variance g and the correlation
r_g. Each layer is two residual steps, attention and MLP: x <- lambda skip + beta Dropout(f(LN(x))). The skip connection
is x (`pre`) or LN(x) (`post`), and a branch f of random weights turns the correlation at its input into the variance
and the covariance of its output. Backward the steps map (g, g r_g) linearly, with coefficients that the forward pass
has set. Initial weights are independent with mean 0, biases are 0, gains 1; LayerNorm's epsilon and terms of order 1/H
of its gradient are left out.

Everything is NumPy float64. Networks of equal depth go through together: arrays are [N, ...] or [N + 1, ...] with
axes G of a grid behind, which broadcast.

Letters: N layers, G grid, H width, I feed-forward width, L tokens of a sequence.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from metrics.activation_moments import MOMENTS, Activation, ActivationMoments, Array
from metrics.attention_moments import attention_moments, published_attention_moments
from metrics.dslm import Norm


@dataclass(frozen=True, kw_only=True)
class Gains:
    """What each layer's weights do to variances, [N, G]; s are standard deviations of the entries."""

    values: ArrayLike
    """H s_v^2."""
    out: ArrayLike
    """H s_o^2, of the attention's output matrix."""
    scores: ArrayLike
    """T = (H s_q^2)(H s_k^2): the variance of a score of independent tokens."""
    up: ArrayLike
    """H s_1^2: the variance of the activation's argument."""
    down: ArrayLike
    """I s_2^2."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The rest of a network, and its sequences. Numbers, or arrays [G]."""

    norm: Norm
    tokens: ArrayLike
    """L. Where sequences differ in length: the mean over tokens of how many tokens their sequence has."""
    width: ArrayLike
    """H."""
    dropout: ArrayLike = 0.1
    """p, of the branches."""
    attention_dropout: ArrayLike = 0.1
    skip_sq: ArrayLike = 1.0
    """lambda^2."""
    branch_sq: ArrayLike = 1.0
    """beta^2."""
    activation: Activation = "relu"

    def __post_init__(self):
        if self.norm not in ("pre", "post"):
            raise ValueError(f"norm is {self.norm!r}; choose pre or post")
        if self.activation not in MOMENTS:
            raise ValueError(f"activation is {self.activation!r}; choose {' or '.join(MOMENTS)}")
        for name in ("dropout", "attention_dropout"):
            value = np.asarray(getattr(self, name))
            if not ((value >= 0) & (value < 1)).all():
                raise ValueError(f"{name} is {getattr(self, name)}; expected shares, 0 or more and below 1")
        for name, least in (("tokens", 1), ("width", 1), ("skip_sq", 0), ("branch_sq", 0)):
            if not (np.asarray(getattr(self, name)) >= least).all():
                raise ValueError(f"{name} is {getattr(self, name)}; expected {least} or more")


@dataclass(frozen=True, kw_only=True)
class Propagation:
    """States between all residual steps, [2N + 1, G]: 0 the embeddings, 2n behind layer n, odd ones inside a layer."""

    steps_var: Array
    steps_r: Array
    steps_g: Array
    """Variance of the gradient."""
    steps_rg: Array
    tokens: ArrayLike
    """L, as given."""

    @property
    def var(self) -> Array:
        """[N + 1, G]: behind each layer, as are `r`, `g` and `rg`."""
        return self.steps_var[::2]

    @property
    def r(self) -> Array:
        return self.steps_r[::2]

    @property
    def g(self) -> Array:
        return self.steps_g[::2]

    @property
    def rg(self) -> Array:
        return self.steps_rg[::2]

    @property
    def weight_profile(self) -> Array:
        """[N, G]: norm of all weight gradients of a layer, relative to the last layer's.

        sqrt(g_n [1 + (L - 1) r_n r_g,n]): a weight's gradient adds up over tokens, and is as coherent as the stream
        and its gradient are. Matches measurements to a few percent but in the first layers of pre-LN Xavier.
        """
        L = np.asarray(self.tokens, np.float64)
        norm = np.sqrt(np.maximum(self.g[1:] * (1 + (L - 1) * self.r[1:] * self.rg[1:]), 0))
        return norm / norm[-1]


def propagate(
    gains: Gains,
    setting: Setting,
    *,
    var: ArrayLike,
    r: ArrayLike,
    top_g: ArrayLike = 1.0,
    top_rg: ArrayLike = 0.0,
    published: bool = False,
) -> Propagation:
    """Send moments through the network.

    Args:
        gains: of every layer.
        setting: the rest.
        var: [G], variance of the embeddings V_0, behind dropout.
        r: [G], their correlation r_0, behind dropout.
        top_g: [G], variance of the gradient that comes into the last layer from above.
        top_rg: [G], its correlation.
        published: the published code's formulas of the attention's gradient, which leave out its way through queries
            and keys; forward it is the same.

    Raises:
        ValueError: V_0 is not positive, or a correlation outside [-1, 1].
    """
    if not (np.asarray(var) > 0).all():
        raise ValueError(f"the variance of the embeddings is {var}; expected more than 0")
    for name, value in (("of two tokens", r), ("of the gradient", top_rg)):
        if not (np.abs(value) <= 1).all():
            raise ValueError(f"the correlation {name} is {value}; expected a value in [-1, 1]")
    layers = _Layers(gains, setting, var, r, top_g, top_rg)
    steps_var, steps_r = layers.forward(var, r)
    steps_g, steps_c = layers.backward(steps_var, steps_r, top_g, top_rg, published)
    return Propagation(
        steps_var=steps_var,
        steps_r=steps_r,
        steps_g=steps_g,
        steps_rg=steps_c / steps_g,
        tokens=setting.tokens,
    )


def on_grid(gain: ArrayLike, grid: tuple[int, ...]) -> Array:
    """A gain [N] or [N, G] as [N, *grid]; its own axes behind the layers' fit the grid's from the right."""
    gain = np.asarray(gain, np.float64)
    missing = (1,) * (len(grid) + 1 - gain.ndim)
    return np.broadcast_to(gain.reshape(len(gain), *missing, *gain.shape[1:]), (len(gain), *grid))


class _Layers:
    """Gains and setting with all grid axes."""

    def __init__(self, gains: Gains, setting: Setting, *more: ArrayLike):
        given = [np.asarray(x, np.float64) for x in (gains.values, gains.out, gains.scores, gains.up, gains.down)]
        behind = (setting.tokens, setting.width, setting.dropout, setting.attention_dropout)
        grid = np.broadcast_shapes(
            *(x.shape[1:] for x in given),
            *(np.shape(x) for x in (*behind, setting.skip_sq, setting.branch_sq, *more)),
        )
        self.values, self.out, self.T, self.up, self.down = (on_grid(x, grid) for x in given)
        self.L, self.H, self.p, self.p_a = (np.asarray(x, np.float64) for x in behind)
        self.l2, self.b2 = np.asarray(setting.skip_sq, np.float64), np.asarray(setting.branch_sq, np.float64)
        self.grid, self.N, self.post = grid, len(given[0]), setting.norm == "post"
        self.activation: Activation = setting.activation

    def moments(self, r: Array, rows: int | slice) -> ActivationMoments:
        return MOMENTS[self.activation](np.sqrt(self.up[rows]), r)

    def attention(self, r: Array, r_g: ArrayLike, rows: int | slice, published: bool = False):
        form = published_attention_moments if published else attention_moments
        return form(r, r_g, T=self.T[rows], p=self.p_a, d=self.H, L=self.L)

    def forward(self, var: ArrayLike, r: ArrayLike) -> tuple[Array, Array]:
        """V and r [2N + 1, G]; one layer after another, since each correlation shapes the next branch."""
        V, C = np.broadcast_to(var, self.grid), np.broadcast_to(np.multiply(var, r), self.grid)
        steps_var, steps_r = (np.empty((2 * self.N + 1, *self.grid)) for _ in range(2))
        steps_var[0], steps_r[0] = V, C / V
        gain = self.values * self.out
        for step in range(2 * self.N):
            now, layer = steps_r[step], step // 2
            if step % 2:
                f = self.moments(now, layer)
                branch, pair = self.down[layer] * f.second, self.down[layer] * f.cross
            else:
                head = self.attention(now, 0.0, layer)
                branch, pair = gain[layer] * head.var, gain[layer] * head.cov
            if self.post:
                V, C = np.ones(self.grid), now
            V, C = self.l2 * V + self.b2 * branch / (1 - self.p), self.l2 * C + self.b2 * pair
            # Rounding may put a correlation of 1 just above it, and what leading orders predict may pass it.
            steps_var[step + 1], steps_r[step + 1] = V, np.clip(C / V, -1, 1)
        return steps_var, steps_r

    def backward(
        self, steps_var: Array, steps_r: Array, top_g: ArrayLike, top_rg: ArrayLike, published: bool
    ) -> tuple[Array, Array]:
        """g and g r_g [2N + 1, G].

        A branch's gradient is linear in the variance and the covariance that come into it, so its four coefficients
        are worked out for all layers at once; what is left to the loop is a product of 2 x 2 matrices.
        """
        full = (self.N, *self.grid)
        even, odd = slice(0, 2 * self.N, 2), slice(1, 2 * self.N, 2)
        own, cross, own_c, cross_c = (np.zeros((2 * self.N, *self.grid)) for _ in range(4))
        gain, keep = self.values * self.out, 1 - self.p
        none, one = (self.attention(steps_r[even], r_g, slice(None), published) for r_g in (0.0, 1.0))
        # Dropout behind the branch: the variance grows by 1 / (1 - p) and the covariance stays.
        own[even], cross[even] = gain * none.g_var / keep, gain * (one.g_var - none.g_var)
        own_c[even], cross_c[even] = gain * none.g_cov / keep, gain * (one.g_cov - none.g_cov)
        f, gain = self.moments(steps_r[odd], slice(None)), self.up * self.down
        own[odd] = np.broadcast_to(gain * f.slope_second / keep, full)
        cross_c[odd] = np.broadcast_to(gain * f.slope_cross, full)
        V_in = steps_var[:-1]
        skip = self.l2 / V_in if self.post else np.broadcast_to(self.l2, V_in.shape)
        own, cross_c = skip + self.b2 * own / V_in, skip + self.b2 * cross_c / V_in
        cross, own_c = self.b2 * cross / V_in, self.b2 * own_c / V_in
        steps_g, steps_c = np.empty_like(steps_var), np.empty_like(steps_var)
        g, c = np.broadcast_to(top_g, self.grid), np.broadcast_to(np.multiply(top_g, top_rg), self.grid)
        steps_g[-1], steps_c[-1] = g, c
        for step in range(2 * self.N - 1, -1, -1):
            g, c = own[step] * g + cross[step] * c, own_c[step] * g + cross_c[step] * c
            steps_g[step], steps_c[step] = g, c
        return steps_g, steps_c
