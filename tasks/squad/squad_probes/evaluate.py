"""The stage `probe_evaluate`: EM and F1 of every probe's predictions; reads files only."""

from typing import Any

import numpy as np

from metrics.squad import Scorer
from orchestrator.experiment import Context
from tasks.squad.evaluation import HALVES, score_rows, second_half
from tasks.squad.questions.windows import Windows, open_windows
from tasks.squad.squad_probes.predictions import read_losses, read_predictions
from tasks.squad.squad_probes.stages import PROBE_KEY, PredictParams

Rows = list[dict[str, Any]]


def evaluate(params: PredictParams, context: Context) -> dict[str, Rows]:
    """Rows of `scores` and `baselines`; predictions and windows are in `context.needs`.

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
        rows = score_rows(windows.questions, windows.paragraphs, predictions, scorer)
        scores += [{**lead, **row} for row in rows]
        if lead["decoder"] == "proper":
            loss = loss_of[tuple(lead[name] for name in PROBE_KEY)]
            scores.append({**lead, "part": "all", "metric": "loss", "value": loss})
    return {"scores": scores, "baselines": baseline_rows(windows)}


def baseline_rows(windows: Windows) -> Rows:
    """How many dev questions there are of each kind, and the score of never answering, in percent."""
    second_Q = second_half(windows.questions, windows.paragraphs)
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
