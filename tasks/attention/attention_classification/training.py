"""The stage `train_classifier`: one run, or several at once, with its checkpoints.

Adam with its default settings on the mean binary cross entropy of a batch, no clipping, no decay.

Dimensions: G runs trained at once, N documents, B documents of a batch, S positions.
"""

import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.attention_classifier import AttentionClassifier, training_bytes
from models.stacked_classifiers import StackedClassifiers
from orchestrator.experiment import Context
from tasks.attention.attention_classification.evaluation import config_of
from tasks.attention.attention_classification.items import check_memory, on_device
from tasks.attention.attention_classification.stages import TrainParams
from tasks.attention.learning import saved_state
from tasks.attention.learning.runs import Run, run_named
from tasks.attention.learning.saved_state import Progress, artifact_of, digest, resume, save, save_checkpoint
from tasks.attention.texts.stages import Documents, Texts, open_texts
from tasks.training.loop import write_training
from tasks.training.numerics import exact_numerics, usable_bytes
from tasks.training.seeds import numpy_stream, torch_stream
from tasks.training.steps import is_curve_point


class Learner(Protocol):
    """One classifier, or a stack of them."""

    def parameters(self) -> list[Tensor]: ...

    def losses(self, tokens_GBS: Tensor, lengths_GB: Tensor, labels_GB: Tensor) -> Tensor:
        """Mean binary cross entropy of each run's batch [G], in nats."""
        ...

    def unstack(self) -> list[AttentionClassifier]: ...


class Alone:
    """One classifier as it is: packed sequences, and cuDNN on a GPU."""

    def __init__(self, model: AttentionClassifier):
        self._model = model

    def parameters(self) -> list[Tensor]:
        return list(self._model.parameters())

    def losses(self, tokens_GBS: Tensor, lengths_GB: Tensor, labels_GB: Tensor) -> Tensor:
        score_B = self._model(tokens_GBS[0], lengths_GB[0]).score_B
        return functional.binary_cross_entropy_with_logits(score_B, labels_GB[0])[None]

    def unstack(self) -> list[AttentionClassifier]:
        return [self._model]


def train_classifier(params: TrainParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `training` for all runs of the job; checkpoints and the same rows as an artifact.

    The documents are in `context.needs["data"]`.

    Raises:
        DataError: a document that is too long for memory.
        ValueError: word vectors of another width than the embedding, or none where they are asked for.
    """
    artifact = artifact_of(context, "train_classifier")
    texts = open_texts(context.needs["data"])
    runs = [run_named(name) for name in params.runs]
    with exact_numerics():
        models = [new_classifier(params, run, texts).to(context.device) for run in runs]
        tokens = texts.train.tokens
        cells = len(runs) * min(params.batch_size, len(tokens)) * int(tokens.lengths.max(initial=0))
        needed = training_bytes(models[0].config, cells)
        check_memory(tokens, f"the training documents of {texts.name}", needed, usable_bytes(context))
        learner: Learner = Alone(models[0]) if len(models) == 1 else StackedClassifiers.of(models)
        rows = train(learner, runs, texts, params, context)
    write_training(artifact, rows)
    return {"training": rows}


def train(
    learner: Learner, runs: Sequence[Run], texts: Texts, params: TrainParams, context: Context
) -> list[dict[str, Any]]:
    """All updates, from the newest saved state on; writes checkpoints and returns the rows of the curve."""
    parameters, steps, artifact = learner.parameters(), params.saves[-1], artifact_of(context, "train_classifier")
    optimiser = torch.optim.Adam(parameters, lr=params.learning_rate, fused=True)
    belongs = digest("train_classifier", params, texts.meta)
    done = resume(context, parameters, optimiser, belongs) or Progress(rows=[], losses=[0.0] * len(runs))
    orders = [batch_rows(run.seed, len(texts.train), params.batch_size, done.step) for run in runs]
    summed_G = torch.tensor(done.losses, device=parameters[0].device)
    begun, saved = time.perf_counter() - done.seconds, time.perf_counter()
    while done.step < steps:
        if done.step in params.saves:
            keep(learner, runs, done.step, artifact)
            if done.step and time.perf_counter() - saved >= saved_state.STATE_SECONDS:
                done.losses, done.seconds = summed_G.tolist(), time.perf_counter() - begun
                save(context, done, parameters, optimiser, belongs)
                saved = time.perf_counter()
        summed_G += update(learner, optimiser, texts.train, [next(order) for order in orders])
        done.step, done.since = done.step + 1, done.since + 1
        if is_curve_point(done.step - 1, steps, params.curve_points):
            losses, seconds = (summed_G / done.since).tolist(), time.perf_counter() - begun
            done.rows += [
                {"kind": run.kind, "seed": run.seed, "step": done.step, "loss": loss, "seconds": seconds}
                for run, loss in zip(runs, losses, strict=True)
            ]
            summed_G, done.since = torch.zeros_like(summed_G), 0
    keep(learner, runs, steps, artifact)
    return done.rows


def keep(learner: Learner, runs: Sequence[Run], step: int, artifact: Path) -> None:
    """Write the weights of all runs after `step` updates."""
    for run, model in zip(runs, learner.unstack(), strict=True):
        save_checkpoint(artifact, run, step, model)


def batch_rows(seed: int, documents: int, batch_size: int, first: int = 0) -> Iterator[np.ndarray]:
    """The documents [B] of step `first` and of all later ones; each depends on the seed and its step alone.

    The list of documents is reshuffled at every step divisible by floor(N / batch), and step t takes the places
    t batch … (t + 1) batch - 1, modulo N, of the current list: where batch does not divide N the window begins at a
    rotating place, and leaves out N mod batch documents, others in each epoch. With fewer documents than a batch
    every step takes all of them in a new order; the published code stopped there.
    """
    size, period = min(batch_size, documents), max(1, documents // batch_size)
    places = np.arange(size)
    order_N, shuffled = np.empty(0, dtype=np.int64), -1
    for step in itertools.count(first):
        if step // period != shuffled:
            shuffled = step // period
            order_N = numpy_stream(seed, "attention_classification", "order", shuffled).permutation(documents)
        yield order_N[(step * size + places) % documents]


def update(
    learner: Learner, optimiser: torch.optim.Optimizer, documents: Documents, rows: Sequence[np.ndarray]
) -> Tensor:
    """One step of each run on its own documents; returns their losses before it [G]."""
    device = learner.parameters()[0].device
    together = np.concatenate(rows)
    tokens, lengths = on_device(documents.tokens, together, device)
    labels = torch.from_numpy(np.asarray(documents.labels[together])).to(device, learner.parameters()[0].dtype)
    shape = (len(rows), len(rows[0]))
    losses_G = learner.losses(tokens.view(*shape, -1), lengths.view(shape), labels.view(shape))
    optimiser.zero_grad(set_to_none=True)
    losses_G.sum().backward()
    optimiser.step()
    return losses_G.detach()


def new_classifier(params: TrainParams, run: Run, texts: Texts) -> AttentionClassifier:
    """A run's classifier before its first update; the draw depends on the seed alone.

    Raises:
        ValueError: word vectors of another width than the embedding, or none where they are asked for.
    """
    vectors = None
    if params.pretrained_embeddings:
        if texts.vectors is None or texts.vector_ids is None:
            raise ValueError(f"{texts.name} has no word vectors of its tokens: give --word-vectors FILE")
        vectors = (torch.from_numpy(np.array(texts.vector_ids)), torch.from_numpy(np.array(texts.vectors)))
    generator = torch_stream(run.seed, "attention_classification", "init")
    return AttentionClassifier(config_of(params, len(texts.vocabulary), run)).initialise(generator, vectors)
