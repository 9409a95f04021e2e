"""The stages `probe_predict` and `probe_evaluate`: decode every probe in both ways, and score what it says.

Predicting is one pass of the dev windows through the encoder; scoring reads files only.

Neither states nor logits outlive their batch: of each window only the best span and the null score of each probe are
kept, 40 bytes. Questions are decided when all windows are through.

Dimensions: V levels (L + 1), G probes a level, B windows of a batch, T tokens, H hidden, N windows.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from metrics.spans import best_spans, legacy_spans, null_scores
from metrics.squad import Scorer
from orchestrator.experiment import Context
from tasks.squad.decoding import decode, legacy_decode
from tasks.squad.evaluation import score_rows, second_half
from tasks.squad.questions.windows import Windows, open_windows
from tasks.squad.scores import HALVES
from tasks.squad.squad_probes.artifacts import (
    DECODERS,
    PREDICTIONS,
    SCHEMA,
    predictions_table,
    read_losses,
    read_predictions,
    read_probes,
    write_losses,
)
from tasks.squad.squad_probes.stages import PROBE_KEY, PredictParams
from tasks.squad.squad_probes.states import FrozenEncoder, encoded_together, open_frozen
from tasks.squad.squad_probes.training import Rows, cost_row
from tasks.training.numerics import exact_numerics, synchronise, usable_bytes

KEPT_BYTES = 40  # of a window and probe: two decoders' scores, starts and ends, and the null score


def predict(params: PredictParams, context: Context) -> dict[str, Rows]:
    """Write `predictions.parquet` and `losses.json` into `context.artifact`; rows of `costs`.

    Probes are in `context.needs["adam"]` and `context.needs["lbfgs"]` (one of them at least), the questions in
    `context.needs["windows"]`, the encoder where `open_frozen` looks.

    Raises:
        ValueError: an artifact is missing, or probes, windows and encoder do not fit each other.
    """
    if context.artifact is None:
        raise ValueError("probe_predict writes predictions: give context.artifact, an empty directory")
    with exact_numerics():
        encoder = open_frozen(params, context, "dev")
        windows, budget = encoder.windows, usable_bytes(context)
        weights_VGH2, probes = _probes(params, context, encoder)
        group = max(1, budget // 4 // (KEPT_BYTES * len(weights_VGH2) * len(windows)))
        together = encoded_together(encoder, budget // 2)
        losses: list[np.ndarray] = []
        probe_seconds = 0.0
        with pq.ParquetWriter(context.artifact / PREDICTIONS, SCHEMA, compression="zstd") as writer:
            for first in range(0, len(probes), group):
                chosen = slice(first, first + group)
                kept, seconds = _decode_windows(params, encoder, weights_VGH2[:, chosen], together)
                losses.append(kept.loss_VG)
                for table in _tables(windows, kept, probes[chosen]):
                    writer.write_table(table)
                probe_seconds += seconds
    write_losses(context.artifact, np.concatenate(losses, axis=1), probes)
    return {"costs": [cost_row(encoder, len(windows), len(probes), probe_seconds)]}


def _probes(params: PredictParams, context: Context, encoder: FrozenEncoder) -> tuple[Tensor, list[dict[str, Any]]]:
    """Weights [V, G, H, 2] of all probes on the encoder's device, and what each is."""
    found = [read_probes(context.needs[name]) for name in ("adam", "lbfgs") if name in context.needs]
    if not found:
        raise ValueError('context.needs has neither "adam" nor "lbfgs"; plan jobs that train probes')
    weights = torch.cat([weights_VG2H for weights_VG2H, _ in found], dim=1).transpose(2, 3)
    probes = [probe for _, several in found for probe in several]
    if weights.shape[0] != encoder.n_levels or weights.shape[2] != encoder.width:
        raise ValueError(
            f"the probes are for {weights.shape[0]} levels of width {weights.shape[2]}, {params.model} has "
            f"{encoder.n_levels} of {encoder.width}; train them again"
        )
    return weights.to(encoder.device, encoder.dtype).contiguous(), probes


@dataclass(kw_only=True)
class Kept:
    """What is kept of every window: arrays [V, G, N] a decoder."""

    score: dict[str, np.ndarray]
    start: dict[str, np.ndarray]
    end: dict[str, np.ndarray]
    null: np.ndarray
    loss_VG: np.ndarray
    """Mean over windows of (start + end)/2 cross entropies, nats."""


@torch.no_grad()
def _decode_windows(
    params: PredictParams, encoder: FrozenEncoder, weights_VGH2: Tensor, together: int
) -> tuple[Kept, float]:
    """Spans of all windows, probes and levels, and the seconds that this took beside the encoder's."""
    V, G, H, _ = weights_VGH2.shape
    N = len(encoder.windows)
    kept = Kept(
        score={name: np.empty((V, G, N)) for name in DECODERS},
        start={name: np.empty((V, G, N), np.int32) for name in DECODERS},
        end={name: np.empty((V, G, N), np.int32) for name in DECODERS},
        null=np.empty((V, G, N)),
        loss_VG=np.zeros((V, G)),
    )
    flat_VHG = weights_VGH2.permute(0, 2, 1, 3).reshape(V, H, G * 2)
    seconds = 0.0
    by_length = np.argsort(-encoder.windows.lengths, kind="stable")
    for low in range(0, N, together):
        levels, batch = encoder.states(by_length[low : low + together])
        clock = time.perf_counter()
        B, T = levels[0].shape[:2]
        at, device = batch.windows.numpy(), encoder.device
        targets_2B = torch.stack([batch.start, batch.end]).to(device)
        context_start_B, context_end_B = batch.context_start.to(device), batch.context_end.to(device)
        allowed_BT, max_context_BT = batch.allowed.to(device), batch.max_context.to(device)
        position_T = torch.arange(T, device=device)
        context_BT = (position_T >= context_start_B[:, None]) & (position_T < context_end_B[:, None])
        for level, h_BTH in enumerate(levels):  # the logits of all levels at once would be far larger than the states
            logits = h_BTH.reshape(B * T, H) @ flat_VHG[level]
            logits_2GBT = logits.view(B, T, G, 2).permute(3, 2, 0, 1).contiguous()
            kept.loss_VG[level] += _losses(logits_2GBT, allowed_BT, targets_2B)
            start_GBT, end_GBT = logits_2GBT
            kept.null[level][:, at] = null_scores(start_GBT, end_GBT).cpu().numpy()
            proper = best_spans(start_GBT, end_GBT, max_context_BT, context_BT, longest=params.max_answer_length)
            legacy = legacy_spans(
                start_GBT,
                end_GBT,
                context_start_B,
                context_end_B,
                longest=params.legacy_answer_length,
                threshold=params.legacy_threshold,
            )
            for name, spans in zip(DECODERS, (proper, legacy), strict=True):
                kept.score[name][level][:, at] = spans.score.cpu().numpy()
                kept.start[name][level][:, at] = spans.start.cpu().numpy()
                kept.end[name][level][:, at] = spans.end.cpu().numpy()
        synchronise(device)
        seconds += time.perf_counter() - clock
    kept.loss_VG /= N
    return kept, seconds


def _losses(logits_2GBT: Tensor, allowed_BT: Tensor, targets_2B: Tensor) -> np.ndarray:
    """Sum over the windows of (start + end)/2 cross entropies [G], nats, under the mode's softmax."""
    logs = logits_2GBT.masked_fill(~allowed_BT, -torch.inf).double()
    index = targets_2B[:, None, :, None].expand(2, logs.shape[1], -1, 1)
    losses_2GB = logs.logsumexp(-1) - logs.gather(-1, index)[..., 0]
    return losses_2GB.mean(0).sum(-1).cpu().numpy()


def _tables(windows: Windows, kept: Kept, probes: list[dict[str, Any]]) -> Iterator[pa.Table]:
    """A table a level, probe and decoder, in that order: one row group each of the Parquet file."""
    ids = pa.array(windows.questions.ids, pa.string())
    for level in range(len(kept.null)):
        for g, probe in enumerate(probes):
            null_N = kept.null[level, g]
            for name in DECODERS:
                score_N, start_N, end_N = (x[name][level, g] for x in (kept.score, kept.start, kept.end))
                if name == "proper":
                    found = decode(windows, score_N, start_N, end_N, null_N)
                else:
                    found = legacy_decode(windows, score_N, start_N, end_N, null_N, answered_N=start_N > 0)
                yield predictions_table({"level": level, **probe, "decoder": name}, ids, found)


def evaluate(params: PredictParams, context: Context) -> dict[str, Rows]:
    """Score the predictions: rows of `scores` and `baselines`; predictions and windows are in `context.needs`.

    Raises:
        ValueError: an artifact is missing, or the predictions are for other questions.
    """
    for name in ("predictions", "windows"):
        if name not in context.needs:
            raise ValueError(f"context.needs has no {name!r}; plan the job that makes it")
    windows = open_windows(context.needs["windows"], "dev")
    scorer = Scorer(windows.questions.answers)
    loss_of = read_losses(context.needs["predictions"])
    scores: Rows = []
    for lead, ids, predictions in read_predictions(context.needs["predictions"]):
        if ids != windows.questions.ids:
            raise ValueError(f"{context.needs['predictions']}: predictions for other questions; run its job again")
        rows = score_rows(windows.questions.paragraph, windows.paragraphs.articles, predictions, scorer)
        scores += [{**lead, **row} for row in rows]
        if lead["decoder"] == "proper":
            loss = loss_of[tuple(lead[name] for name in PROBE_KEY)]
            scores.append({**lead, "part": "all", "metric": "loss", "value": loss})
    return {"scores": scores, "baselines": baseline_rows(windows)}


def baseline_rows(windows: Windows) -> Rows:
    """How many dev questions there are of each kind, and the score of never answering, in percent."""
    second_Q = second_half(windows.questions.paragraph, windows.paragraphs.articles)
    rows: Rows = [{"part": "all", "metric": "windows", "value": float(len(windows.lengths))}]
    for part, own_Q in (("all", np.ones_like(second_Q)), (HALVES[0], ~second_Q), (HALVES[1], second_Q)):
        answerable = windows.questions.has_answer[own_Q]
        counts = {"questions": len(answerable), "answerable": int(answerable.sum())}
        null = 100.0 * (1 - answerable.mean()) if len(answerable) else float("nan")
        rows += [
            {"part": part, "metric": name, "value": float(value)}
            for name, value in {**counts, "always_null": null}.items()
        ]
    return rows
