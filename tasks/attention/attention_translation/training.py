"""The stage `train_translator`: one run, or several at once, with its checkpoints.

Beside the checkpoints of steps, `best.safetensors` has the weights after the epoch with the best token accuracy on val.
Each run has streams of its own for first weights, order and dropout, named by its seed; dropout also by the step, so
that a training that goes on draws the same.

Dimensions: G runs trained at once, B pairs of a batch, S source positions, T target positions.
"""

import itertools
from collections.abc import Sequence
from typing import Any

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
from tasks.attention.learning.runs import VAL, Run, run_named
from tasks.attention.learning.trainer import Trainer, load_checkpoint, save_checkpoint
from tasks.training.loop import data_orders, n_steps, write_training
from tasks.training.numerics import exact_numerics
from tasks.training.seeds import stream_seed


def train_translator(params: TrainParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `training` for all runs of the job; checkpoints and the same rows as an artifact.

    The pairs are in `context.needs["pairs"]`.

    Raises:
        ValueError: a checkpoint that the training never reaches.
    """
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
        learner = models[0] if len(models) == 1 else StackedTranslators.of(models)
        trainer = Trainer("train_translator", params, context, given.pairs.meta, learner, total)
        rows = train(trainer, learner, given, params)
        if params.beams:
            rows += best_bleu(trainer, given, params)
    write_training(trainer.artifact, rows)
    return {"training": rows}


def new_translator(config: TranslatorConfig, seed: int) -> AttentionTranslator:
    """First weights of a run, float32 on the CPU; those of a normal and a uniform run of one seed are equal."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "init"))
        return AttentionTranslator(config)


def train(
    trainer: Trainer, learner: AttentionTranslator | StackedTranslators, given: Sentences, params: TrainParams
) -> list[dict[str, Any]]:
    """All updates, and the accuracy on val after each epoch; returns the rows of the curve."""
    done, pairs = trainer.done, given.pairs.train
    per_epoch = n_steps(len(pairs), params.batch_size, 1)
    orders = zip(*(data_orders(run.seed, len(pairs), params.epochs) for run in trainer.runs), strict=True)
    streams = [torch.Generator(device=trainer.device) for _ in trainer.runs]
    order = next(itertools.islice(orders, done.step // per_epoch, None), ())
    for step in trainer.steps():
        start = step % per_epoch * params.batch_size
        batches = [padded_batch(pairs, one[start : start + params.batch_size].numpy(), trainer.device) for one in order]
        dropout = []
        for run, stream, (source, target) in zip(trainer.runs, streams, batches, strict=True):
            stream.manual_seed(stream_seed(run.seed, "dropout", step))
            config = config_of(params, given.pairs.vocab_size, run)
            dropout.append(draw_dropout(config, len(source), source.shape[1], target.shape[1] - 1, stream))
        if losses := trainer.update(losses_of(learner, batches, dropout)):
            done.rows += [row(run, done.step, "loss", loss) for run, loss in zip(trainer.runs, losses, strict=True)]
        if done.step % per_epoch == 0:
            validate(trainer, given)
            order = next(orders, ())
    return done.rows


def losses_of(
    learner: AttentionTranslator | StackedTranslators,
    batches: Sequence[tuple[Tensor, Tensor]],
    dropout: Sequence[DropoutMasks | None],
) -> Tensor:
    """Mean NLL of each run's own pairs [G], in nats a target position."""
    if isinstance(learner, AttentionTranslator):
        return learner.loss(*batches[0], dropout[0])[None]
    source, target = (stacked([pair[side] for pair in batches]) for side in (0, 1))
    return learner.losses(source, target, dropout)


def stacked(rows: Sequence[Tensor]) -> Tensor:
    """[B, S] of each run as one [G, B, S], padded at the end."""
    width = max(ids.shape[1] for ids in rows)
    return torch.stack([functional.pad(ids, (0, width - ids.shape[1]), value=PAD) for ids in rows])


def validate(trainer: Trainer, given: Sentences) -> None:
    """Add the token accuracy of each run to the rows, and keep its weights where they are its best so far."""
    for run, model in zip(trainer.runs, trainer.models, strict=True):
        own = [r["value"] for r in accuracies(trainer.done.rows, run)]
        accuracy = measure(model, given)[1][VAL]["all"]["accuracy"]
        trainer.done.rows.append(row(run, trainer.done.step, "val_accuracy", accuracy))
        if not own or accuracy > max(own):
            save_checkpoint(trainer.artifact, run, BEST, model)


def best_bleu(trainer: Trainer, given: Sentences, params: TrainParams) -> list[dict[str, Any]]:
    """Rows with the BLEU on val of each run after its best epoch, as published at the end of a training."""
    found = []
    for run in trainer.runs:
        if run.kind == "uniform":  # its performance enters no statistic
            continue
        # The first of equal ones, as when it was kept.
        best = max(accuracies(trainer.done.rows, run), key=lambda r: r["value"])
        config = config_of(params, given.pairs.vocab_size, run)
        model = load_checkpoint(trainer.artifact, run, BEST, lambda config=config: AttentionTranslator(config))
        said = translate(model.to(trainer.device), given, params.beams, params.max_length)
        found.append(row(run, best["step"], "best_bleu", corpus_bleu(said, given.references)))
    return found


def accuracies(rows: Sequence[dict[str, Any]], run: Run) -> list[dict[str, Any]]:
    """The rows with the accuracy of a run after each epoch."""
    return [r for r in rows if r["metric"] == "val_accuracy" and (r["kind"], r["seed"]) == (run.kind, run.seed)]


def row(run: Run, step: int, metric: str, value: float) -> dict[str, Any]:
    """A row of `training`."""
    return {"kind": run.kind, "seed": run.seed, "step": step, "metric": metric, "value": value}
