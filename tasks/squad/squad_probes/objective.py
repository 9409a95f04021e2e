"""The convex problem of a converged probe: mean cross entropy of a head over windows + lambda/2 |w|^2 (squad_probes 5).

All strengths of L2 and both heads of a level are one product with its states, forth and back. Windows are taken in
blocks, so that logits stay small; losses and gradients are summed in float64.

Dimensions: N windows, P positions of all of them, H hidden, G = strengths of L2 x 2 heads.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tasks.squad.squad_probes.lbfgs import Objective
from tasks.squad.squad_probes.probes import Layout, losses_and_gradients, make_layout

BLOCK_LOGITS = 1 << 20  # of one block, padded: 4 MB, which caches hold


@dataclass(frozen=True, kw_only=True)
class Block:
    """Some windows that follow each other."""

    rows: slice
    layout: Layout
    target: Tensor
    """int64 [2, B]."""


def make_blocks(
    counts: np.ndarray, target_2N: np.ndarray, heads: int, device: torch.device | str, logits: int = BLOCK_LOGITS
) -> list[Block]:
    """Cut windows of so many positions [N] each into blocks of at most so many logits (or one window) for G `heads`."""
    blocks, low, first = [], 0, 0
    while low < len(counts):
        padded = np.maximum.accumulate(counts[low:]) * np.arange(1, len(counts) - low + 1)
        size = max(1, int(np.searchsorted(padded, logits // heads, side="right")))
        own = counts[low : low + size]
        blocks.append(
            Block(
                rows=slice(first, first + int(own.sum())),
                layout=make_layout(own, device),
                target=torch.from_numpy(target_2N[:, low : low + size]).to(device),
            )
        )
        low, first = low + size, first + int(own.sum())
    return blocks


def level_objective(x_PH: Tensor, blocks: Sequence[Block], l2: Sequence[float]) -> Objective:
    """Losses [G] in nats and gradients [G, H], float64, of weights [G, H] in the order (strength, head)."""
    n = sum(block.target.shape[1] for block in blocks)
    strength = torch.tensor(l2, dtype=torch.float64, device=x_PH.device).repeat_interleave(2)

    def objective(w_GH: Tensor) -> tuple[Tensor, Tensor]:
        w = w_GH.to(x_PH.dtype)[None]
        losses, gradients = strength / 2 * w_GH.square().sum(dim=1), strength[:, None] * w_GH
        for block in blocks:
            target = block.target.repeat(len(l2), 1)
            share = torch.full(target.shape, 1 / n, dtype=x_PH.dtype, device=x_PH.device)
            own = losses_and_gradients(x_PH[None, block.rows], w, block.layout, target, share)
            losses, gradients = losses + own[0][0].double(), gradients + own[1][0].double()
        return losses, gradients

    return objective
