"""What a masked-LM job reads: blocks, their masks, and the states at masked positions of all depths from one pass.

Dimensions: B blocks of a batch, N blocks, T tokens, D depths, P masked positions, H hidden.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AlbertModel

from models.albert import embed, iterate, shared_layer
from orchestrator.experiment import Context
from tasks.data.blocks import open_blocks
from tasks.data.masking import LegacyMasker, Masking, block_masking, mask_batch
from tasks.training.numerics import synchronise
from tasks.transient_chaos.mlm_depth.stages import FrozenParams

Rows = list[dict[str, Any]]
Masker = Callable[[np.ndarray, int, int], tuple[np.ndarray, np.ndarray]]
"""(ids [B, T], epoch, batch) -> input and labels [B, T]."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The blocks of both parts, int32 [N, T] each, mapped from their files."""

    train: np.ndarray
    test: np.ndarray
    masking: Masking


def open_parts(params: FrozenParams, context: Context) -> Parts:
    """Open the blocks (`context.needs["blocks"]`).

    Raises:
        ValueError: no blocks, of another length or corpus, or more than the limits.
    """
    if "blocks" not in context.needs:
        raise ValueError('context.needs has no "blocks"; plan a blocks job that this one needs')
    directory = context.needs["blocks"]
    train, test = open_blocks(directory, "train"), open_blocks(directory, "test")
    meta = train.meta
    if (meta["corpus"], meta["length"]) != (params.corpus, params.length):
        raise ValueError(
            f"{directory} holds blocks of {meta['length']} tokens of {meta['corpus']}, planned were {params.length} of "
            f"{params.corpus}; give the job's own blocks"
        )
    for part, limit in ((train, params.train_limit), (test, params.test_limit)):
        if len(part) == 0:
            raise ValueError(f"{directory} has an empty part; give a corpus with at least one block in each")
        if limit is not None and len(part) > limit:
            raise ValueError(f"{directory} has {len(part)} blocks, the limit is {limit}; plan blocks with this limit")
    return Parts(train=train.input_ids, test=test.input_ids, masking=block_masking(meta, params.mask_ratio))


@torch.no_grad()
def masked_states(
    model: AlbertModel, inputs_BT: np.ndarray, labels_BT: np.ndarray, depths: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor]:
    """x [D, P, H] after each of the `depths` layers, the labels [P], and the block of the batch [P] of each position.

    One pass to the last depth; of every other state nothing is kept. Blocks have no padding, so nothing is masked out
    of the attention (README 1).
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

    iterate(shared_layer(model), h, depths[-1], None, (keep,))
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


@dataclass(kw_only=True)
class Work:
    """One encoder at work: how blocks are masked and passed through it, and what that has cost so far."""

    params: FrozenParams
    model: AlbertModel
    masking: Masking
    layer_passes: int = 0
    """Layer applications to one block."""
    encoder_seconds: float = 0.0
    head_seconds: float = 0.0
    nonfinite: Rows = field(default_factory=list)

    def masker(self, part: str) -> Masker:
        """Masks of a part, the same for all encoders. The published order begins anew for each part."""
        if self.params.legacy_masking:
            legacy = LegacyMasker(masking=self.masking, seed=self.params.data_seed)
            return lambda ids, epoch, batch: legacy(ids)
        seed = self.params.data_seed
        return lambda ids, epoch, batch: mask_batch(ids, self.masking, seed, part, epoch, batch)

    def states(
        self, part: str, rows_B: np.ndarray, inputs_BT: np.ndarray, labels_BT: np.ndarray
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`masked_states`, timed; the first state of the part that is not finite is noted with depth and block."""
        device, clock = next(self.model.parameters()).device, time.perf_counter()
        x_DPH, labels_P, block_P = masked_states(self.model, inputs_BT, labels_BT, self.params.depths)
        self.layer_passes += len(rows_B) * self.params.depths[-1]
        if not any(row["part"] == part for row in self.nonfinite):
            bad = first_bad_state(x_DPH, block_P, self.params.depths)
            if bad is not None:
                self.nonfinite.append({"part": part, "depth": bad[0], "block": int(rows_B[bad[1]])})
        synchronise(device)
        self.encoder_seconds += time.perf_counter() - clock
        return x_DPH, labels_P, block_P
