"""The files with a model's answers: all decoders' as Parquet, and those that the official tools read as JSON."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from metrics.n_best import n_best_list
from tasks.squad.decoding import Predictions
from tasks.squad.questions.windows import Windows
from tasks.squad.squad_finetune.params import EvaluateParams

FOUND = ("exhaustive", "n_best", "legacy")
"""The decoders that look for spans."""


def write_predictions(directory: Path, ids: list[str], predictions: dict[str, Predictions]) -> None:
    """`predictions.parquet` (question_id, decoder, text, best_text, null_odds), and two files that the official
    evaluation reads: `predictions.json` {id: text} and `null_odds.json` {id: number} of the exhaustive decoder."""
    parts = []
    for decoder in FOUND:
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
