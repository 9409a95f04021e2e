"""From scores to curves: mean and interval over seeds, peaks, rank correlation between tasks, counts of NaN."""

import numpy as np
import pandas as pd
from scipy import stats

from metrics.glue import primary_metric
from orchestrator.experiment import Results, Summary
from tasks.analysis.runs import costs_by_line, over_runs
from tasks.analysis.summary import interval, summary
from tasks.data.examples import TASKS
from tasks.transient_chaos.glue_depth import figures
from tasks.transient_chaos.glue_depth.config import Config

LINE = ["task", "encoder", "training"]
"""The columns that tell one curve from another."""
CURVE = ["mean", "ci_low", "ci_high", "sd", "seeds", "nan"]
DIGITS = 12  # means that only the rounding of their sums tells apart are equal
PEAK = ["metric", "peak_depth", "value", "ci_low", "ci_high", "first_seed_peak", "last_seed_peak", "depths"]
CAPTIONS = {
    "peaks": "Depth at which each mean curve is highest, and the range of the depths at which single seeds peak.",
    "task_correlations": "Spearman's rank correlation between mean depth curves, over the depths that both have.",
    "nan_counts": "Scores that are NaN: constant predictions have no correlation. Means leave them out.",
    "costs": "Seconds on the workers, and layer applications to one sequence as counted while running.",
    "depth_curves": "Mean over seeds, 95 % interval (Student), standard deviation, number of seeds and of NaN.",
}


def task_metric(task: str) -> str:
    """The metric that a task is judged by: MNLI by its matched dev set."""
    return primary_metric(TASKS[task].metrics) + ("_matched" if task == "MNLI" else "")


def depth_curves(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a task, encoder, training, metric and depth: mean, 95 % interval, sd, counts of seeds and of NaN."""
    by = [*LINE, "metric", "depth"]
    table = over_runs(scores, by).rename(columns={"low": "ci_low", "high": "ci_high", "not_finite": "nan"})
    return table.assign(seeds=table["seeds"] + table["nan"])[[*by, *CURVE]]


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
        best = curve.loc[curve["mean"].round(DIGITS).idxmax()]
        own = scores[(scores[[*LINE, "metric"]] == [*key, best["metric"]]).all(axis=1)]
        by_seed = [g.loc[g["value"].idxmax(), "depth"] for _, g in own.dropna(subset="value").groupby("seed")]
        ends = best["ci_low"], best["ci_high"]
        peak = (best["metric"], int(best["depth"]), best["mean"], *ends, min(by_seed), max(by_seed), len(curve))
        rows.append((*key, *peak))
    return pd.DataFrame(rows, columns=[*LINE, *PEAK])


def task_correlations(curves: pd.DataFrame) -> pd.DataFrame:
    """Spearman's rank correlation between the mean depth curves of every two tasks, over the depths that both have.

    No p-value: neighbouring depths are not independent, so the textbook one would be far too small.
    """
    rows = []
    for key, group in primary_curves(curves).groupby(["encoder", "training"], sort=True):
        wide = group.pivot_table(index="depth", columns="task", values="mean", dropna=False).round(DIGITS)
        names = list(wide.columns)
        for i, first in enumerate(names):
            for second in names[i + 1 :]:
                both = wide[[first, second]].dropna()
                varies = len(both) > 2 and (both.max() > both.min()).all()
                rho = stats.spearmanr(both[first], both[second])[0] if varies else np.nan
                rows.append((*key, first, second, float(rho), len(both)))  # pyright: ignore[reportArgumentType]
    return pd.DataFrame(rows, columns=["encoder", "training", "task_a", "task_b", "spearman", "depths"])


def nan_counts(scores: pd.DataFrame) -> pd.DataFrame:
    """How many values of each curve and metric are NaN (constant predictions have no correlation); none: no row."""
    counts = scores.assign(nan=scores["value"].isna()).groupby([*LINE, "metric"], as_index=False)
    table = counts.agg(nan=("nan", "sum"), of=("nan", "size"))
    return table[table["nan"] > 0].reset_index(drop=True)


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep, whatever part of it is done."""
    scores, costs = results.table("scores"), results.table("costs")
    curves = depth_curves(scores)
    tables = {
        "peaks": peaks(scores, curves),
        "task_correlations": task_correlations(curves),
        "nan_counts": nan_counts(scores),
        "costs": costs_by_line(costs, LINE, ["encoder_seconds", "head_seconds", "layer_passes"], jobs=results.jobs),
        "depth_curves": curves,
    }
    drawn = figures.draw(primary_curves(curves), tables["task_correlations"], config.tasks)
    return summary(tables, drawn, CAPTIONS | figures.CAPTIONS, notes(scores, tables))


def notes(scores: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> list[str]:
    """Where each line is best, how many scores are NaN, and what it cost."""
    told = [
        f"{row.task}, {row.encoder} encoder, {row.training}: {row.metric} is highest at depth {row.peak_depth} "
        f"({row.value:.3f}, {interval(row.ci_low, row.ci_high)}; single seeds peak between {row.first_seed_peak} and "
        f"{row.last_seed_peak})."
        for row in tables["peaks"].itertuples()
    ]
    nan = int(scores["value"].isna().sum())
    told.append(f"{nan} of {len(scores)} scores are NaN" + (" (see nan_counts)." if nan else "."))
    cost = tables["costs"]
    if len(cost):
        told.append(f"{cost['layer_passes'].sum():,} layer passes in {cost['seconds'].sum():,.0f} seconds of work.")
    return told
