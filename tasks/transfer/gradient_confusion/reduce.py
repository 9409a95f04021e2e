"""From the rows of `gradient_confusion` to tables, figures and sentences, whatever part of the sweep is done."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import of, short
from tasks.data.examples import task_info
from tasks.transfer.diagnostics.lines import LINE, beside, over_seeds, shift_label
from tasks.transfer.gradient_confusion.captions import CAPTIONS
from tasks.transfer.gradient_confusion.config import Config
from tasks.transfer.gradient_confusion.figures import boxes_figure, confusion_figure


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences; an empty table stays away, and the notes say what is missing."""
    pairs, similarity = results.table("pairs"), results.table("similarity")
    cosine = of(pairs, metric="cosine")
    statistics = with_errors(similarity)
    pretraining = results.table("pretraining")
    tables = {
        "similarity_over_seeds": statistics,
        "beside": beside(statistics, ["metric"]),
        "gradients": of_gradients(results.table("gradients")),
        "costs": costs_by_line(results.table("costs")),
        "pretraining": pretraining[~pretraining["metric"].isin(["loss", "learning_rate"])],
    }
    figures = draw(cosine)
    told = notes(tables, pairs, results, config)
    tables = {name: table for name, table in tables.items() if len(table)}
    captions = {name: text for name, text in CAPTIONS.items() if name in tables or name in figures}
    return Summary(tables=tables, figures=figures, captions=captions, notes=told)


def draw(cosine: pd.DataFrame) -> dict[str, Figure]:
    """Both figures, if there is a cosine to show."""
    if not np.isfinite(cosine["value"].to_numpy(dtype=float)).any():
        return {}
    return {"cosine_boxes": boxes_figure(cosine), "confusion": confusion_figure(cosine)}


def with_errors(similarity: pd.DataFrame) -> pd.DataFrame:
    """`over_seeds` of each statistic, and beside it the mean of the standard errors within a seed."""
    statistics = over_seeds(similarity, ["metric"])
    within = similarity.groupby([*LINE, "metric"], as_index=False)["error"].mean()
    return statistics.merge(within.rename(columns={"error": "within_error"}), on=[*LINE, "metric"], how="left")


def of_gradients(gradients: pd.DataFrame) -> pd.DataFrame:
    """`over_seeds` of loss and norm."""
    parts = [
        over_seeds(gradients.assign(metric=name, value=gradients[name].astype(float)), ["metric"])
        for name in ("loss", "norm")
    ]
    known = [part for part in parts if len(part)]
    return pd.concat(known, ignore_index=True) if known else parts[0]


def costs_by_line(costs: pd.DataFrame) -> pd.DataFrame:
    """What the jobs of each line cost, added up; of sizes the largest."""
    return costs.groupby(LINE, as_index=False).agg(
        jobs=("job_id", "nunique"),
        gradients=("gradients", "sum"),
        parameters=("parameters", "max"),
        kept=("kept", "max"),
        peak_bytes=("peak_bytes", "max"),
        through_a_file=("in_file", "sum"),
        layer_passes=("layer_passes", "sum"),
        encoder_seconds=("encoder_seconds", "sum"),
        gram_seconds=("gram_seconds", "sum"),
    )


def notes(tables: dict[str, pd.DataFrame], pairs: pd.DataFrame, results: Results, config: Config) -> list[str]:
    """What came out, what is missing, and what is not finite."""
    told = []
    for (model, task, shift), line in tables["beside"].groupby(LINE[:-1]):
        by = line.set_index("metric")
        told.append(
            f"{short(model)}, {task}, {shift_label(shift)}: least cosine {by.loc['min', 'mean_pretrained']:.3f} "
            f"pretrained, {by.loc['min', 'mean_random']:.3f} random; share of negative ones "
            f"{by.loc['negative_share', 'mean_pretrained']:.3f} and {by.loc['negative_share', 'mean_random']:.3f}."
        )
    regressions = [task for task in pd.unique(pairs["task"]) if task_info(task).is_regression]
    if regressions:
        told.append(
            f"{', '.join(regressions)}: a regression. With a new head the mean error dominates every gradient, so "
            "cosines near 1 are expected of any network and tell nothing of this one."
        )
    if config.legacy_dropout:
        told.append("Dropout was on, as published: every gradient has noise of its own masks.")
    planned = len(config.models) * len(config.tasks) * len(config.encoders) * len(config.seeds) * len(config.shifts)
    done = results.table("costs")["job_id"].nunique()
    if done < planned:
        told.append(f"{planned - done} of {planned} networks and tasks are missing.")
    bad = int((~np.isfinite(pairs["value"].to_numpy(dtype=float))).sum())
    told.append(f"{bad:,} of {len(pairs):,} values of pairs are not finite" + (", and left out." if bad else "."))
    cost = tables["costs"]
    if len(cost):
        seconds = cost["encoder_seconds"].sum() + cost["gram_seconds"].sum()
        told.append(f"{cost['layer_passes'].sum():,} layer passes in {seconds:,.0f} seconds of work.")
    return told
