"""The figures of `glue_depth`, drawn from its summary tables."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tasks.analysis.palette import ENCODERS
from tasks.analysis.panels import curve, legend, line_handle, of, panels, say_empty

CAPTIONS = {
    "score_by_depth": "Dev score against the number of layers: mean over seeds, band = 95 % interval for the mean.",
    "task_rank_correlation": "Spearman's rank correlation between the tasks' mean depth curves.",
}
STYLES = {"frozen": {"linestyle": "-", "marker": "o"}, "finetuned": {"linestyle": "--", "marker": "s"}}


def draw(curves: pd.DataFrame, correlations: pd.DataFrame, tasks: Sequence[str]) -> dict[str, Figure]:
    """The figures of which there is something to see.

    Args:
        curves: rows of one metric a task, as `reduce.depth_curves` gives them.
        correlations: as `reduce.task_correlations` gives them.
        tasks: the panels, in this order; those without rows are left out.
    """
    figures = {}
    if len(curves):
        figures["score_by_depth"] = score_figure(curves, tasks)
    if correlations["spearman"].notna().any():
        figures["task_rank_correlation"] = correlation_figure(correlations, tasks)
    return figures


def score_figure(curves: pd.DataFrame, tasks: Sequence[str]) -> Figure:
    """A panel a task: the primary metric's mean over seeds against depth, a line an encoder and training."""
    curves = curves.rename(columns={"ci_low": "low", "ci_high": "high"})
    shown = [task for task in tasks if (curves["task"] == task).any()]
    columns = min(3, len(shown))
    figure, axes = panels(-(-len(shown) // columns), columns, width=3.7)
    for axis in axes.flat[len(shown) :]:
        axis.set_visible(False)
    handles = {}
    for axis, task in zip(axes.flat, shown, strict=False):
        own = of(curves, task=task)
        for (encoder, training), line in own.groupby(["encoder", "training"], sort=True):
            curve(axis, line, "depth", ENCODERS[encoder], **STYLES[training])
            label = f"{encoder}, {training}"
            handles[label] = line_handle(label, ENCODERS[encoder], **STYLES[training])
        axis.set_title(task)
        axis.set_ylabel(own["metric"].iloc[0].replace("_", " "))
        axis.set_xlabel("layers")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        low, high = own["mean"].min(), own["mean"].max()
        if np.isnan(low):
            say_empty(axis, "all values are NaN")
            continue
        # The interval of few seeds can be wider than the curve is high; the curve is what the panel is for.
        margin = 0.35 * (high - low) + 0.01
        axis.set_ylim(low - margin, high + margin)
    legend(figure, handles)
    return figure


def correlation_figure(correlations: pd.DataFrame, tasks: Sequence[str]) -> Figure:
    """A panel an encoder and training: the matrix of rank correlations between tasks (blank where undefined)."""
    groups = list(correlations.groupby(["encoder", "training"], sort=True))
    figure, axes = panels(1, len(groups), width=3.4, height=2.9)
    image = None
    for axis, (key, group) in zip(axes.flat, groups, strict=True):
        axis.grid(False)
        names = [t for t in tasks if t in set(group["task_a"]) | set(group["task_b"])]
        matrix = np.full((len(names), len(names)), np.nan)
        np.fill_diagonal(matrix, 1.0)
        for row in group.itertuples():
            i, j = names.index(str(row.task_a)), names.index(str(row.task_b))
            matrix[i, j] = matrix[j, i] = row.spearman
        image = axis.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r")
        for (i, j), value in np.ndenumerate(matrix):
            if not np.isnan(value):
                axis.text(
                    j, i, f"{value:.2f}", ha="center", va="center", fontsize=8, color="w" if abs(value) > 0.6 else "k"
                )
        axis.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axis.set_yticks(range(len(names)), names)
        axis.set_title(f"{key[0]}, {key[1]}")
    if image is not None:
        figure.colorbar(image, ax=list(axes.flat), shrink=0.8, label="Spearman's ρ")
    return figure
