"""The stage `train_classifier`: one run, or several at once, with its checkpoints.

Dimensions: G runs trained at once, N documents, B documents of a batch, S positions.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

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
from tasks.attention.learning.runs import Run, run_named
from tasks.attention.learning.trainer import Trainer
from tasks.attention.texts.stages import Documents, Texts, open_texts
from tasks.training.loop import write_training
from tasks.training.numerics import exact_numerics, usable_bytes
from tasks.training.seeds import numpy_stream, torch_stream


def train_classifier(params: TrainParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `training` for all runs of the job; checkpoints and the same rows as an artifact.

    The documents are in `context.needs["data"]`.

    Raises:
        DataError: a document that is too long for memory.
        ValueError: word vectors of another width than the embedding, or none where they are asked for.
    """
    texts = open_texts(context.needs["data"])
    runs = [run_named(name) for name in params.runs]
    with exact_numerics():
        models = [new_classifier(params, run, texts).to(context.device) for run in runs]
        tokens = texts.train.tokens
        cells = len(runs) * min(params.batch_size, len(tokens)) * int(tokens.lengths.max(initial=0))
        needed = training_bytes(models[0].config, cells)
        check_memory(tokens, f"the training documents of {texts.name}", needed, usable_bytes(context))
        learner = models[0] if len(models) == 1 else StackedClassifiers.of(models)
        trainer = Trainer("train_classifier", params, context, texts.meta, learner, params.saves[-1])
        done = trainer.done
        orders = [batch_rows(run.seed, len(texts.train), params.batch_size, done.step) for run in runs]
        for _ in trainer.steps():
            losses_G = losses_of(learner, texts.train, [next(order) for order in orders], trainer.device)
            if losses := trainer.update(losses_G):
                done.rows += [
                    {"kind": run.kind, "seed": run.seed, "step": done.step, "loss": loss, "seconds": done.seconds}
                    for run, loss in zip(runs, losses, strict=True)
                ]
    write_training(trainer.artifact, done.rows)
    return {"training": done.rows}


def losses_of(
    learner: AttentionClassifier | StackedClassifiers,
    documents: Documents,
    rows: Sequence[np.ndarray],
    device: torch.device,
) -> Tensor:
    """Mean binary cross entropy of each run's own documents [G], in nats."""
    together = np.concatenate(rows)
    tokens, lengths = on_device(documents.tokens, together, device)
    labels = torch.from_numpy(np.asarray(documents.labels[together])).to(device, torch.float32)
    if isinstance(learner, AttentionClassifier):
        return functional.binary_cross_entropy_with_logits(learner(tokens, lengths).score_B, labels)[None]
    shape = (len(rows), len(rows[0]))
    return learner.losses(tokens.view(*shape, -1), lengths.view(shape), labels.view(shape))


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
