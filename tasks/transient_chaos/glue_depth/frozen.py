"""The stage `glue_frozen`: linear heads on a frozen encoder, every depth and head seed in a job (README 3).

One pass of the encoder to the largest depth gives the features of all depths; the heads of a block of depths are
trained and scored before the next block's features are made.

Dimensions: D depths, S seeds, N examples, C outputs.
"""

import time
from typing import Any

import torch

from models.albert import shared_layer
from orchestrator.experiment import Context
from tasks.training.numerics import exact_numerics, synchronise, usable_bytes
from tasks.transient_chaos.glue_depth.features import CountedLayer, Inputs, feature_blocks, open_inputs, score_rows
from tasks.transient_chaos.glue_depth.heads import Heads, train_heads
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
        labels = inputs.labels(inputs.train)
        encoder_seconds = head_seconds = 0.0
        n_blocks = 0
        clock = time.perf_counter()
        for depths, z in blocks:
            synchronise(device)
            encoder_seconds += time.perf_counter() - clock
            clock = time.perf_counter()
            heads = train_heads(z["train"], labels, inputs.info.n_outputs, params.seeds, params)
            runs = [
                (d, s, {**lead, "depth": depth, "seed": seed})
                for d, depth in enumerate(depths)
                for s, seed in enumerate(params.seeds)
            ]
            scores += _score_rows(inputs, heads, runs, z)
            curves += _curve_rows(heads, runs)
            synchronise(device)
            head_seconds += time.perf_counter() - clock
            n_blocks += 1
            clock = time.perf_counter()
    cost = {
        **lead,
        **inputs.sizes,
        "n_depths": len(params.depths),
        "max_depth": max(params.depths),
        "n_seeds": len(params.seeds),
        "layer_passes": layer.passes,
        "encoder_seconds": encoder_seconds,
        "head_seconds": head_seconds,
        "depth_blocks": n_blocks,
    }
    return {"scores": scores, "curves": curves, "costs": [cost]}


Runs = list[tuple[int, int, dict[str, Any]]]
"""Indices d and s of the heads of a block, and the columns that name each."""


def _score_rows(inputs: Inputs, heads: Heads, runs: Runs, z: dict[str, torch.Tensor]) -> list[dict[str, Any]]:
    rows = []
    for name, split in inputs.evals.items():
        labels = inputs.labels(split)
        for d, s, run in runs:
            rows += [{**run, **value} for value in score_rows(inputs.info, name, heads.logits(z[name], d, s), labels)]
    return rows


def _curve_rows(heads: Heads, runs: Runs) -> list[dict[str, Any]]:
    return [
        {
            **run,
            "step": point.step,
            "epoch": point.epoch,
            "loss": float(point.loss[d, s]),
            "learning_rate": point.learning_rate,
        }
        for d, s, run in runs
        for point in heads.curve
    ]
