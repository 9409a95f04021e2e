"""Growth by finite differences of two copies: the published way, kept as `legacy`.

A copy starts at h + eps d, both run on, and after every window of tau layers the growth ln(||d'|| / eps) / tau is read
and the copy is set back to distance eps along d'. With the published eps = 1 the distance saturates at the attractor's
size; in float32 an eps below 1e-2 measures rounding. `models.tangents` has neither limit.

Dimensions: B batch, T tokens, H hidden, W windows, t layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.iteration import Layer, Observer


@dataclass(frozen=True)
class Differences:
    """What a run of two copies gives."""

    growth_WB: Tensor
    """Nats per layer, window by window; layers after the last whole window are dropped."""
    distances_tB: Tensor
    """||h' - h|| (Frobenius, over tokens and hidden) after every layer, before the copy is set back."""


def perturbed(h_BTH: Tensor, d_BTH: Tensor, eps: float) -> Tensor:
    """h + eps d/||d||: the copy at distance eps of every sentence; a zero d gives NaN, the direction being unknown.

    Raises:
        ValueError: eps is not positive.
    """
    if not eps > 0:
        raise ValueError(f"eps is {eps}; give a distance above 0")
    return h_BTH + eps * d_BTH / distance(d_BTH)[:, None, None]


def distance(d_BTH: Tensor) -> Tensor:
    """||d|| [B] over tokens and hidden."""
    return torch.linalg.vector_norm(d_BTH, dim=(1, 2))


@torch.no_grad()
def finite_differences(
    layer: Layer,
    h_BTH: Tensor,
    direction_BTH: Tensor,
    *,
    eps: float,
    tau: int,
    steps: int,
    mask: Tensor | None = None,
    observers: Sequence[Observer] = (),
) -> Differences:
    """Windowed growth of one perturbed copy from h_0, the published `calc_lle` where `mask` is None.

    The direction is normalised first. Observers see the base alone, h_0 first (the published record mixes the copies
    in); it is bit by bit what `iterate` gives. A copy that merges with the base grows by -inf and is NaN from there on:
    its direction is lost.

    Raises:
        ValueError: eps or tau not positive, or fewer steps than one window.
    """
    if not 1 <= tau <= steps:
        raise ValueError(f"tau is {tau} for {steps} layers; give 1 to {steps}")
    base, copy = h_BTH, perturbed(h_BTH, direction_BTH, eps)
    distances, growth = [], []
    for observe in observers:
        observe(0, base)
    for t in range(1, steps // tau * tau + 1):
        base, copy = layer(base, mask), layer(copy, mask)
        apart = distance(copy - base)
        distances.append(apart)
        for observe in observers:
            observe(t, base)
        if t % tau == 0:
            growth.append((apart / eps).log() / tau)
            copy = perturbed(base, copy - base, eps)
    return Differences(torch.stack(growth), torch.stack(distances))
