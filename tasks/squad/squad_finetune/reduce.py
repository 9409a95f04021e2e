"""From scores to tables: mean and interval over seeds, decoders beside each other, published numbers beside ours."""

import numpy as np
import pandas as pd

from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import of
from tasks.analysis.runs import costs_by_line, over_runs
from tasks.analysis.summary import interval, missing, summary
from tasks.squad.published import END_TO_END, METRICS, EndToEnd, same_name
from tasks.squad.questions.plan import fault_notes
from tasks.squad.scores import shown_in
from tasks.squad.squad_finetune import figures
from tasks.squad.squad_finetune.config import Config
from tasks.squad.squad_finetune.stages import NEVER

TRAINED_FROM = {
    "twmkn9/albert-base-v2-squad2": "albert/albert-base-v2",
    "twmkn9/bert-base-uncased-squad2": "google-bert/bert-base-uncased",
    "twmkn9/distilbert-base-uncased-squad2": "distilbert/distilbert-base-uncased",
    "twmkn9/distilroberta-base-squad2": "distilbert/distilroberta-base",
}
"""The published checkpoints, and the pretrained models that they were trained from."""


KEYS = ["model", "decoder", "part", "metric"]
CAPTIONS = {
    "main": "Means over seeds in percent, all dev questions. best_f1: with the threshold that is best on the same "
    "questions (optimistic); cross_f1: with that of the other half of the articles; forced: no answer forbidden.",
    "scores": "Mean over seeds, 95 % interval (Student), standard deviation, number of seeds and of NaN.",
    "published_beside": "Ours by the decoder of run_squad beside the published end-to-end scores (6,078 questions of "
    "CS224N, one seed) of the same model; other questions than those are not comparable.",
    "data": "Questions, windows, and what was wrong in the data.",
    "costs": "Seconds on the workers, and layer applications to one window, all seeds together.",
}


def score_table(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a model, decoder, part and metric: mean over seeds, 95 % interval, sd, counts of seeds and of NaN.

    A threshold may be -inf (never answer): its mean is then -inf too, and has no interval.
    """
    raw = scores.assign(raw=scores["value"], nan=scores["value"].isna())
    table = over_runs(raw, KEYS, count="known", raw=("raw", "mean"), nan=("nan", "sum"), seeds=("nan", "size"))
    infinite = np.isinf(table["raw"].to_numpy(dtype=float))
    table = table.rename(columns={"low": "ci_low", "high": "ci_high"})
    table.loc[infinite, "mean"] = table.loc[infinite, "raw"]
    table.loc[infinite, ["ci_low", "ci_high", "sd"]] = np.nan
    return table[[*KEYS, "mean", "ci_low", "ci_high", "sd", "seeds", "nan"]]


def main_table(table: pd.DataFrame) -> pd.DataFrame:
    """A row a model and decoder with the means over all questions, in percent."""
    own = table[(table["part"] == "all") & table["metric"].isin(shown_in("main"))]
    wide = own.pivot_table(index=["model", "decoder"], columns="metric", values="mean").reset_index()
    wide.columns.name = None
    return wide


def published_row(model: str) -> EndToEnd | None:
    """The published scores of a model: of the checkpoint itself, or of the one that was trained from it."""
    for row in END_TO_END:
        names = [name for name in (row.checkpoint, TRAINED_FROM.get(row.checkpoint)) if name]
        if any(same_name(model, name) for name in names):
            return row
    return None


def published_beside(table: pd.DataFrame, questions: dict[str, int]) -> pd.DataFrame:
    """Ours by the published decoder (n_best) beside the published numbers, for the models that are the same.

    `questions`: how many each model was scored on; the published were 6,078.
    """
    columns = ["model", "metric", "published", "ours", "ci_low", "ci_high", "difference", "seeds", "questions"]
    rows = []
    for row in table[(table["decoder"] == "n_best") & (table["part"] == "all")].itertuples():
        published = published_row(row.model)
        if published is None or row.metric not in METRICS:
            continue
        value = getattr(published, row.metric)
        ours = (row.mean, row.ci_low, row.ci_high, row.mean - value, row.seeds)
        rows.append((row.model, row.metric, value, *ours, questions.get(row.model, 0)))
    return pd.DataFrame(rows, columns=columns)


def cost_table(costs: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Seconds and layer passes of each model, all seeds together."""
    sums = {"steps": "steps", "train_seconds": "train_seconds", "train_layer_passes": "layer_passes"}
    trained = costs_by_line(training, ["model"], sums).rename(columns={"jobs": "trainings"})
    sums = {"evaluate_seconds": "encoder_seconds", "decode_seconds": "decode_seconds"}
    sums |= {"evaluate_layer_passes": "layer_passes"}
    evaluated = costs_by_line(costs, ["model"], sums, ["questions", "windows"])[
        ["model", "questions", "windows", *sums]
    ]
    tables = [table for table in (trained, evaluated) if len(table)]
    return trained.merge(evaluated, on="model") if len(tables) == 2 else tables[0] if tables else trained


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep, whatever part of it is done."""
    scores, costs = results.table("scores"), results.table("costs")
    curves, training = results.table("training_curves"), results.table("training_costs")
    table = score_table(scores)
    questions = dict(zip(costs["model"], costs["questions"], strict=True)) if len(costs) else {}
    data = results.table("data")
    tables = {
        "main": main_table(table),
        "published_beside": published_beside(table, questions),
        "data": data[[name for name in ("tokenizer", "split", "metric", "value") if name in data]],
        "costs": cost_table(costs, training),
        "scores": table,
    }
    told = notes(scores, table, config)
    told += fault_notes(data[["split", "metric", "value"]].itertuples(index=False, name=None))
    return summary(tables, figures.draw(scores, table, curves), CAPTIONS | figures.CAPTIONS, told)


def notes(scores: pd.DataFrame, table: pd.DataFrame, config: Config) -> list[str]:
    """What each model scores, beside never answering; what is missing."""
    mean = table[table["part"] == "all"].set_index(["model", "decoder", "metric"])["mean"]
    told = []
    for row in of(table, part="all", decoder="exhaustive", metric="f1").itertuples():
        spread = "" if row.seeds < 2 else f" ({interval(row.ci_low, row.ci_high, '.2f')} over {row.seeds} seeds)"
        told.append(
            f"{row.model}: F1 {row.mean:.2f}{spread}, exact match {mean[row.model, 'exhaustive', 'exact']:.2f}; never "
            f"answering gives {mean[row.model, NEVER, 'f1']:.2f}."
        )
    if "evaluate" in config.stages:
        seeds = len(config.finetune_seeds) if "train" in config.stages else 1
        told += missing(scores["job_id"].nunique(), len(config.models) * seeds, "evaluations")
        nan = int(scores["value"].isna().sum())
        told.append(f"{nan} of {len(scores)} scores are NaN" + (": a class of questions is empty." if nan else "."))
    return told
