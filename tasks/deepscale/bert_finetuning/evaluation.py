"""Evaluation: every example exactly once (dslm 5, quirk 18), in batches of similar length, and the rows of scores.

Dimensions: N examples or questions, C classes or choices, R rows of a batch, T tokens.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from metrics.glue import METRICS, glue_metrics
from models.deep_bert_classifier import DeepBertClassifier
from tasks.data.examples import task_info
from tasks.data.tokenised import Split
from tasks.deepscale.bert_finetuning.data import TaskData, halves
from tasks.deepscale.bert_finetuning.params import OVERALL
from tasks.deepscale.race.questions import CHOICE_TASKS

POSITIONS = 8192  # of a batch; a constant, never from free memory, since kernels round differently for other shapes
PARTS = ("all", "half_a", "half_b")


def length_batches(lengths_N: np.ndarray, choices: int, positions: int = POSITIONS) -> Iterator[np.ndarray]:
    """Every index once, sorted by length, as many together as fit into `positions` with padding, at least one."""
    order = np.argsort(lengths_N, kind="stable")
    start = 0
    for end in range(1, len(order) + 1):
        # The next example is the longest so far: with it, would the batch be too large?
        if end == len(order) or (end + 1 - start) * choices * lengths_N[order[end]] > positions:
            yield order[start:end]
            start = end


def batch_on(split: Split, indices: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor, Tensor | None]:
    """input_ids, token_type_ids [R, T] and the mask, bool [R, T] or None where nothing is padded, on the device."""
    ids, types, mask = split.batch(indices)
    keep = None if bool(mask.all()) else mask.bool().to(device, non_blocking=True)
    return ids.to(device, non_blocking=True), types.to(device, non_blocking=True), keep


@torch.no_grad()
def predict(model: DeepBertClassifier, split: Split, precision: str) -> Tensor:
    """[N, C] scores on the CPU in float64, examples in their own order; the model is left in training mode."""
    model.eval()
    device = model.head.weight.device
    out = torch.full((len(split), max(model.choices, model.head.out_features)), math.nan, dtype=torch.float64)
    for indices in length_batches(np.asarray(split.lengths), model.choices):
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            logits = model(*batch_on(split, indices, device))
        out[torch.from_numpy(np.ascontiguousarray(indices))] = logits.double().cpu()
    model.train()
    return out


def score_rows(data: TaskData, logits: Mapping[str, Tensor] | None, epoch: int) -> list[dict[str, Any]]:
    """Rows of `scores` after an epoch; without logits, those of a run that has diverged, all NaN.

    Args:
        data: the task.
        logits: [N, C] of each evaluation split.
        epoch: passes done.
    """
    kind = "accuracy" if data.task in CHOICE_TASKS else task_info(data.task).metrics
    labels = {name: np.asarray(split.labels) for name, split in data.evals.items()}
    first = {name: halves(data.task, name, split) for name, split in data.evals.items()}
    given = None if logits is None else {name: value.numpy() for name, value in logits.items()}
    if data.task in CHOICE_TASKS and len(labels) > 1:  # the levels of RACE together
        labels = {**labels, OVERALL: np.concatenate(list(labels.values()))}
        first = {**first, OVERALL: np.concatenate(list(first.values()))}
        given = None if given is None else {**given, OVERALL: np.concatenate([given[name] for name in data.evals])}
    rows = []
    for name, truth in labels.items():
        for part, keep in zip(PARTS, (np.ones(len(truth), dtype=bool), first[name], ~first[name]), strict=True):
            if not keep.any():
                continue
            if given is None:
                values = dict.fromkeys((*METRICS[kind], "loss"), math.nan)
            else:
                scores, right = given[name][keep], truth[keep]
                loss = functional.cross_entropy(torch.from_numpy(scores), torch.from_numpy(right))
                values = {**glue_metrics(kind, scores, right), "loss": float(loss)}
            rows += [
                {"split": name, "part": part, "epoch": epoch, "metric": metric, "value": value}
                for metric, value in values.items()
            ]
    return rows
