"""From scores to curves: mean and interval over seeds, peaks, rank correlation between tasks, counts of NaN."""

import numpy as np
import pandas as pd
from scipy import stats

from metrics.glue import primary_metric
from metrics.intervals import mean_interval
from orchestrator.experiment import Results, Summary
from tasks.data.examples import TASKS
from tasks.transient_chaos.glue_depth.config import Config
from tasks.transient_chaos.glue_depth.figures import correlation_figure, score_figure

LINE = ["task", "encoder", "training"]
"""The columns that tell one curve from another."""


def task_metric(task: str) -> str:
    """The metric that a task is judged by: MNLI by its matched dev set."""
    return primary_metric(TASKS[task].metrics) + ("_matched" if task == "MNLI" else "")


def depth_curves(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a task, encoder, training, metric and depth: mean, 95 % interval, sd, counts of seeds and of NaN."""
    rows = []
    for key, group in scores.groupby([*LINE, "metric", "depth"], sort=True):
        values = group["value"].to_numpy(dtype=float)
        mean, low, high = mean_interval(values)
        good = values[~np.isnan(values)]
        rows.append(
            dict(zip([*LINE, "metric", "depth"], key, strict=True))
            | {
                "mean": mean,
                "ci_low": low,
                "ci_high": high,
                "sd": float(good.std(ddof=1)) if len(good) > 1 else np.nan,
                "seeds": len(values),
                "nan": len(values) - len(good),
            }
        )
    columns = [*LINE, "metric", "depth", "mean", "ci_low", "ci_high", "sd", "seeds", "nan"]
    return pd.DataFrame(rows, columns=columns)


def primary_curves(curves: pd.DataFrame) -> pd.DataFrame:
    """The rows of the tasks' primary metrics."""
    return curves[curves["metric"] == curves["task"].map({task: task_metric(task) for task in TASKS})]


def peaks(scores: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The depth at which each curve's mean is largest (the shallowest of equals), and where the seeds alone peak."""
    rows = []
    for key, curve in primary_curves(curves).groupby(LINE, sort=True):
        curve = curve.dropna(subset="mean")
        if not len(curve):
            continue
        best = curve.loc[curve["mean"].idxmax()]
        own = scores[(scores[[*LINE, "metric"]] == [*key, best["metric"]]).all(axis=1)]
        by_seed = [g.loc[g["value"].idxmax(), "depth"] for _, g in own.dropna(subset="value").groupby("seed")]
        rows.append(
            dict(zip(LINE, key, strict=True))
            | {
                "metric": best["metric"],
                "peak_depth": int(best["depth"]),
                "value": best["mean"],
                "ci_low": best["ci_low"],
                "ci_high": best["ci_high"],
                "first_seed_peak": int(min(by_seed)),
                "last_seed_peak": int(max(by_seed)),
                "depths": len(curve),
            }
        )
    columns = [
        *LINE,
        "metric",
        "peak_depth",
        "value",
        "ci_low",
        "ci_high",
        "first_seed_peak",
        "last_seed_peak",
        "depths",
    ]
    return pd.DataFrame(rows, columns=columns)


def task_correlations(curves: pd.DataFrame) -> pd.DataFrame:
    """Spearman's rank correlation between the mean depth curves of every two tasks, over the depths that both have.

    No p-value: neighbouring depths are not independent, so the textbook one would be far too small.
    """
    rows = []
    for key, group in primary_curves(curves).groupby(["encoder", "training"], sort=True):
        wide = group.pivot_table(index="depth", columns="task", values="mean", dropna=False)
        names = list(wide.columns)
        for i, first in enumerate(names):
            for second in names[i + 1 :]:
                both = wide[[first, second]].dropna()
                varies = len(both) > 2 and (both.max() > both.min()).all()
                rho = stats.spearmanr(both[first], both[second])[0] if varies else np.nan
                rows.append((*key, first, second, float(rho), len(both)))  # pyright: ignore[reportArgumentType]
    return pd.DataFrame(rows, columns=["encoder", "training", "task_a", "task_b", "spearman", "depths"])


def costs_by_line(costs: pd.DataFrame, jobs: pd.DataFrame) -> pd.DataFrame:
    """Jobs, seconds and layer passes of each task, encoder and training."""
    if not len(costs):
        return pd.DataFrame(columns=[*LINE, "jobs", "seconds", "encoder_seconds", "head_seconds", "layer_passes"])
    joined = costs.merge(jobs[["job_id", "seconds"]], on="job_id", how="left")
    return joined.groupby(LINE, as_index=False).agg(
        jobs=("job_id", "nunique"),
        seconds=("seconds", "sum"),
        encoder_seconds=("encoder_seconds", "sum"),
        head_seconds=("head_seconds", "sum"),
        layer_passes=("layer_passes", "sum"),
    )


def nan_counts(scores: pd.DataFrame) -> pd.DataFrame:
    """How many values of each curve and metric are NaN (constant predictions have no correlation); none: no row."""
    counts = scores.assign(nan=scores["value"].isna()).groupby([*LINE, "metric"], as_index=False)
    table = counts.agg(nan=("nan", "sum"), of=("nan", "size"))
    return table[table["nan"] > 0].reset_index(drop=True)


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep, whatever part of it is done."""
    scores = results.table("scores")
    curves = depth_curves(scores)
    tables = {
        "peaks": peaks(scores, curves),
        "task_correlations": task_correlations(curves),
        "nan_counts": nan_counts(scores),
        "costs": costs_by_line(results.table("costs"), results.jobs),
        "depth_curves": curves,
    }
    captions = {
        "score_by_depth": "Dev score against the number of layers: mean over seeds, band = 95 % interval for the mean.",
        "task_rank_correlation": "Spearman's rank correlation between the tasks' mean depth curves.",
        "peaks": "Where each mean curve is highest, and the range over single seeds of the depth at which they peak.",
        "task_correlations": "Spearman's rank correlation between mean depth curves, over the depths that both have.",
        "nan_counts": "Values that are NaN: constant predictions have no correlation. Means leave them out.",
        "costs": "Seconds on the workers, and layer applications to one sequence as counted while running.",
        "depth_curves": "Mean over seeds, 95 % interval (Student), standard deviation, number of seeds and of NaN.",
    }
    figures = {}
    drawn = primary_curves(curves)
    if len(drawn):
        figures["score_by_depth"] = score_figure(drawn, config.tasks)
    if tables["task_correlations"]["spearman"].notna().any():
        figures["task_rank_correlation"] = correlation_figure(tables["task_correlations"], config.tasks)
    return Summary(tables=tables, figures=figures, captions=captions, notes=_notes(scores, tables))


def _notes(scores: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> list[str]:
    notes = [
        f"{row.task}, {row.encoder} encoder, {row.training}: {row.metric} is highest at depth {row.peak_depth} "
        f"({row.value:.3f}, 95 % interval {row.ci_low:.3f} to {row.ci_high:.3f}; single seeds peak between "
        f"{row.first_seed_peak} and {row.last_seed_peak})."
        for row in tables["peaks"].itertuples()
    ]
    nan = int(scores["value"].isna().sum())
    notes.append(f"{nan} of {len(scores)} scores are NaN" + (" (see nan_counts)." if nan else "."))
    if len(tables["costs"]):
        cost = tables["costs"]
        notes.append(f"{cost['layer_passes'].sum():,} layer passes in {cost['seconds'].sum():,.0f} seconds of work.")
    return notes
