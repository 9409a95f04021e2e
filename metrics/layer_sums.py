"""Sums over examples of the states of every layer, and the scatter of windows of layers that grows out of them.

A window's scatter about its own mean is the sum of its layers' scatters about theirs and of the scatter between these
means. Both are kept centred all along: a difference of large raw moments would lose what a contracting map leaves.

Dimensions: N examples, L layers, H features, C curves, J layers of a window.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

WORK_BYTES = 64 << 20  # of the stacks of matrices made at a time


@dataclass(kw_only=True)
class LayerSums:
    """Sums over examples for layers first, first + 1, ...; all float64. Made by `empty_sums`, filled by `add_states`.

    States are taken relative to the first example's, which keeps what is constant exactly constant.
    """

    first: int
    """Number of the first layer."""
    count: int
    """Examples added."""
    shift_LH: Tensor
    total_LH: Tensor
    """sum_i (x_i - shift)."""
    products_LHH: Tensor
    """sum_i (x_i - shift)(x_i - shift)^T."""
    classes_LCH: Tensor
    """sum_i w_ic (x_i - shift)."""
    weights_C: Tensor
    """sum_i w_ic."""


def empty_sums(first: int, layers: int, width: int, curves: int, device: torch.device | str = "cpu") -> LayerSums:
    """Sums of no examples: 8 * layers * width^2 bytes and a little."""

    def zeros(*shape: int) -> Tensor:
        return torch.zeros(*shape, dtype=torch.float64, device=device)

    return LayerSums(
        first=first,
        count=0,
        shift_LH=zeros(layers, width),
        total_LH=zeros(layers, width),
        products_LHH=zeros(layers, width, width),
        classes_LCH=zeros(layers, curves, width),
        weights_C=zeros(curves),
    )


def add_states(sums: LayerSums, x_LNH: Tensor, weights_NC: Tensor) -> None:
    """Add the states [L, N, H] of some examples and their shares [N, C] of the curves.

    Raises:
        ValueError: shapes that do not fit, or states that are not finite.
    """
    layers, n, width = x_LNH.shape
    if (layers, width) != tuple(sums.shift_LH.shape) or tuple(weights_NC.shape) != (n, len(sums.weights_C)):
        raise ValueError(
            f"states {tuple(x_LNH.shape)} with shares {tuple(weights_NC.shape)} do not fit sums of "
            f"{tuple(sums.shift_LH.shape)} with {len(sums.weights_C)} curves"
        )
    if n == 0:
        return
    if not torch.isfinite(x_LNH).all():
        raise ValueError("some states are not finite; leave these examples out")
    if sums.count == 0:
        sums.shift_LH.copy_(x_LNH[:, 0])
    weights = weights_NC.to(sums.weights_C)
    step = max(1, WORK_BYTES // (8 * n * width))
    for a in range(0, layers, step):
        part = slice(a, a + step)
        x = x_LNH[part].to(sums.shift_LH) - sums.shift_LH[part, None]
        sums.total_LH[part] += x.sum(1)
        sums.products_LHH[part].baddbmm_(x.transpose(1, 2), x)
        sums.classes_LCH[part] += weights.T @ x
    sums.weights_C += weights.sum(0)
    sums.count += n


def growing_scatters(sums: LayerSums, start: int, longest: int) -> Iterator[tuple[int, Tensor]]:
    """Yield (a, scatters [J, H, H] of the windows of a + 1, ..., a + J layers from layer `start`) up to `longest`."""
    mean_JH = layer_means(sums)[start - sums.first :][:longest]
    from_first = mean_JH - mean_JH[0]
    count = torch.arange(1, longest + 1, dtype=mean_JH.dtype, device=mean_JH.device)[:, None]
    # Layer j moves the window's mean away from that of j - 1 layers; the scatter gains N (j-1)/j of that move squared
    # (Chan, Golub and LeVeque).
    moves_JH = torch.zeros_like(from_first)
    moves_JH[1:] = (from_first[1:] - (from_first.cumsum(0) / count)[:-1]) * (sums.count * (1 - 1 / count[1:])).sqrt()
    step = max(1, WORK_BYTES // (8 * mean_JH.shape[1] ** 2))
    scatter = None
    for a in range(0, longest, step):
        b = min(a + step, longest)
        layer = slice(start - sums.first + a, start - sums.first + b)
        offset = sums.total_LH[layer] / sums.count**0.5  # the products are about the first example, not the mean
        left, right = torch.stack([moves_JH[a:b], -offset], dim=2), torch.stack([moves_JH[a:b], offset], dim=1)
        grown = torch.baddbmm(sums.products_LHH[layer], left, right)
        if scatter is not None:
            grown[0] += scatter
        for before, after in pairwise(grown.unbind()):  # several times as fast as cumsum over the first dimension
            after += before
        scatter = grown[-1].clone()
        yield a, grown


def layer_means(sums: LayerSums) -> Tensor:
    """Mean state of every layer, [L, H]."""
    return sums.shift_LH + sums.total_LH / sums.count
