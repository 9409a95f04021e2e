"""The stage `squad_evaluate`: a model with its own span head answers the dev questions, by three decoders.

Dimensions: B windows of a batch, T tokens of the longest of them, N windows, Q questions.
"""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from transformers import PreTrainedModel

from metrics.n_best import n_best_list
from metrics.spans import Spans, best_spans, legacy_spans, null_scores
from metrics.squad import Scorer
from models.transformer import n_layers, span_logits
from orchestrator.experiment import Context
from tasks.encoders.transformer_loading import load_reader_here
from tasks.squad.decoding import Predictions, decode, legacy_decode
from tasks.squad.evaluation import score_rows
from tasks.squad.questions.windows import Windows, open_windows
from tasks.squad.squad_finetune.stages import NEVER, SEARCHES, EvaluateParams
from tasks.training.numerics import exact_numerics, synchronise

BATCH_WINDOWS = 32


def squad_evaluate(params: EvaluateParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `scores` and `costs`; the predictions go into `context.artifact` (see `write_predictions`).

    `context.needs`: `windows`, and `model` where the sweep trained it; a given checkpoint is in
    `context.paths["model"]` or on the hub.

    Raises:
        ValueError: the model has no span head or does not fit the tokens, or its logits are not finite.
    """
    if "windows" not in context.needs:
        raise ValueError('context.needs has no "windows"; plan a windows job that this one needs')
    windows = open_windows(context.needs["windows"], "dev")
    with exact_numerics():
        reader = load_reader_here(
            params,
            context,
            vocab_size=windows.meta["vocab_size"],
            pad_token_id=windows.meta["pad_token_id"],
            longest=int(windows.lengths.max()),
        )
        clock = time.perf_counter()
        found = window_spans(reader, windows, params)
        synchronise(reader.device)
    encoder_seconds = time.perf_counter() - clock
    clock = time.perf_counter()
    predictions = decoded(windows, found)
    scorer = Scorer(windows.questions.answers)
    scores = [
        {"decoder": decoder, **row}
        for decoder, own in predictions.items()
        for row in score_rows(windows.questions.paragraph, windows.paragraphs.articles, own, scorer)
    ]
    cost = {
        "questions": len(windows.questions.ids),
        "windows": len(windows),
        "layer_passes": n_layers(reader) * len(windows),
        "encoder_seconds": encoder_seconds,
        "decode_seconds": time.perf_counter() - clock,
    }
    if context.artifact is not None:
        write_predictions(context.artifact, windows.questions.ids, predictions)
        write_n_best(context.artifact, windows, found["logits"], params)
    return {"scores": scores, "costs": [cost]}


@torch.no_grad()
def window_spans(reader: PreTrainedModel, windows: Windows, params: EvaluateParams) -> dict[str, np.ndarray]:
    """The best span of every window by each decoder of SEARCHES, [N, 3] float64 (score, start, end), `null` [N], and
    the `logits` [2, N, T] float32 (start, end; -inf behind a window's end): 20 MB for 6,400 windows of 384.

    Windows of like length pass together; no number depends on which, but for rounding. Logits of padding are left out
    of every search, so that the n_best largest are the window's own whatever it is padded to.
    """
    N, device = len(windows), reader.device
    out: dict[str, np.ndarray] = {name: np.empty((N, 3)) for name in SEARCHES} | {"null": np.empty(N)}
    out["logits"] = np.full((2, N, int(windows.lengths.max())), -np.inf, np.float32)
    order = np.argsort(windows.lengths, kind="stable")
    for first in range(0, N, BATCH_WINDOWS):
        indices = order[first : first + BATCH_WINDOWS]
        batch = windows.batch(indices)
        inputs = (batch.input_ids, batch.token_type_ids, batch.attention_mask)
        start_BT, end_BT = (x.cpu() for x in span_logits(reader, *(x.to(device) for x in inputs)))
        padding_BT = batch.attention_mask == 0
        start_BT, end_BT = (x.masked_fill(padding_BT, -torch.inf) for x in (start_BT, end_BT))
        out["logits"][:, indices, : start_BT.shape[1]] = torch.stack([start_BT, end_BT]).float().numpy()
        out["null"][indices] = null_scores(start_BT, end_BT).numpy()
        allowed = (batch.max_context, batch.allowed, params.max_answer_length)
        spans = {
            "exhaustive": best_spans(start_BT, end_BT, *allowed),
            "n_best": best_spans(start_BT, end_BT, *allowed, n_best=params.n_best),
            "legacy": legacy_spans(
                start_BT, end_BT, batch.context_start, batch.context_end, params.legacy_answer_length
            ),
        }
        for name, own in spans.items():
            out[name][indices] = _columns(own)
    return out


def decoded(windows: Windows, found: dict[str, np.ndarray]) -> dict[str, Predictions]:
    """Predictions of each decoder, and of never answering."""
    null = found["null"]
    predictions = {}
    for name in ("exhaustive", "n_best"):
        score, start, end = found[name].T
        predictions[name] = decode(windows, score, start, end, null)
    score, start, end = found["legacy"].T
    predictions["legacy"] = legacy_decode(windows, score, start, end, null, start > 0)
    predictions[NEVER] = Predictions(text=[""] * len(windows.questions.ids))
    return predictions


def _columns(spans: Spans) -> np.ndarray:
    return torch.stack([spans.score.double(), spans.start.double(), spans.end.double()], dim=-1).numpy()


def write_predictions(directory: Path, ids: list[str], predictions: dict[str, Predictions]) -> None:
    """`predictions.parquet` (question_id, decoder, text, best_text, null_odds), and two files that the official
    evaluation reads: `predictions.json` {id: text} and `null_odds.json` {id: number} of the exhaustive decoder."""
    parts = []
    for decoder in SEARCHES:
        own = predictions[decoder]
        parts.append(
            pa.table(
                {
                    "question_id": pa.array(ids, pa.string()),
                    "decoder": pa.array([decoder] * len(ids), pa.string()),
                    "text": pa.array(own.text, pa.string()),
                    "best_text": pa.array(own.best_text or [None] * len(ids), pa.string()),
                    "null_odds": pa.array([None] * len(ids) if own.null_odds is None else own.null_odds, pa.float64()),
                }
            )
        )
    pq.write_table(pa.concat_tables(parts), directory / "predictions.parquet")
    default = predictions["exhaustive"]
    assert default.null_odds is not None
    files = {"predictions.json": default.text, "null_odds.json": default.null_odds.tolist()}
    for name, values in files.items():
        (directory / name).write_text(json.dumps(dict(zip(ids, values, strict=True))), encoding="utf-8")


def write_n_best(directory: Path, windows: Windows, logits_2NT: np.ndarray, params: EvaluateParams) -> None:
    """`nbest.json` as run_squad writes it: {id: [{text, probability, start_logit, end_logit}]}, the best first."""
    T = logits_2NT.shape[2]
    first = np.searchsorted(windows.question, np.arange(len(windows.questions.ids) + 1))  # a question's stand together
    listed = {}
    for q, id_ in enumerate(windows.questions.ids):
        own = np.arange(first[q], first[q + 1])
        batch = windows.batch(own, pad_to=T)
        start_WT, end_WT = logits_2NT[:, own]
        found = n_best_list(
            start_WT,
            end_WT,
            batch.max_context.numpy(),
            batch.allowed.numpy(),
            lambda w, a, b, own=own: windows.text(int(own[w]), a, b),
            longest=params.max_answer_length,
            n_best=params.n_best,
        )
        listed[id_] = [
            {
                "text": one.text,
                "probability": one.probability,
                "start_logit": one.start_logit,
                "end_logit": one.end_logit,
            }
            for one in found
        ]
    (directory / "nbest.json").write_text(json.dumps(listed), encoding="utf-8")
