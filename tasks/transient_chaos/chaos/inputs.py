"""What both stages begin with: the encoder, and for the sweep the sentences, as batches on the device.

Dimensions: N sentences, B batch, T tokens, H hidden, A heads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import AlbertModel

from models.albert import embed, padding_mask, shared_layer
from models.iteration import Layer
from models.tangents import frame_numbers
from orchestrator.experiment import Context
from tasks.encoders.loading import load_encoder
from tasks.training.numerics import usable_bytes
from tasks.transient_chaos.chaos.config import MOST_SHOWN
from tasks.transient_chaos.chaos.stages import SweepParams
from tasks.transient_chaos.sentences import open_sentences

BATCH_SENTENCES = (
    MOST_SHOWN  # a constant, never from free memory: float32 kernels round differently for other batch shapes
)


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The sample of sentences as first states, and the map."""

    model: AlbertModel
    layer: Layer
    start_NTH: Tensor
    """h_0 of all sentences."""
    real_NT: Tensor
    """Which tokens are real."""
    masks: Sequence[Tensor | None]
    """The layer's mask of every batch; None for no mask."""
    batches: Sequence[slice]
    """Consecutive sentences."""
    vocabulary: Mapping[str, int]
    """`vocab_size` and `pad_token_id` of the tokens, on which the weights of a scratch encoder depend."""


def open_inputs(params: SweepParams, context: Context) -> Inputs:
    """Open the sentences (`context.needs["sentences"]`), load or draw the encoder, and embed.

    Attention is eager: the tangents need it, and the states shall not depend on whether tangents are measured.

    Raises:
        ValueError: no sentences or not the planned ones, an encoder that does not fit them, or shown tokens, dimensions
            or heads that it has not.
    """
    if "sentences" not in context.needs:
        raise ValueError('context.needs has no "sentences"; plan a sentences job that this one needs')
    data = open_sentences(context.needs["sentences"])
    found = (len(data), data.input_ids.shape[1])
    if found != (params.sentences, params.length):
        raise ValueError(
            f"{context.needs['sentences']} holds {found[0]} sentences of {found[1]} tokens, planned were "
            f"{params.sentences} of {params.length}; plan the job with its own sample"
        )
    vocabulary = {name: int(data.meta[name]) for name in ("vocab_size", "pad_token_id")}
    model = load_encoder(
        params,
        context,
        **vocabulary,
        longest=params.length,
        attention="eager",
        pooler=False,
    )
    _check_shown(params, model)
    batches = [slice(a, min(a + BATCH_SENTENCES, len(data))) for a in range(0, len(data), BATCH_SENTENCES)]
    real_NT = data.attention_mask.bool().to(context.device)
    states, masks = [], []
    for rows in batches:
        ids, types = (x[rows].to(context.device) for x in (data.input_ids, data.token_type_ids))
        h_BTH = embed(model, ids, types)
        given = real_NT[rows].long() if params.mask_mode == "padding" else None
        # A batch without padding has no mask; its tangents then need none either, since all tokens are real.
        masks.append(padding_mask(model, given, h_BTH))
        states.append(h_BTH)
    return Inputs(
        model=model,
        layer=shared_layer(model),
        start_NTH=torch.cat(states),
        real_NT=real_NT,
        masks=masks,
        batches=batches,
        vocabulary=vocabulary,
    )


def _check_shown(params: SweepParams, model: AlbertModel) -> None:
    limits = {
        "shown_tokens": (params.shown_tokens, params.length, "tokens"),
        "shown_dimensions": (params.shown_dimensions, model.config.hidden_size, "hidden dimensions"),
        "attention_heads": (params.attention_heads, model.config.num_attention_heads, "heads"),
    }
    for name, (wanted, limit, what) in limits.items():
        if wrong := [i for i in wanted if i >= limit]:
            raise ValueError(f"{name} asks for {wrong[0]}, but there are {limit} {what}, numbered from 0")


def tangent_groups(params: SweepParams, inputs: Inputs, context: Context) -> list[list[int]]:
    """Batches whose tangents are in memory together, by index; those of the first group share the pass of the states.

    Raises:
        ValueError: the states of the sample, or the tangents of one batch beside them, do not fit into memory.
    """
    n, tokens, width = inputs.start_NTH.shape
    size = inputs.start_NTH.element_size()
    budget = usable_bytes(context)
    copies = 3 if params.difference_size is not None else 2  # with the first states, which later groups begin from
    work = frame_numbers(inputs.model.config, tokens, max(1, params.exponents)) * BATCH_SENTENCES
    # Ensemble statistics take float64 blocks of a token's columns and a Gram matrix.
    held = (
        size * (copies * n * tokens * width + work) + 8 * (2 * n * n + 2 * n * width) + 8 * (params.steps + 1) * n * 3
    )
    remedy = "give the job more memory, or fewer --sentences"
    if held > budget:
        raise ValueError(f"{n} sentences of {tokens} x {width} take {held:,} bytes of {budget:,}; {remedy}")
    groups: list[list[int]] = [[]]
    free = budget - held
    for b, rows in enumerate(inputs.batches):
        k = exponents_of(params, rows)
        need = size * (rows.stop - rows.start) * k * tokens * width
        if need > budget - held:
            raise ValueError(f"{k} tangents a sentence take {need:,} bytes a batch beside {held:,}; {remedy}")
        if need > free:
            groups.append([])
            free = budget - held
        groups[-1].append(b)
        free -= need
    return groups


def exponents_of(params: SweepParams, rows: slice) -> int:
    """K of a batch: all of its sentences have the whole spectrum where one of them shall."""
    if not params.exponents:
        return 0
    return params.exponents if rows.start < params.spectrum_sentences else 1
