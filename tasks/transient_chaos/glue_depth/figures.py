"""The figures of `glue_depth`, drawn from its summary tables."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

COLOURS = {"pretrained": "#1f5fa8", "random": "#d1701c"}
DASHES = {"frozen": "-", "finetuned": "--"}
MARKERS = {"frozen": "o", "finetuned": "s"}


def score_figure(curves: pd.DataFrame, tasks: Sequence[str]) -> Figure:
    """A panel a task: the primary metric's mean over seeds against depth, a line an encoder and training.

    Args:
        curves: rows of one metric a task, as `depth_curves` gives them.
        tasks: the panels, in this order; those without rows are left out.
    """
    shown = [task for task in tasks if (curves["task"] == task).any()]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(1.2 + 3.7 * columns, 0.9 + 2.7 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat[len(shown) :]:
        axis.set_visible(False)
    for axis, task in zip(axes.flat, shown, strict=False):
        own = curves[curves["task"] == task]
        for key, line in own.groupby(["encoder", "training"], sort=True):
            encoder, training = str(key[0]), str(key[1])
            line = line.sort_values("depth")
            axis.plot(
                line["depth"],
                line["mean"],
                DASHES[training],
                color=COLOURS[encoder],
                marker=MARKERS[training],
                markersize=3,
                linewidth=1.4,
                label=f"{encoder}, {training}",
            )
            axis.fill_between(line["depth"], line["ci_low"], line["ci_high"], color=COLOURS[encoder], alpha=0.15, lw=0)
        axis.set_title(task, fontsize=11)
        axis.set_ylabel(str(own["metric"].iloc[0]).replace("_", " "))
        axis.set_xlabel("layers")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(True, linestyle="--", linewidth=0.5, alpha=0.6)
        axis.spines[["top", "right"]].set_visible(False)
        low, high = own["mean"].min(), own["mean"].max()
        if np.isnan(low):
            axis.text(0.5, 0.5, "all values are NaN", ha="center", va="center", transform=axis.transAxes)
            continue
        # The interval of few seeds can be wider than the curve is high; the curve is what the panel is for.
        margin = 0.35 * (high - low) + 0.01
        axis.set_ylim(low - margin, high + margin)
    handles = {
        label: handle for axis in axes.flat for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def correlation_figure(correlations: pd.DataFrame, tasks: Sequence[str]) -> Figure:
    """A panel an encoder and training: the matrix of rank correlations between tasks (blank where undefined)."""
    groups = list(correlations.groupby(["encoder", "training"], sort=True))
    figure = Figure(figsize=(1.4 + 3.4 * len(groups), 3.9), layout="constrained")
    axes = figure.subplots(1, len(groups), squeeze=False)[0]
    image = None
    for axis, (key, group) in zip(axes, groups, strict=True):
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
        axis.set_title(f"{key[0]}, {key[1]}", fontsize=11)
    if image is not None:
        figure.colorbar(image, ax=axes, shrink=0.8, label="Spearman's ρ")
    return figure
