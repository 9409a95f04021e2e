"""The stage `gradient_confusion`: the gradient of each batch, once, and how alike any two are (README 2).

Dimensions: n gradients, S entries kept of each, B sentences of a micro-batch, T tokens.
"""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from metrics.gradient_similarity import cosines, distances, dots, grams, pair_statistics, pairs
from models.gradients import add_gradient, gradient_layout
from models.transformer import n_layers
from orchestrator.experiment import Context
from tasks.training.numerics import exact_numerics, synchronise, usable_bytes
from tasks.transfer.diagnostics.inputs import Batch, Sentences, open_network, open_sentences, published_dropout
from tasks.transfer.gradient_confusion.stages import FORWARD_AND_BACKWARD, ConfusionParams
from tasks.transfer.gradient_confusion.store import open_store

Rows = list[dict[str, Any]]


def confusion(params: ConfusionParams, context: Context) -> dict[str, Rows]:
    """Rows of all tables for one network on one task.

    The tokens are in `context.needs["tokens"]`, a checkpoint in `context.paths["model"]`, in `context.needs["model"]`
    (the model small) or on the hub.

    Raises:
        ValueError: sentences or network do not fit the parameters or each other, there are fewer than two batches, or
            the gradients have no room (`store.NoRoom`).
    """
    with exact_numerics():
        sentences = open_sentences(params, context, 2 * params.batch_size)
        pad_to = params.max_length if params.legacy_padding else None
        model = open_network(params, context, sentences, classifier=True, pad_to=pad_to)
        model.train(params.legacy_dropout)
        n, size = sentences.n_batches(params.batches, params.batch_size, whole=True), params.batch_size
        ids = (batch.input_ids for batch in sentences.batches(n, size, pad_to))
        layout = gradient_layout(model, ids)
        room = usable_bytes(context), context.memory_bytes // 4
        with open_store(n, layout.kept, sentences.dtype, sentences.device, *room) as store:
            clock = time.perf_counter()
            losses, tokens = [], 0
            for batch in range(n):
                loss = 0.0
                with store.row(batch) as row:
                    for micro, part in enumerate(micro_batches(sentences, params, batch)):
                        with published_dropout(model, params, "gradients", batch, micro):
                            share = 1 / params.accumulation
                            loss += share * add_gradient(model, layout, part.inputs, part.labels, share, row)
                        tokens += part.input_ids.numel()
                losses.append(loss)
            synchronise(sentences.device)
            middle = time.perf_counter()
            found = grams(store.blocks())
            seconds = {"encoder_seconds": middle - clock, "gram_seconds": time.perf_counter() - middle}
            kept = {
                "in_file": store.file is not None,
                "block_bytes": store.block_bytes,
                "peak_bytes": store.peak_bytes,
            }
    norms = np.sqrt(np.diag(found.plain))
    cost = {
        "gradients": n,
        "parameters": layout.total,
        "kept": layout.kept,
        **kept,
        "tokens": tokens,
        "layer_passes": FORWARD_AND_BACKWARD * n_layers(model) * n * size,
        **seconds,
    }
    values = {"cosine": cosines(found.plain), "dot": dots(found.plain), "l2": distances(found.centred)}
    return {
        "pairs": _pair_rows(values, n),
        "gradients": [
            {"batch": batch, "loss": loss, "norm": norm}
            for batch, (loss, norm) in enumerate(zip(losses, norms.tolist(), strict=True))
        ],
        "similarity": _similarity_rows(values["cosine"], n),
        "costs": [cost],
    }


def micro_batches(sentences: Sentences, params: ConfusionParams, batch: int) -> Iterator[Batch]:
    """The sentences of a batch in `accumulation` equal parts, each padded to its own longest (or to max_length)."""
    indices = sentences.order_N[batch * params.batch_size : (batch + 1) * params.batch_size]
    for part in np.split(indices, params.accumulation):
        yield sentences.batch(part, params.max_length if params.legacy_padding else None)


def _pair_rows(values: dict[str, np.ndarray], n: int) -> Rows:
    i, j = (index.tolist() for index in pairs(n))
    return [
        {"i": a, "j": b, "metric": metric, "value": value}
        for metric, found in values.items()
        for a, b, value in zip(i, j, found.tolist(), strict=True)
    ]


def _similarity_rows(cosines_Q: np.ndarray, n: int) -> Rows:
    counts = {"pairs": len(cosines_Q), "not_finite": int((~np.isfinite(cosines_Q)).sum())}
    return [
        {"metric": metric, "value": spread.value, "error": spread.error, **counts}
        for metric, spread in pair_statistics(cosines_Q, n).items()
    ]
