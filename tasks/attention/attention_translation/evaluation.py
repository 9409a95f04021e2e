"""The stages `evaluate_translator` and `translator_delta`: scores of a checkpoint in one pass over the sentences.

Delta of many sentences comes in chunks of bounded memory.

Dimensions: B batch, S source positions, T target positions.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from metrics.bleu import corpus_bleu
from models.attention_translator import AttentionTranslator, TranslatorConfig
from models.beam_search import beam_search
from models.translator_delta import batch_bytes, deltas
from models.translator_scores import Pass, contributions, read_batch, teacher_forced
from orchestrator.experiment import Context
from tasks.attention.attention_translation.items import Sentences, padded_batch, sentences
from tasks.attention.attention_translation.stages import (
    PAIRS,
    TRAINING_JOB,
    DeltaParams,
    EvaluateParams,
    TranslatorParams,
)
from tasks.attention.learning.opened import write_delta
from tasks.attention.learning.runs import Run
from tasks.attention.learning.scores import part_masks, performance_rows, write_scores
from tasks.attention.learning.trainer import load_checkpoint
from tasks.attention.ragged import artifact_of
from tasks.training.numerics import exact_numerics, usable_bytes

PAIR_BYTES = 64  # of host and device memory that a pair (t, s) of the batch in hand takes: numbers, indices, copies
CHUNK_BYTES = (
    1 << 27
)  # that a chunk's cotangents may hold; a constant, since kernels round differently for other shapes


def evaluate_translator(params: EvaluateParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `performance`, and the scores as artifact.

    Raises:
        DataError: the pairs or the checkpoint are missing.
        ValueError: a sentence is too long for the memory.
    """
    artifact = artifact_of(context, "evaluate_translator")
    given = sentences(context.needs[PAIRS], params.splits)
    check_memory(given, context)
    with exact_numerics():
        model = checkpoint(params, given, Run(params.kind, params.seed), params.step, context)
        values, performance = measure(model, given, params.quantities)
        if params.beams:
            add_bleu(performance, given, translate(model, given, params.beams, params.max_length))
    write_scores(artifact, given.layout.scores(values, performance))
    return {"performance": performance_rows(performance)}


def translator_delta(params: DeltaParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Delta of the gold run at each checkpoint that the statistics use, as scores without performance.

    Raises:
        DataError: pairs, checkpoints or scores are missing.
        ValueError: a sentence is too long for the memory, or no checkpoint can be chosen.
    """
    given = sentences(context.needs[PAIRS], params.splits)
    check_memory(given, context)

    def delta_at(run: Run, step: int) -> np.ndarray:
        return sentence_deltas(checkpoint(params, given, run, step, context), given)

    write_delta(context, params, params.splits, params.performances, given.layout, delta_at)
    return {}


def checkpoint(
    params: TranslatorParams, given: Sentences, run: Run, step: int, context: Context
) -> AttentionTranslator:
    """The weights of a run after `step` updates, on the job's device."""
    config = config_of(params, given.pairs.vocab_size, run)
    model = load_checkpoint(context.needs[TRAINING_JOB], run, step, lambda: AttentionTranslator(config))
    return model.to(context.device)


def config_of(params: TranslatorParams, vocab_size: int, run: Run) -> TranslatorConfig:
    """The sizes of a run's translator."""
    return TranslatorConfig(
        vocab_size=vocab_size,
        hidden=params.hidden,
        layers=params.layers,
        dropout=params.dropout,
        uniform=run.kind == "uniform",
    )


def check_memory(given: Sentences, context: Context) -> None:
    """Refuse sentences whose pairs of positions do not fit.

    Raises:
        ValueError: with the sentence and the bytes.
    """
    wanted = given.source.lengths * given.predicted * PAIR_BYTES
    most = int(wanted.argmax())
    if wanted[most] > usable_bytes(context):
        raise ValueError(
            f"{given.pairs.name}, sentence {most} of those evaluated: {given.source.lengths[most]} source and "
            f"{given.predicted[most]} target positions want {wanted[most] >> 20} MiB, more than the "
            f"{usable_bytes(context) >> 20} MiB there are; take the sentence out or give the job more memory"
        )


def measure(
    model: AttentionTranslator, given: Sentences, quantities: Sequence[str] = ()
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, dict[str, float]]]]:
    """(flat quantities, accuracy in percent and perplexity by split and part) of all sentences."""
    device = model.embedding.weight.device
    offsets = given.offsets
    values = {name: np.empty(offsets[-1], dtype=np.float32) for name in quantities if name != "delta"}
    right, nll = np.zeros(len(given.source)), np.zeros(len(given.source))
    for rows in given.batches():
        read = read_batch(model, *padded_batch(given, rows, device))
        log_p, best = teacher_forced(model, read)
        right[rows] = (best & read.words_BT).sum(1).cpu().numpy()
        nll[rows] = -log_p.double().sum(1).cpu().numpy()
        if values:
            place(values, offsets, rows, model, read)
    if "delta" in quantities:
        values["delta"] = sentence_deltas(model, given)
    return values, performance_of(given, right, nll)


def place(
    values: Mapping[str, np.ndarray], offsets: np.ndarray, rows: np.ndarray, model: AttentionTranslator, read: Pass
) -> None:
    """Put the quantities of a batch at its real pairs where its sentences stand."""
    found = {}
    if "alpha" in values:
        found["alpha"] = read.alpha_BTS[read.pairs].cpu().numpy()
    if "beta" in values:
        found["beta"] = contributions(model, read).cpu().numpy()
    start = 0
    for first, last in zip(offsets[rows].tolist(), offsets[rows + 1].tolist(), strict=True):
        for name, flat in found.items():
            values[name][first:last] = flat[start : start + last - first]
        start += last - first


def performance_of(given: Sentences, right: np.ndarray, nll: np.ndarray) -> dict[str, dict[str, dict[str, float]]]:
    """Accuracy and perplexity over target positions; NaN of a half without sentences."""
    out = {}
    for split in given.items:
        out[split] = {}
        for part, rows in part_rows(given, split).items():
            count = float(given.predicted[rows].sum())
            out[split][part] = {
                "accuracy": 100 * float(right[rows].sum()) / count if count else math.nan,
                "perplexity": float(np.exp(nll[rows].sum() / count)) if count else math.nan,
            }
    return out


def part_rows(given: Sentences, split: str) -> dict[str, np.ndarray]:
    """Numbers of the sentences of a split, and of each half of it."""
    inside = np.flatnonzero(given.split == split)
    return {part: inside[chosen] for part, chosen in part_masks(given.half[inside]).items()}


def translate(model: AttentionTranslator, given: Sentences, beams: int, max_length: int) -> list[str]:
    """The best hypothesis of beam search for each sentence, as text."""
    device = model.embedding.weight.device
    said: list[list[int]] = [[] for _ in range(len(given.source))]
    for rows in given.batches():
        source, _ = padded_batch(given, rows, device)
        tokens, _ = beam_search(model, source, min(beams, model.config.vocab_size), max_length)
        for row, ids in zip(rows.tolist(), tokens[:, 0].tolist(), strict=True):
            said[row] = ids
    return given.pairs.subwords.decode(said)


def add_bleu(performance: Mapping[str, Mapping[str, dict[str, float]]], given: Sentences, said: Sequence[str]) -> None:
    """BLEU of each split and part beside the other performances; NaN of a half without sentences."""
    for split, parts in performance.items():
        for part, chosen in part_rows(given, split).items():
            rows = [int(row) for row in chosen]
            wanted = [given.references[row] for row in rows]
            parts[part]["bleu"] = corpus_bleu([said[row] for row in rows], wanted) if rows else math.nan


def sentence_deltas(model: AttentionTranslator, given: Sentences) -> np.ndarray:
    """Delta of all sentences as a flat quantity, float32."""
    device = model.embedding.weight.device
    offsets = given.offsets
    flat = np.empty(offsets[-1], dtype=np.float32)
    for rows, together in delta_chunks(model, given.source.lengths, given.predicted):
        delta_BTS = deltas(model, *padded_batch(given, rows, device), together).cpu().numpy()
        for number, row in enumerate(rows.tolist()):
            T, S = int(given.predicted[row]), int(given.source.lengths[row])
            flat[offsets[row] : offsets[row + 1]] = delta_BTS[number, :T, :S].ravel()
    return flat


def delta_chunks(
    model: AttentionTranslator, sources: np.ndarray, targets: np.ndarray, limit: int = CHUNK_BYTES
) -> Iterator[tuple[np.ndarray, int]]:
    """(sentences of similar lengths, cotangents that go back together), within `limit` bytes where one fits at all."""
    order = np.lexsort((targets, sources))
    start = 0
    while start < len(order):
        stop, S, T = start, 0, 0
        while stop < len(order):
            wider, longer = max(S, int(sources[order[stop]])), max(T, int(targets[order[stop]]))
            if stop > start and (stop + 1 - start) * batch_bytes(model, wider, longer) > limit:
                break
            stop, S, T = stop + 1, wider, longer
        rows = order[start:stop]
        yield rows, max(1, limit // batch_bytes(model, S, 1))
        start = stop
