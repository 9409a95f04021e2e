"""The components as operations that give their output and the way back of a gradient.

An operation takes x and returns y with a function from the gradient of y to that of x: the exact transposed products,
without a graph. Tests hold them equal to autograd.

Dimensions: G grid points, B trials, T tokens, D features, A heads, K width of a head.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Back = Callable[[Tensor], Tensor]
Operation = Callable[[Tensor], tuple[Tensor, Back]]

EPS = 1e-5  # of LayerNorm, as published


def linear(weight: Tensor) -> Operation:
    """x [.., D] times weight [.., D, D']."""

    def run(x: Tensor) -> tuple[Tensor, Back]:
        return x @ weight, lambda g: g @ weight.mT

    return run


def relu(x: Tensor) -> tuple[Tensor, Back]:
    """max(x, 0)."""
    return x.clamp_min(0), lambda g: g * (x > 0)


def gelu(x: Tensor) -> tuple[Tensor, Back]:
    """x Phi(x), the exact form."""
    below = torch.special.ndtr(x)
    return x * below, lambda g: g * (below + x * torch.exp(-x * x / 2) / math.sqrt(2 * math.pi))


def layernorm(x: Tensor) -> tuple[Tensor, Back]:
    """LayerNorm over features, without gain and bias."""
    centred = x - x.mean(-1, keepdim=True)
    scale = (centred.square().mean(-1, keepdim=True) + EPS).rsqrt()
    y = centred * scale

    def back(g: Tensor) -> Tensor:
        return scale * (g - g.mean(-1, keepdim=True) - y * (g * y).mean(-1, keepdim=True))

    return y, back


def times(mask: Tensor | None) -> Operation:
    """Elementwise, by a mask of dropout (0 or 1/(1 - p)); None: nothing is dropped."""

    if mask is None:
        return lambda x: (x, lambda g: g)
    return lambda x: (x * mask, lambda g: g * mask)


def softmax(x: Tensor, axis: int = 2) -> tuple[Tensor, Back]:
    """Softmax over tokens."""
    y = x.softmax(axis)

    def back(g: Tensor) -> Tensor:
        gy = g * y
        return gy - y * gy.sum(axis, keepdim=True)

    return y, back


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, heads: int = 1) -> Operation:
    """dropout(softmax(Q K^T / sqrt(K))) V of all heads side by side, no output projection.

    Weights are [G, B or 1, D, A K]; the mask is [G, B, A, T, T], of the probabilities.
    """

    def run(x_GBTD: Tensor) -> tuple[Tensor, Back]:
        q, k, v = (_split(x_GBTD @ weight, heads) for weight in (query, key, value))  # [G, B, A, T, K]
        scale = q.shape[-1] ** -0.5
        probabilities = ((q * scale) @ k.mT).softmax(-1)
        dropped = probabilities if mask is None else probabilities * mask

        def back(g_GBTD: Tensor) -> Tensor:
            g = _split(g_GBTD, heads)
            at_value = dropped.mT @ g
            at_probabilities = g @ v.mT
            if mask is not None:
                at_probabilities *= mask
            at_scores = probabilities * (at_probabilities - (at_probabilities * probabilities).sum(-1, keepdim=True))
            at_scores *= scale
            sides = ((at_scores @ k, query), (at_scores.mT @ q, key), (at_value, value))
            first, *others = (_join(side) @ weight.mT for side, weight in sides)
            for other in others:
                first += other
            return first

        return _join(dropped @ v), back

    return run


def chain(*operations: Operation) -> Operation:
    """Operations one after another."""

    def run(x: Tensor) -> tuple[Tensor, Back]:
        backs = []
        for operation in operations:
            x, back = operation(x)
            backs.append(back)

        def through(g: Tensor) -> Tensor:
            for back in reversed(backs):
                g = back(g)
            return g

        return x, through

    return run


def residual(skip: float | Tensor, branch: float | Tensor, operation: Operation) -> Operation:
    """skip x + branch f(x)."""

    def run(x: Tensor) -> tuple[Tensor, Back]:
        y, back = operation(x)
        return skip * x + branch * y, lambda g: skip * g + branch * back(g)

    return run


def _split(x_GBTD: Tensor, heads: int) -> Tensor:
    """[G, B, T, A K] to [G, B, A, T, K]."""
    return x_GBTD.unflatten(-1, (heads, -1)).transpose(2, 3)


def _join(x_GBATK: Tensor) -> Tensor:
    """[G, B, A, T, K] to [G, B, T, A K]."""
    return x_GBATK.transpose(2, 3).flatten(3)
