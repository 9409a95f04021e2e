"""Moments of activations, attention and whole blocks with random weights, in closed form (tasks/deepscale/README.md 1).

Inputs, gradients and what comes back are those of `component_moments`; the input's mean is 0 here. Attention and blocks
are leading orders in 1/d and 1/L; ReLU and GeLU alone are exact.

Letters: d width, I width inside the feed-forward block, dk width of a head, L tokens, p dropout, r and r_g correlation
of two tokens and of their gradients.
"""

import numpy as np
from numpy.typing import ArrayLike

from metrics.activation_moments import MOMENTS, Activation
from metrics.attention_moments import attention_moments, published_attention_moments
from metrics.component_moments import Moments, arrays, broadcast, check


def activation(sigma_x: ArrayLike, r: ArrayLike, sigma_g: ArrayLike, r_g: ArrayLike, *, kind: Activation) -> Moments:
    """ReLU or GeLU of a centred Gaussian; exact."""
    sigma_x, r, sigma_g, r_g = arrays(sigma_x, r, sigma_g, r_g)
    check(r=r, r_g=r_g)
    found = MOMENTS[kind](sigma_x, r)
    back = sigma_g**2
    cov = np.where(r == 0, 0.0, found.cov)  # a difference of equal numbers there, which rounding would leave
    return broadcast(found.mean, found.var, cov, back * found.slope_second, back * r_g * found.slope_cross)


def attention(
    sigma_x: ArrayLike, r: ArrayLike, sigma_v: ArrayLike, sigma_qk: ArrayLike, p: ArrayLike, sigma_g: ArrayLike,
    r_g: ArrayLike, d: ArrayLike, dk: ArrayLike, L: ArrayLike, *, published: bool,
) -> Moments:  # fmt: skip
    """One head of attention: dropout(softmax(Q K^T / sqrt(dk))) V, no output projection.

    Args:
        sigma_x: spread of the tokens.
        r: their correlation.
        sigma_v: standard deviation of the entries of the value matrix, times sqrt(d).
        sigma_qk: the same of query and key.
        p: dropout of the probabilities.
        sigma_g: spread of the gradient of the head's output.
        r_g: its correlation.
        d: width of the tokens.
        dk: width of the head.
        L: number of tokens.
        published: the published forms, which leave out the gradient's way through Q and K.
    """
    sigma_x, r, sigma_v, sigma_qk, p, sigma_g, r_g, d, dk, L = arrays(
        sigma_x, r, sigma_v, sigma_qk, p, sigma_g, r_g, d, dk, L
    )
    check(r=r, r_g=r_g, p=p, d=d, dk=dk, L=L)
    brackets = published_attention_moments if published else attention_moments
    of = brackets(r, r_g, T=(sigma_x * sigma_qk) ** 4, p=p, d=d, L=L)
    forward, back = (sigma_v * sigma_x) ** 2, dk / d * (sigma_v * sigma_g) ** 2
    return broadcast(0, forward * of.var, forward * of.cov, back * of.g_var, back * of.g_cov)


def attention_block(
    sigma_x: ArrayLike, r: ArrayLike, sigma_v: ArrayLike, sigma_o: ArrayLike, sigma_qk: ArrayLike, p: ArrayLike,
    sigma_g: ArrayLike, r_g: ArrayLike, d: ArrayLike, L: ArrayLike, *, published: bool,
) -> Moments:  # fmt: skip
    """All heads (together as wide as the tokens), the output projection and dropout.

    Spreads are times sqrt(d), sigma_o that of the output projection. p is the dropout of probabilities and of output.
    """
    sigma_x, r, sigma_v, sigma_o, sigma_qk, p, sigma_g, r_g, d, L = arrays(
        sigma_x, r, sigma_v, sigma_o, sigma_qk, p, sigma_g, r_g, d, L
    )
    check(r=r, r_g=r_g, p=p, d=d, L=L)
    brackets = published_attention_moments if published else attention_moments
    # Dropout makes the gradient's variance 1/(1 - p) of what it was and leaves its covariance alone.
    of = brackets(r, r_g * (1 - p), T=(sigma_x * sigma_qk) ** 4, p=p, d=d, L=L)
    gain = (sigma_v * sigma_o) ** 2
    forward, back = gain * sigma_x**2, gain * sigma_g**2 / (1 - p)
    return broadcast(0, forward * of.var / (1 - p), forward * of.cov, back * of.g_var, back * of.g_cov)


def ffn_block(
    sigma_x: ArrayLike, r: ArrayLike, sigma_up: ArrayLike, sigma_down: ArrayLike, p: ArrayLike, sigma_g: ArrayLike,
    r_g: ArrayLike, d: ArrayLike, I: ArrayLike, *, kind: Activation,  # noqa: E741
) -> Moments:  # fmt: skip
    """dropout(act(x W_up) W_down) from d to I to d features, with either activation.

    Args:
        sigma_x: spread of the tokens.
        r: their correlation.
        sigma_up: standard deviation of the entries of W_up, times sqrt(d).
        sigma_down: of W_down, times sqrt(I).
        p: dropout of the output.
        sigma_g: spread of the gradient of the output.
        r_g: its correlation.
        d: width of the tokens.
        I: width inside.
        kind: the activation.
    """
    sigma_x, r, sigma_up, sigma_down, p, sigma_g, r_g, d, I = arrays(  # noqa: E741
        sigma_x, r, sigma_up, sigma_down, p, sigma_g, r_g, d, I
    )
    check(r=r, r_g=r_g, p=p, d=d, I=I)
    inner = MOMENTS[kind](sigma_up * sigma_x, r)
    back = (sigma_up * sigma_down * sigma_g) ** 2  # I s_up^2 d s_down^2 sigma_g^2
    return broadcast(
        0,
        sigma_down**2 * inner.second / (1 - p),
        sigma_down**2 * inner.cross,
        back * inner.slope_second / (1 - p),
        back * r_g * inner.slope_cross,
    )


def residual(
    sigma_x: ArrayLike, r: ArrayLike, sigma_g: ArrayLike, r_g: ArrayLike, skip: ArrayLike, branch: ArrayLike,
    of: Moments,
) -> Moments:  # fmt: skip
    """skip x + branch f(x), where f has the moments `of` for these x and gradients, and ends in random weights.

    Such a branch is uncorrelated with x, forward and backward, so the moments add.
    """
    sigma_x, r, sigma_g, r_g, skip, branch = arrays(sigma_x, r, sigma_g, r_g, skip, branch)
    check(r=r, r_g=r_g)
    l2, b2 = skip**2, branch**2
    stream, back = l2 * sigma_x**2, l2 * sigma_g**2
    return broadcast(
        branch * of.mean, stream + b2 * of.var, stream * r + b2 * of.cov, back + b2 * of.g_var,
        back * r_g + b2 * of.g_cov,
    )  # fmt: skip
