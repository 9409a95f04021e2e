"""States at masked positions of all depths, from one pass of the shared layer.

Dimensions: B blocks, T tokens, D depths, P masked positions, H hidden.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import AlbertModel

from models.albert import Layer, embed, iterate


@torch.no_grad()
def masked_states(
    model: AlbertModel, layer: Layer, inputs_BT: np.ndarray, labels_BT: np.ndarray, depths: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor]:
    """x [D, P, H] after each of the `depths` layers, the labels [P], and the block of the batch [P] of each position.

    One pass to the last depth; of every other state nothing is kept. Blocks have no padding, so nothing is masked out
    of the attention (transient_chaos 1.5).
    """
    device = next(model.parameters()).device
    labels = torch.from_numpy(labels_BT).to(device)
    block_P, token_P = torch.nonzero(labels >= 0, as_tuple=True)
    h = embed(model, torch.from_numpy(inputs_BT).to(device))
    x_DPH = h.new_empty(len(depths), len(block_P), h.shape[-1])
    place = {depth: d for d, depth in enumerate(depths)}

    def keep(t: int, h_BTH: Tensor) -> None:
        if t in place:
            x_DPH[place[t]] = h_BTH[block_P, token_P]

    iterate(layer, h, depths[-1], None, (keep,))
    return x_DPH, labels[block_P, token_P], block_P


def first_bad_state(x_DPH: Tensor, block_P: Tensor, depths: Sequence[int]) -> tuple[int, int] | None:
    """(depth, block of the batch) of the first state that is NaN or infinite; None when all are finite."""
    if torch.isfinite(x_DPH.sum()):  # one pass without a temporary; an overflow of the sum is looked at closely
        return None
    good_DP = torch.isfinite(x_DPH).all(dim=2)
    if good_DP.all():
        return None
    d = int((~good_DP).any(dim=1).nonzero()[0, 0])
    return depths[d], int(block_P[~good_DP[d]].min())
