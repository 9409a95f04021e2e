"""The stage `train_translator`: one run, or several at once, with its checkpoints.

Beside the checkpoints of steps, `best.safetensors` has the weights after the epoch with the best token accuracy on val.
Adam with its default settings on the mean NLL of a batch's target
positions. Each run has streams of its own for first weights, order and dropout, named by its seed; dropout also by the
step, so that a training that goes on draws the same.

Dimensions: G runs trained at once, B pairs of a batch, S source positions, T target positions.
"""

import time
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from metrics.bleu import corpus_bleu
from models.attention_translator import (
    PAD,
    AttentionTranslator,
    DropoutMasks,
    TranslatorConfig,
    draw_dropout,
)
from models.stacked_translators import StackedTranslators
from orchestrator.experiment import Context
from tasks.attention.attention_translation.evaluation import config_of, measure, translate
from tasks.attention.attention_translation.items import Sentences, padded_batch, sentences
from tasks.attention.attention_translation.stages import BEST, PAIRS, TrainParams
from tasks.attention.learning import saved_state
from tasks.attention.learning.runs import VAL, Run, run_named
from tasks.attention.learning.saved_state import (
    Progress,
    artifact_of,
    digest,
    load_checkpoint,
    resume,
    save,
    save_checkpoint,
)
from tasks.attention.pairs.stages import PairSplit
from tasks.training.loop import write_training
from tasks.training.numerics import exact_numerics
from tasks.training.seeds import stream_seed
from tasks.training.steps import data_orders, is_curve_point, n_steps

Batch = tuple[Tensor, Tensor]
"""Source [B, S] and target [B, T+1] of one run."""


class Learner(Protocol):
    """One translator, or a stack of them."""

    def parameters(self) -> list[Tensor]: ...

    def losses(self, batches: Sequence[Batch], dropout: Sequence[DropoutMasks | None]) -> Tensor:
        """Mean NLL of each run's own batch [G], in nats a target position."""
        ...

    def models(self) -> list[AttentionTranslator]: ...


class Alone:
    """One translator as it is: packed sequences, and cuDNN on a GPU."""

    def __init__(self, model: AttentionTranslator):
        self._model = model

    def parameters(self) -> list[Tensor]:
        return list(self._model.parameters())

    def losses(self, batches: Sequence[Batch], dropout: Sequence[DropoutMasks | None]) -> Tensor:
        return self._model.loss(*batches[0], dropout[0])[None]

    def models(self) -> list[AttentionTranslator]:
        return [self._model]


class Together:
    """A stack, whose runs see sentences of their own."""

    def __init__(self, models: Sequence[AttentionTranslator]):
        self._stack = StackedTranslators.of(models)

    def parameters(self) -> list[Tensor]:
        return self._stack.parameters()

    def losses(self, batches: Sequence[Batch], dropout: Sequence[DropoutMasks | None]) -> Tensor:
        source, target = (stacked([pair[side] for pair in batches]) for side in (0, 1))
        return self._stack.losses(source, target, dropout)

    def models(self) -> list[AttentionTranslator]:
        return self._stack.unstack()


def stacked(rows: Sequence[Tensor]) -> Tensor:
    """[B, S] of each run as one [G, B, S], padded at the end."""
    width = max(ids.shape[1] for ids in rows)
    return torch.stack([functional.pad(ids, (0, width - ids.shape[1]), value=PAD) for ids in rows])


def train_translator(params: TrainParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `training` for all runs of the job; checkpoints and the same rows as an artifact.

    The pairs are in `context.needs["pairs"]`.

    Raises:
        ValueError: a checkpoint that the training never reaches.
    """
    artifact = artifact_of(context, "train_translator")
    given = sentences(context.needs[PAIRS], (VAL,))
    train_pairs = given.pairs.train
    total = n_steps(len(train_pairs), params.batch_size, params.epochs)
    beyond = [step for step in params.saves if not 0 <= step <= total]
    if beyond:
        raise ValueError(
            f"{given.pairs.name}: a checkpoint at step {beyond[0]}, but {params.epochs} epochs of {len(train_pairs)} "
            f"pairs in batches of {params.batch_size} are {total} steps; leave it out or give more epochs"
        )
    runs = [run_named(name) for name in params.runs]
    with exact_numerics():
        models = [
            new_translator(config_of(params, given.pairs.vocab_size, run), run.seed).to(context.device) for run in runs
        ]
        learner: Learner = Alone(models[0]) if len(models) == 1 else Together(models)
        rows = Training(params=params, context=context, given=given, runs=runs, learner=learner).run(total)
        if params.beams:
            rows += best_bleu(params, given, runs, rows, context)
    write_training(artifact, rows)
    return {"training": rows}


def new_translator(config: TranslatorConfig, seed: int) -> AttentionTranslator:
    """First weights of a run, float32 on the CPU; those of a normal and a uniform run of one seed are equal."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "init"))
        return AttentionTranslator(config)


class Training:
    """A training in progress."""

    def __init__(
        self, *, params: TrainParams, context: Context, given: Sentences, runs: Sequence[Run], learner: Learner
    ):
        self._params, self._context, self._given, self._runs, self._learner = params, context, given, runs, learner
        self._artifact = artifact_of(context, "train_translator")
        self._parameters = learner.parameters()
        self._device = self._parameters[0].device
        self._optimiser = torch.optim.Adam(self._parameters, lr=params.learning_rate, fused=True)
        self._belongs = digest("train_translator", params, given.pairs.meta)
        self._streams = [torch.Generator(device=self._device) for _ in runs]

    def run(self, total: int) -> list[dict[str, Any]]:
        """All updates, from the newest saved state on; writes checkpoints and returns the rows of the curve."""
        train, params = self._given.pairs.train, self._params
        found = resume(self._context, self._parameters, self._optimiser, self._belongs)
        done = found or Progress(rows=[], losses=[0.0] * len(self._runs))
        self._summed_G = torch.tensor(done.losses, device=self._device)
        saved = time.perf_counter()
        begin = done.step
        per_epoch = n_steps(len(train), params.batch_size, 1)
        orders = zip(*(data_orders(run.seed, len(train), params.epochs) for run in self._runs), strict=True)
        for epoch, order in enumerate(orders):
            for number in range(per_epoch):
                step = epoch * per_epoch + number
                if step < begin:
                    continue
                if step in params.saves:
                    self._keep(step)
                if step > begin and time.perf_counter() - saved >= saved_state.STATE_SECONDS:
                    done.losses = self._summed_G.tolist()
                    save(self._context, done, self._parameters, self._optimiser, self._belongs)
                    saved = time.perf_counter()
                rows = slice(number * params.batch_size, (number + 1) * params.batch_size)
                self._update(train, [one[rows].numpy() for one in order], step)
                done.step, done.since = step + 1, done.since + 1
                if is_curve_point(step, total, params.curve_points):
                    losses = (self._summed_G / done.since).tolist()
                    done.rows += [
                        row(run, step + 1, "loss", loss) for run, loss in zip(self._runs, losses, strict=True)
                    ]
                    self._summed_G, done.since = torch.zeros_like(self._summed_G), 0
                if number == per_epoch - 1:
                    self._validate(done)
        if total in params.saves:
            self._keep(total)
        return done.rows

    def _update(self, train: PairSplit, rows: Sequence[np.ndarray], step: int) -> None:
        """One step of each run on its own pairs."""
        batches = [padded_batch(train, some, self._device) for some in rows]
        dropout = []
        config = config_of(self._params, self._given.pairs.vocab_size, self._runs[0])
        for run, stream, (source, target) in zip(self._runs, self._streams, batches, strict=True):
            stream.manual_seed(stream_seed(run.seed, "dropout", step))
            dropout.append(draw_dropout(config, len(source), source.shape[1], target.shape[1] - 1, stream))
        losses_G = self._learner.losses(batches, dropout)
        self._optimiser.zero_grad(set_to_none=True)
        losses_G.sum().backward()
        self._optimiser.step()
        self._summed_G += losses_G.detach()

    def _validate(self, done: Progress) -> None:
        """After an epoch: the token accuracy of each run, and its weights where they are its best so far."""
        for run, model in zip(self._runs, self._learner.models(), strict=True):
            own = [r["value"] for r in accuracies(done.rows, run)]
            accuracy = measure(model, self._given)[1][VAL]["all"]["accuracy"]
            done.rows.append(row(run, done.step, "val_accuracy", accuracy))
            if not own or accuracy > max(own):
                save_checkpoint(self._artifact, run, BEST, model)

    def _keep(self, step: int) -> None:
        for run, model in zip(self._runs, self._learner.models(), strict=True):
            save_checkpoint(self._artifact, run, step, model)


def best_bleu(
    params: TrainParams, given: Sentences, runs: Sequence[Run], rows: Sequence[dict[str, Any]], context: Context
) -> list[dict[str, Any]]:
    """Rows with the BLEU on val of each run after its best epoch, as published at the end of a training."""
    artifact, found = artifact_of(context, "train_translator"), []
    for run in runs:
        if run.kind == "uniform":  # its performance enters no statistic
            continue
        best = max(accuracies(rows, run), key=lambda r: r["value"])  # the first of equal ones, as when it was kept
        config = config_of(params, given.pairs.vocab_size, run)
        model = load_checkpoint(artifact, run, BEST, lambda config=config: AttentionTranslator(config))
        model = model.to(context.device)
        said = translate(model, given, params.beams, params.max_length)
        found.append(row(run, best["step"], "best_bleu", corpus_bleu(said, given.references)))
    return found


def accuracies(rows: Sequence[dict[str, Any]], run: Run) -> list[dict[str, Any]]:
    """The rows with the accuracy of a run after each epoch."""
    return [r for r in rows if r["metric"] == "val_accuracy" and (r["kind"], r["seed"]) == (run.kind, run.seed)]


def row(run: Run, step: int, metric: str, value: float) -> dict[str, Any]:
    """A row of `training`."""
    return {"kind": run.kind, "seed": run.seed, "step": step, "metric": metric, "value": value}
