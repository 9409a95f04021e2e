"""The training loop of the small models that the project pretrains itself, and the file that tells of a training."""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tasks.training.optimisers import learning_rate, make_optimiser, take_step
from tasks.training.seeds import torch_stream
from tasks.training.settings import SmallTraining

CURVE_POINTS = 100
TRAINING = "training.json"
BETAS = (0.9, 0.98)  # of a few hundred or thousand steps, 0.999 would average over all


Judged = tuple[Tensor, Tensor, Mapping[str, Tensor | int]]
"""Logits [P, V] and the words [P] at the masked places of a batch, and by its metric what guesses name there."""


def train_small(
    decayed: Sequence[Tensor],
    undecayed: Sequence[Tensor],
    losses: Iterator[Tensor],
    tests: Iterator[Judged],
    settings: SmallTraining,
    remedy: str = "",
) -> list[dict[str, Any]]:
    """Take `steps` steps of AdamW with a linear schedule; returns the rows of the training curve and of the result.

    Args:
        decayed: parameters with weight decay.
        undecayed: those without.
        losses: the mean loss of each step's batch, in nats; each is computed when it is asked for, with the weights of
            that moment.
        tests: batches of the test part, likewise: each is computed when it is asked for, after the last step.
        settings: of the optimiser.
        remedy: what else to try where the loss is not finite.

    Raises:
        ValueError: a loss that is not finite, with its step.
    """
    optimiser = make_optimiser(decayed, undecayed, "adamw", settings.weight_decay, BETAS)
    rows, since = [], []
    for step, loss in enumerate(losses):
        since.append(float(loss.detach()))
        if not math.isfinite(since[-1]):
            raise ValueError(
                f"the loss is {since[-1]} at step {step} of {settings.steps}; give a lower learning rate than "
                f"{settings.learning_rate:g}{remedy}"
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if settings.clip:
            nn.utils.clip_grad_norm_([*decayed, *undecayed], settings.clip)
        rate = learning_rate("linear", settings.learning_rate, step, settings.steps, settings.warmup)
        take_step(optimiser, "adamw", rate, step, decayed, settings.weight_decay)
        if is_curve_point(step, settings.steps, CURVE_POINTS):
            rows += metric_rows(step + 1, {"loss": float(np.mean(since)), "learning_rate": rate})
            since = []
    return rows + metric_rows(settings.steps, judged(tests))


@torch.no_grad()
def judged(batches: Iterable[Judged]) -> dict[str, float]:
    """`test_loss`, mean over masked words, nats; `test_accuracy` and each guess's accuracy, shares of masked words."""
    totals: defaultdict[str, float] = defaultdict(float)
    n = 0
    for logits_PV, wanted_P, guesses in batches:
        totals["test_loss"] += float(functional.cross_entropy(logits_PV, wanted_P, reduction="sum"))
        for name, said_P in {"test_accuracy": logits_PV.argmax(dim=-1), **guesses}.items():
            totals[name] += int((said_P == wanted_P).sum())
        n += len(wanted_P)
    return {name: total / n if n else math.nan for name, total in totals.items()}


def metric_rows(step: int, values: dict[str, float]) -> list[dict[str, Any]]:
    """A row a metric."""
    return [{"step": step, "metric": metric, "value": value} for metric, value in values.items()]


def write_training(directory: Path, rows: list[dict[str, Any]]) -> None:
    """Keep the rows of a training beside its checkpoint."""
    (directory / TRAINING).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def read_training(directory: Path, stage: str) -> Any:
    """What a job of `stage` wrote about its training: rows, or rows by table.

    Raises:
        ValueError: they are not there.
    """
    path = directory / TRAINING
    if not path.is_file():
        raise ValueError(f"{path}: no such file; expected an artifact of {stage}, run its job again")
    return json.loads(path.read_text(encoding="utf-8"))


def data_orders(seed: int, n_examples: int, epochs: int) -> Iterator[Tensor]:
    """For each epoch a fresh permutation [N] of the examples."""
    generator = torch_stream(seed, "order")
    for _ in range(epochs):
        yield torch.randperm(n_examples, generator=generator)


def n_steps(n_examples: int, batch_size: int, epochs: int) -> int:
    """Training steps: ceil(N / batch) an epoch, the last partial batch is kept."""
    return epochs * -(-n_examples // batch_size)


def is_curve_point(step: int, total: int, points: int) -> bool:
    """Whether a point follows step `step` = 0, 1, …: min(points, total) of them, evenly spread, the last at the end."""
    return (step + 1) * points // total > step * points // total
