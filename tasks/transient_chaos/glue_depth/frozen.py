"""The stage `glue_frozen`: linear heads on a frozen encoder, every depth and head seed in a job (transient_chaos 3).

One pass of the encoder to the largest depth gives the features of all depths; the heads of a block of depths are
trained and scored before the next block's features are made.

Dimensions: D depths, S seeds, N examples, C outputs.
"""

import dataclasses
import time
from typing import Any

import torch

from models.albert import shared_layer
from orchestrator.experiment import Context
from tasks.training.numerics import exact_numerics, synchronise, usable_bytes
from tasks.transient_chaos.counting import CountedLayer
from tasks.transient_chaos.glue_depth.features import feature_blocks
from tasks.transient_chaos.glue_depth.heads import Heads, HeadSettings, train_heads
from tasks.transient_chaos.glue_depth.inputs import Inputs, open_inputs, score_rows
from tasks.transient_chaos.glue_depth.stages import FrozenParams


def frozen(params: FrozenParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `scores`, `curves` and `costs` for all depths and head seeds of one encoder and task.

    The tokens are in `context.needs["tokens"]`, a checkpoint in `context.paths["model"]` (or on the hub).

    Raises:
        ValueError: data or encoder do not fit the parameters, or the features of one depth do not fit into memory.
    """
    device = torch.device(context.device)
    lead = {"task": params.task, "encoder": params.encoder, "training": "frozen"}
    scores: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    with exact_numerics():
        inputs = open_inputs(params, context)
        layer = CountedLayer(layer=shared_layer(inputs.model))
        blocks = feature_blocks(
            inputs.model, {"train": inputs.train, **inputs.evals}, params.depths, usable_bytes(context), layer=layer
        )
        settings = _settings(params)
        labels = inputs.labels(inputs.train)
        encoder_seconds = head_seconds = 0.0
        n_blocks = 0
        clock = time.perf_counter()
        for depths, z in blocks:
            synchronise(device)
            encoder_seconds += time.perf_counter() - clock
            clock = time.perf_counter()
            heads = train_heads(z["train"], labels, inputs.info.n_outputs, params.seeds, settings)
            scores += _score_rows(inputs, heads, depths, params.seeds, z, lead)
            curves += _curve_rows(heads, depths, params.seeds, lead)
            synchronise(device)
            head_seconds += time.perf_counter() - clock
            n_blocks += 1
            clock = time.perf_counter()
    cost = {
        **lead,
        "n_train": len(inputs.train),
        "n_dev": sum(len(split) for split in inputs.evals.values()),
        "n_depths": len(params.depths),
        "max_depth": max(params.depths),
        "n_seeds": len(params.seeds),
        "layer_passes": layer.passes,
        "encoder_seconds": encoder_seconds,
        "head_seconds": head_seconds,
        "depth_blocks": n_blocks,
    }
    return {"scores": scores, "curves": curves, "costs": [cost]}


def _settings(params: FrozenParams) -> HeadSettings:
    return HeadSettings(**{field.name: getattr(params, field.name) for field in dataclasses.fields(HeadSettings)})


def _score_rows(
    inputs: Inputs,
    heads: Heads,
    depths: tuple[int, ...],
    seeds: tuple[int, ...],
    z: dict[str, torch.Tensor],
    lead: dict[str, str],
) -> list[dict[str, Any]]:
    rows = []
    for name, split in inputs.evals.items():
        labels = inputs.labels(split)
        for d, depth in enumerate(depths):
            for s, seed in enumerate(seeds):
                values = score_rows(inputs.info, name, heads.logits(z[name], d, s), labels)
                rows += [{**lead, "depth": depth, "seed": seed, **value} for value in values]
    return rows


def _curve_rows(
    heads: Heads, depths: tuple[int, ...], seeds: tuple[int, ...], lead: dict[str, str]
) -> list[dict[str, Any]]:
    return [
        {
            **lead,
            "depth": depth,
            "seed": seed,
            "step": point.step,
            "epoch": point.epoch,
            "loss": float(point.loss[d, s]),
            "learning_rate": point.learning_rate,
        }
        for d, depth in enumerate(depths)
        for s, seed in enumerate(seeds)
        for point in heads.curve
    ]
