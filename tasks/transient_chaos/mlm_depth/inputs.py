"""What a masked-LM job begins with: its blocks, how they are masked, and whether all fits into memory."""

from dataclasses import dataclass

import numpy as np
from transformers import AlbertModel

from orchestrator.experiment import Context
from tasks.data.blocks import open_blocks
from tasks.data.masking import Masking, block_masking
from tasks.transient_chaos.mlm_depth.heads import COPIES
from tasks.transient_chaos.mlm_depth.params import FrozenParams
from tasks.transient_chaos.mlm_depth.vocabulary import piece_rows

LAYER_WIDTHS = 20  # tensors [B, T, H] that one application of a layer has in memory at once, with FFN 4H
OUTPUT_WIDTHS = 8  # tensors [D, K, P, E] between states and outputs, with what autograd keeps


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


def needed_bytes(model: AlbertModel, params: FrozenParams) -> int:
    """Estimated memory beside the encoder's weights: trained readouts, one batch's states, one piece of logits."""
    config, D = model.config, len(params.depths)
    H, E, V = config.hidden_size, config.embedding_size, config.vocab_size
    K = sum(len(params.seeds) if kind == "new" or params.encoder == "random" else 1 for kind in params.readouts)
    masked = params.batch_size * int(params.mask_ratio * params.length)
    heads = COPIES * D * K * (E * H + 3 * E + V)
    widths = LAYER_WIDTHS * max(1.0, config.intermediate_size / (4 * H))
    states = params.batch_size * params.length * H * widths + 2 * D * masked * H
    outputs = OUTPUT_WIDTHS * D * K * masked * E + min(piece_rows(V), masked) * V
    return int((heads + states + outputs) * next(model.parameters()).element_size())


def check_memory(model: AlbertModel, params: FrozenParams, budget_bytes: int) -> None:
    """Refuse a job whose readouts and states cannot be in memory together.

    Raises:
        ValueError: with both numbers and what to ask less of.
    """
    needed = needed_bytes(model, params)
    if needed > budget_bytes:
        raise ValueError(
            f"{len(params.depths)} depths and {len(params.seeds)} seeds of readouts take about {needed:,} bytes of "
            f"{budget_bytes:,} that may be used; give fewer --seeds or --depths at a time, or the job more memory"
        )
