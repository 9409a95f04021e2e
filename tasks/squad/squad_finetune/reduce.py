"""From scores to tables: mean and interval over seeds, decoders beside each other, published numbers beside ours."""

import numpy as np
import pandas as pd

from metrics.intervals import mean_interval
from orchestrator.experiment import Results, Summary
from tasks.squad.faults import fault_notes
from tasks.squad.published import END_TO_END, EndToEnd, same_name
from tasks.squad.squad_finetune.config import Config
from tasks.squad.squad_finetune.figures import loss_figure, score_figure

SCORES = ("exact", "f1", "has_exact", "has_f1", "no_exact")
"""The metrics that were published."""
TRAINED_FROM = {
    "twmkn9/albert-base-v2-squad2": "albert/albert-base-v2",
    "twmkn9/bert-base-uncased-squad2": "google-bert/bert-base-uncased",
    "twmkn9/distilbert-base-uncased-squad2": "distilbert/distilbert-base-uncased",
    "twmkn9/distilroberta-base-squad2": "distilbert/distilroberta-base",
}
"""The published checkpoints, and the pretrained models that they were trained from."""


def score_table(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a model, decoder, part and metric: mean over seeds, 95 % interval, sd, counts of seeds and of NaN."""
    keys = ["model", "decoder", "part", "metric"]
    rows = []
    for key, group in scores.groupby(keys, sort=True) if len(scores) else ():
        values = group["value"].to_numpy(dtype=float)
        good = values[~np.isnan(values)]
        # Thresholds may be -inf (never answer): their spread is no number.
        mean, low, high = mean_interval(values) if np.isfinite(good).all() else (float(np.mean(good)), np.nan, np.nan)
        sd = float(good.std(ddof=1)) if len(good) > 1 and np.isfinite(good).all() else np.nan
        found = {"mean": mean, "ci_low": low, "ci_high": high, "sd": sd, "seeds": len(values)}
        rows.append(dict(zip(keys, key, strict=True)) | found | {"nan": len(values) - len(good)})
    return pd.DataFrame(rows, columns=[*keys, "mean", "ci_low", "ci_high", "sd", "seeds", "nan"])


def main_table(table: pd.DataFrame) -> pd.DataFrame:
    """A row a model and decoder with the means over all questions, in percent."""
    own = table[(table["part"] == "all") & table["metric"].isin([*SCORES, "best_f1", "cross_f1", "forced_has_f1"])]
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
        if published is None or row.metric not in SCORES:
            continue
        value = getattr(published, row.metric)
        ours = (row.mean, row.ci_low, row.ci_high, row.mean - value, row.seeds)
        rows.append((row.model, row.metric, value, *ours, questions.get(row.model, 0)))
    return pd.DataFrame(rows, columns=columns)


def cost_table(costs: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Seconds and layer passes of each model, all seeds together."""
    tables = []
    if len(training):
        trained = training.groupby("model", as_index=False)
        tables.append(
            trained.agg(
                trainings=("job_id", "nunique"),
                steps=("steps", "sum"),
                train_seconds=("train_seconds", "sum"),
                train_layer_passes=("layer_passes", "sum"),
            )
        )
    if len(costs):
        evaluated = costs.groupby("model", as_index=False)
        tables.append(
            evaluated.agg(
                questions=("questions", "first"),
                windows=("windows", "first"),
                evaluate_seconds=("encoder_seconds", "sum"),
                decode_seconds=("decode_seconds", "sum"),
                evaluate_layer_passes=("layer_passes", "sum"),
            )
        )
    if not tables:
        return pd.DataFrame(columns=["model"])
    return tables[0] if len(tables) == 1 else tables[0].merge(tables[1], on="model", how="outer")


CAPTIONS = {
    "scores_by_model": "Dev scores of each model with its own span head (exhaustive decoder): mean over seeds, "
    "bar = 95 % interval for the mean where there are several, dots = seeds.",
    "training_loss": "Training loss, a line a seed: half the cross entropies of start and end position together.",
    "main": "Means over seeds in percent, all dev questions. best_f1: with the threshold that is best on the same "
    "questions (optimistic); cross_f1: with that of the other half of the articles; forced: no answer forbidden.",
    "scores": "Mean over seeds, 95 % interval (Student), standard deviation, number of seeds and of NaN.",
    "published_beside": "Ours by the decoder of run_squad beside the published end-to-end scores (6,078 questions of "
    "CS224N, one seed) of the same model; other questions than those are not comparable.",
    "data": "Questions, windows, and what was wrong in the data.",
    "costs": "Seconds on the workers, and layer applications to one window, all seeds together.",
}


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
    figures = {}
    drawn = scores[(scores["decoder"] == "exhaustive") & (scores["part"] == "all")]
    if len(drawn):
        never = table[(table["decoder"] == "never") & (table["part"] == "all") & (table["metric"] == "exact")]
        figures["scores_by_model"] = score_figure(drawn, table, float(never["mean"].mean()))
    if len(curves):
        figures["training_loss"] = loss_figure(curves)
    captions = {name: text for name, text in CAPTIONS.items() if name in tables or name in figures}
    return Summary(
        tables=tables, figures=figures, captions=captions, notes=_notes(scores, table, config) + fault_notes(data)
    )


def _notes(scores: pd.DataFrame, table: pd.DataFrame, config: Config) -> list[str]:
    every = table[table["part"] == "all"].set_index(["model", "decoder", "metric"])
    notes = []
    for model in sorted(set(table["model"])):
        f1, exact, never = (
            every.loc[(model, decoder, metric)]
            for decoder, metric in (("exhaustive", "f1"), ("exhaustive", "exact"), ("never", "f1"))
        )
        span = "" if f1["seeds"] < 2 else f", 95 % interval {f1['ci_low']:.2f} to {f1['ci_high']:.2f}"
        seeds = "" if f1["seeds"] < 2 else f" over {int(f1['seeds'])} seeds"
        notes.append(
            f"{model}: F1 {f1['mean']:.2f}{span}, exact match {exact['mean']:.2f}{seeds}; never answering gives "
            f"{never['mean']:.2f}."
        )
    if "evaluate" in config.stages:
        seeds = len(config.finetune_seeds) if "train" in config.stages else 1
        planned = len(config.models) * seeds
        done = scores["job_id"].nunique()
        if done < planned:
            notes.append(f"{planned - done} of {planned} evaluations are missing.")
        nan = int(scores["value"].isna().sum())
        notes.append(f"{nan} of {len(scores)} scores are NaN" + (": a class of questions is empty." if nan else "."))
    return notes
