"""The stage `chaos_sweep`: one pass of all sentences through the layers measures everything (README 5-7).

The states of one layer are in memory, for all sentences, since the effective dimension is a property of the sample;
tangents go along with them, batch by batch. Where the tangents of all sentences do not fit into memory, those of the
first group share the pass, and each other group repeats it for its own sentences alone.

Dimensions: N sentences, B batch, T tokens, H hidden.
"""

import time
from typing import Any

import torch
from torch import Tensor

from orchestrator.experiment import Context
from tasks.training.numerics import exact_numerics, synchronise
from tasks.transient_chaos.chaos.growth import Copies, Frames, GrowthRows
from tasks.transient_chaos.chaos.inputs import Inputs, open_inputs, tangent_groups
from tasks.transient_chaos.chaos.long import last_of, write_last
from tasks.transient_chaos.chaos.stages import SweepParams
from tasks.transient_chaos.chaos.watch import EffectiveDimension, Losses, Shown, Spreads


def sweep(params: SweepParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """The rows of all tables of `tables.SWEEP_TABLES`; the last states, as one vector a sentence, are the artifact.

    The sentences are in `context.needs["sentences"]`, a checkpoint in `context.paths["model"]`, on the hub, or in
    `context.needs["model"]`.

    Raises:
        ValueError: sentences or encoder do not fit the parameters, more exponents than dimensions, or what must be held
            does not fit into memory.
    """
    device = torch.device(context.device)
    with exact_numerics(), torch.no_grad():
        inputs = open_inputs(params, context)
        groups = tangent_groups(params, inputs, context)
        clock = time.perf_counter()
        real = inputs.real_NT if params.mask_mode == "padding" else None
        spread_of = real if params.spread_tokens == "real" else None
        losses = Losses(len(inputs.start_NTH), device)
        spreads = Spreads(spread_of)
        dimension = EffectiveDimension(losses)
        shown = Shown(params, inputs.layer, inputs.masks[0], spread_of)
        copies = Copies(params, inputs) if params.difference_size is not None else None
        growth = GrowthRows(params)
        h_NTH, passes, tangent_passes = inputs.start_NTH, 0, 0
        for g, group in enumerate(groups):
            frames = Frames(params, inputs, group)
            if g == 0:
                watchers = (losses, spreads, dimension, shown)
                h_NTH = _pass(params, inputs, frames, list(range(len(inputs.batches))), copies, watchers)
            else:
                _pass(params, inputs, frames, group, None, ())
            passes += params.steps * sum(_size(inputs, b) for b in (group if g else range(len(inputs.batches))))
            tangent_passes += frames.passes
            for b, record in frames.records():
                growth.add_tangents(inputs.batches[b].start, record)
            del frames
        if copies is not None:
            passes += params.steps * len(h_NTH)
            growth.add_differences(copies.windows())
        synchronise(device)
        seconds = time.perf_counter() - clock
        if context.artifact is not None:
            last = last_of(h_NTH, real, losses.alive, layers=params.steps, **inputs.vocabulary)
            write_last(context.artifact, last)
    return {
        "windows": growth.windows,
        "spectrum": growth.spectrum,
        "chaos_lengths": growth.chaos_lengths,
        "offsets": list(spreads.offset_rows(params.thresholds)),
        "layers": [*dimension.layer_rows(), *spreads.layer_rows()],
        "trajectories": list(shown.trajectory_rows()),
        "spreads": list(shown.spread_rows(spreads.records())),
        "attention": list(shown.attention_rows()),
        "lost": list(losses.rows()),
        "costs": [
            {
                "layer_passes": passes,
                "tangent_passes": tangent_passes,
                "seconds": seconds,
                "tangent_groups": len(groups),
            }
        ],
    }


def _pass(
    params: SweepParams, inputs: Inputs, frames: Frames, batches: list[int], copies: Copies | None, watchers: tuple
) -> Tensor:
    """Apply the layer `steps` times to the given batches; the states after it, [N, T, H].

    The watchers see every state of the sample; a pass of some batches alone has none.
    """
    h_NTH = inputs.start_NTH.clone()
    for watch in watchers:
        watch(0, h_NTH)
    for t in range(1, params.steps + 1):
        for b in batches:
            rows, mask = inputs.batches[b], inputs.masks[b]
            h_BTH = h_NTH[rows]
            after = frames.step(b, inputs.layer, h_BTH, mask, t) if b in frames else inputs.layer(h_BTH, mask)
            h_NTH[rows] = after
            if copies is not None:
                copies.step(b, inputs.layer, after, mask, t)
        for watch in watchers:
            watch(t, h_NTH)
    return h_NTH


def _size(inputs: Inputs, b: int) -> int:
    return inputs.batches[b].stop - inputs.batches[b].start
