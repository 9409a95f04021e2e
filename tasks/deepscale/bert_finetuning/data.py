"""The tokens of a task, the stage that says what they are like, and evaluation: every example exactly once.

Dimensions: N examples or questions, C classes or choices, R rows of a batch (of choices four a question), T tokens.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from metrics.glue import METRICS, glue_metrics
from models.deep_bert_classifier import DeepBertClassifier
from orchestrator.experiment import Context
from tasks.data.examples import task_info
from tasks.data.tokenised import Split, open_split, read_meta
from tasks.deepscale.bert_finetuning.stages import OVERALL, DataParams, FinetuneParams, n_classes
from tasks.deepscale.race.questions import CHOICE_TASKS, OPTIONS, SPLITS
from tasks.deepscale.race.tokenised import TokenisedChoices, open_choices
from tasks.training.seeds import permutation

POSITIONS = 8192  # of a batch; a constant, never from free memory, since kernels round differently for other shapes


@dataclass(frozen=True, kw_only=True)
class TaskData:
    """A task's tokens."""

    task: str
    train: Split
    evals: Mapping[str, Split]
    vocab_size: int
    choices: int
    """Rows of an example: 4 where it is a question with options, else 1."""

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return max(int(split.lengths.max()) for split in (self.train, *self.evals.values()))


def open_task(params: FinetuneParams | DataParams, context: Context) -> TaskData:
    """The tokens in `context.needs["tokens"]`.

    Raises:
        ValueError: none, those of another task, or an empty split.
    """
    if "tokens" not in context.needs:
        raise ValueError('context.needs has no "tokens"; plan a job of tokens that this one needs')
    directory = context.needs["tokens"]
    meta = read_meta(directory)
    if meta["task"] != params.task:
        raise ValueError(f"{directory} holds tokens of {meta['task']}, not {params.task}; give the task's own tokens")
    choices = params.task in CHOICE_TASKS
    names = SPLITS[params.task] if choices else task_info(params.task).splits
    splits = {name: open_choices(directory, name) if choices else open_split(directory, name) for name in names}
    if empty := [name for name, split in splits.items() if not len(split)]:
        raise ValueError(f"the split {empty[0]} of {params.task} is empty; give data with at least one example")
    train = splits.pop("train")
    return TaskData(
        task=params.task,
        train=train,
        evals=splits,
        vocab_size=meta["vocab_size"],
        choices=OPTIONS if choices else 1,
    )


def halves(task: str, name: str, split: Split) -> np.ndarray:
    """bool [N], True for the examples of half A: a fixed random half; the questions of one passage stay together."""
    groups = np.asarray(split.article) if isinstance(split, TokenisedChoices) else np.arange(len(split))
    order = permutation(int(groups.max()) + 1, 0, "half", task, name)
    first = np.zeros(len(order), dtype=bool)
    first[order[: len(order) // 2]] = True
    return first[groups]


def finetune_data(params: DataParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `data`; the tokens are in `context.needs["tokens"]`.

    Raises:
        ValueError: as `open_task`.
    """
    data = open_task(params, context)
    splits = {"train": data.train, **data.evals}
    labels = {name: np.asarray(split.labels) for name, split in splits.items()}
    most = np.bincount(labels["train"], minlength=n_classes(params.task)).argmax()
    if len(data.evals) > 1 and params.task in CHOICE_TASKS:
        labels[OVERALL] = np.concatenate([labels[name] for name in data.evals])
    rows = []
    for name, truth in labels.items():
        values = {"examples": len(truth)}
        if name in splits:
            lengths = np.asarray(splits[name].lengths)
            values |= {"tokens": lengths.mean(), "full": np.mean(lengths == params.max_length)}
        values |= {"majority_accuracy": np.mean(truth == most), "random_accuracy": 1 / n_classes(params.task)}
        rows += [{"split": name, "metric": metric, "value": float(value)} for metric, value in values.items()]
    return {"data": rows}


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
    choices = data.task in CHOICE_TASKS
    kind = "accuracy" if choices else task_info(data.task).metrics
    labels = {name: np.asarray(split.labels) for name, split in data.evals.items()}
    first = {name: halves(data.task, name, split) for name, split in data.evals.items()}
    given = {} if logits is None else {name: value.numpy() for name, value in logits.items()}
    if choices and len(labels) > 1:  # the levels of RACE together
        for parts in (labels, first, given):
            if parts:
                parts[OVERALL] = np.concatenate(list(parts.values()))
    rows = []
    for name, truth in labels.items():
        for part, keep in (("all", np.ones(len(truth), dtype=bool)), ("half_a", first[name]), ("half_b", ~first[name])):
            if not keep.any():
                continue
            values = dict.fromkeys((*METRICS[kind], "loss"), math.nan)
            if given:
                scores, right = given[name][keep], truth[keep]
                loss = functional.cross_entropy(torch.from_numpy(scores), torch.from_numpy(right))
                values = {**glue_metrics(kind, scores, right), "loss": float(loss)}
            rows += [
                {"split": name, "part": part, "epoch": epoch, "metric": metric, "value": value}
                for metric, value in values.items()
            ]
    return rows
