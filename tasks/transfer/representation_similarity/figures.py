"""The figures of `representation_similarity`, drawn from its summary tables."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from tasks.analysis.panels import file_name, legend, line_handle, of, panels, say_empty, short
from tasks.transfer.comparison.lines import COLOURS, NAMES, pair_name

METRICS = {"pwcca_mean": "PWCCA", "svcca": "SVCCA", "cka": "CKA"}
MAPS = (
    ("pwcca_mean", "mean", "PWCCA"),
    ("pwcca_mean", "above_null", "PWCCA - independent"),
    ("pwcca_mean", "above_shuffled", "PWCCA - shuffled"),
    ("cka", "above_shuffled", "CKA - shuffled"),
)
"""Metric, column, label of each row of maps."""
FEW = 7
"""Levels of either side up to which a map's values are written into it."""


def draw(levels: pd.DataFrame, last: pd.DataFrame) -> dict[str, Figure]:
    """All figures by name: last levels, and maps of all level pairs for each model and protein task."""
    figures = {"last": last_figure(last)}
    for (model, task), rows in levels.groupby(["model", "protein_task"], observed=True):
        if len(rows[["level_first", "level_second"]].drop_duplicates()) > 1:
            figures[f"maps-{file_name(short(str(model)))}-{task}"] = maps_figure(rows)
    return figures


def maps_figure(rows: pd.DataFrame) -> Figure:
    """A column a pair of encoders, a row of `MAPS` each; a row has one scale."""
    pairs = [pair for pair in COLOURS if (rows["pair"] == pair).any()]
    most = int(rows[["level_first", "level_second"]].max().max()) + 1
    size = min(4.4, max(2.4, 0.62 * most))
    figure, axes = panels(len(MAPS), len(pairs), width=size + 0.5, height=size)
    for (metric, column, label), line in zip(MAPS, axes, strict=True):
        tables = [grid(of(rows, metric=metric, pair=pair), column) for pair in pairs]
        known = np.concatenate([table.to_numpy().ravel() for table in tables])
        known = known[np.isfinite(known)]
        largest = float(np.abs(known).max()) if len(known) else 1.0
        style = {"cmap": "viridis", "vmin": 0, "vmax": 1} if column == "mean" else {"cmap": "RdBu_r"}
        if column != "mean":
            style |= {"vmin": -max(largest, 1e-3), "vmax": max(largest, 1e-3)}
        image = None
        for axis, pair, table in zip(line, pairs, tables, strict=True):
            first, second = (NAMES[name] for name in pair.split("-"))
            found = _map(axis, table, style)
            image = found or image
            axis.set_xlabel(f"level of {second}")
            axis.set_ylabel(f"level of {first}")
            axis.set_title(label, fontsize=10)
        if image is not None:
            figure.colorbar(image, ax=list(line), label=label, shrink=0.85, pad=0.02)
    model, task = rows["model"].iloc[0], rows["protein_task"].iloc[0]
    figure.suptitle(f"{short(str(model))} on {task}", fontsize=11)
    return figure


def grid(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """[levels of the first, levels of the second], both ascending."""
    return rows.pivot_table(index="level_first", columns="level_second", values=column, dropna=False)


def _map(axis: Axes, table: pd.DataFrame, style: dict[str, Any]) -> Any:
    values = table.to_numpy(dtype=float)
    axis.grid(False)
    axis.set_xticks(range(table.shape[1]), [str(level) for level in table.columns])
    axis.set_yticks(range(table.shape[0]), [str(level) for level in table.index])
    if not np.isfinite(values).any():
        say_empty(axis)
        return None
    image = axis.imshow(values, origin="lower", **style)
    if max(values.shape) <= FEW:
        for (i, j), value in np.ndenumerate(values):
            if np.isfinite(value):
                red, green, blue, _ = image.cmap(image.norm(value))
                dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
                axis.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=8, color="w" if dark else "k")
    return image


def last_figure(last: pd.DataFrame) -> Figure:
    """A panel a model and protein task: the metrics of each pair at the last levels, beside both nulls."""
    keys = list(last.groupby(["model", "protein_task"], observed=True).groups)
    columns = min(3, len(keys))
    figure, axes = panels(-(-len(keys) // columns), columns, width=4.6, height=3.1, sharey=True)
    for axis in axes.flat[len(keys) :]:
        axis.set_visible(False)
    for axis, (model, task) in zip(axes.flat, keys, strict=False):
        table = of(last, model=model, protein_task=task)
        shown = [pair for pair in COLOURS if (table["pair"] == pair).any()]
        for at, metric in enumerate(METRICS):
            for k, pair in enumerate(shown):
                _point(axis, of(table, metric=metric, pair=pair), at + 0.22 * (k - (len(shown) - 1) / 2), COLOURS[pair])
        if not np.isfinite(table["mean"]).any():
            say_empty(axis)
        axis.set_xticks(range(len(METRICS)), list(METRICS.values()))
        axis.set_xlim(-0.5, len(METRICS) - 0.5)
        axis.set_ylim(-0.03, 1.03)
        axis.yaxis.set_major_locator(MaxNLocator(6))
        rows = int(table["n_rows"].max())
        axis.set_title(f"{short(str(model))} on {task}, {rows:,} rows", fontsize=10)
    for axis in axes[:, 0]:
        axis.set_ylabel("similarity of the last levels")
    drawn = [pair for pair in COLOURS if (last["pair"] == pair).any()]
    marks = [
        Line2D(
            [], [], color="0.3", marker="_", markersize=10, markeredgewidth=1.6, linestyle="", label="independent data"
        ),
        Line2D([], [], color="0.3", marker="x", markersize=6, linestyle="", label="shuffled positions"),
    ]
    legend(figure, [*(line_handle(pair_name(p), COLOURS[p], marker="o", linestyle="") for p in drawn), *marks])
    return figure


def _point(axis: Axes, row: pd.DataFrame, x: float, colour: str) -> None:
    for value in row.itertuples():
        if np.isfinite(value.low):
            axis.plot([x, x], [value.low, value.high], color=colour, linewidth=1.4)
        axis.plot([x], [value.mean], "o", color=colour, markersize=5)
        axis.plot([x], [value.null_max], "_", color=colour, markersize=10, markeredgewidth=1.6)
        axis.plot([x], [value.shuffled], "x", color=colour, markersize=6)
