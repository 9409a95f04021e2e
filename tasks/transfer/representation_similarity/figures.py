"""The figures of `representation_similarity`, drawn from its summary tables."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tasks.analysis.palette import GREY
from tasks.analysis.panels import file_name, legend, line_handle, of, panels, say_empty, short
from tasks.transfer.comparison.reporting import COLOURS, NAMES, pair_name

NULLS = (
    "The independent null is of Gaussian rows that have nothing to do with the first encoder, as many and with the "
    "second encoder's covariance. The shuffled null puts beside each position another one of the same protein, by one "
    "permutation for all proteins: it keeps what they share because they read the same proteins, or proteins of one "
    "family."
)
CAPTIONS = {
    "maps": "Every level of one encoder with every level of the other (0: the output of the embeddings). Upper row: "
    "PWCCA, mean of both directions. Second: less that of independent data. Third: less that of shuffled positions. "
    f"Lowest: linear CKA less that of shuffled positions. Means over seeds. {NULLS}",
    "last": "The last levels of each pair. Points: mean over seeds; bars: 95 % interval for the mean over random "
    "weights (none for one seed; it may be smaller than the point). Dashes: largest value of independent data; "
    f"crosses: shuffled positions. What is not above both says nothing. {NULLS}",
}
METRICS = {"pwcca_mean": "PWCCA", "svcca": "SVCCA", "cka": "CKA"}
"""The metrics that figures and sentences show, and what they call them."""
MAPS = (
    ("pwcca_mean", "mean", "PWCCA"),
    ("pwcca_mean", "above_null", "PWCCA - independent"),
    ("pwcca_mean", "above_shuffled", "PWCCA - shuffled"),
    ("cka", "above_shuffled", "CKA - shuffled"),
)
"""Metric, column, label of each row of maps."""
MARKS: dict[str, dict[str, Any]] = {
    "independent data": {"marker": "_", "markersize": 10, "markeredgewidth": 1.6},
    "shuffled positions": {"marker": "x", "markersize": 6},
}
FEW = 7
"""Levels of either side up to which a map's values are written into it."""


def draw(levels: pd.DataFrame, last: pd.DataFrame) -> dict[str, Figure]:
    """All figures by name: last levels, and maps of all level pairs for each model and protein task."""
    figures = {"last": last_figure(last)} if len(last) else {}
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
        style: dict[str, Any] = {"cmap": "viridis", "vmin": 0, "vmax": 1}
        if column != "mean":
            largest = max([1e-3, *(np.abs(t.to_numpy()[np.isfinite(t.to_numpy())]).max(initial=0) for t in tables)])
            style = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}
        images = []
        for axis, pair, table in zip(line, pairs, tables, strict=True):
            first, second = (NAMES[name] for name in pair.split("-"))
            images += _map(axis, table, style)
            axis.set_xlabel(f"level of {second}")
            axis.set_ylabel(f"level of {first}")
            axis.set_title(label)
        if images:
            figure.colorbar(images[0], ax=list(line), label=label, shrink=0.85, pad=0.02)
    figure.suptitle(f"{short(str(rows['model'].iloc[0]))} on {rows['protein_task'].iloc[0]}")
    return figure


def grid(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """[levels of the first, levels of the second], both ascending."""
    return rows.pivot_table(index="level_first", columns="level_second", values=column, dropna=False)


def _map(axis: Axes, table: pd.DataFrame, style: dict[str, Any]) -> list[Any]:
    """The image; of a map without values none."""
    values = table.to_numpy(dtype=float)
    axis.grid(False)
    axis.set_xticks(range(table.shape[1]), [str(level) for level in table.columns])
    axis.set_yticks(range(table.shape[0]), [str(level) for level in table.index])
    if not np.isfinite(values).any():
        say_empty(axis)
        return []
    image = axis.imshow(values, origin="lower", **style)
    if max(values.shape) <= FEW:
        for (i, j), value in np.ndenumerate(values):
            if np.isfinite(value):
                red, green, blue, _ = image.cmap(image.norm(value))
                dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
                axis.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=8, color="w" if dark else "k")
    return [image]


def last_figure(last: pd.DataFrame) -> Figure:
    """A panel a model and protein task: the metrics of each pair at the last levels, beside both nulls."""
    keys = list(last.groupby(["model", "protein_task"], observed=True).groups)
    columns = min(3, len(keys))
    figure, axes = panels(-(-len(keys) // columns), columns, width=4.6, height=3.1, sharey=True)
    for axis in axes.flat[len(keys) :]:
        axis.set_visible(False)
    shown = [pair for pair in COLOURS if (last["pair"] == pair).any()]
    for axis, (model, task) in zip(axes.flat, keys, strict=False):
        table = of(last, model=model, protein_task=task)
        for at, metric in enumerate(METRICS):
            for k, pair in enumerate(shown):
                place = at + 0.22 * (k - (len(shown) - 1) / 2)
                for row in of(table, metric=metric, pair=pair).itertuples():
                    _point(axis, row, place, COLOURS[pair])
        if not np.isfinite(table["mean"]).any():
            say_empty(axis)
        axis.set_xticks(range(len(METRICS)), list(METRICS.values()))
        axis.set_xlim(-0.5, len(METRICS) - 0.5)
        axis.set_ylim(-0.03, 1.03)
        axis.yaxis.set_major_locator(MaxNLocator(6))
        axis.set_title(f"{short(str(model))} on {task}, {int(table['n_rows'].max()):,} rows")
    for axis in axes[:, 0]:
        axis.set_ylabel("similarity of the last levels")
    points = [line_handle(pair_name(pair), COLOURS[pair], marker="o", linestyle="") for pair in shown]
    legend(figure, [*points, *(line_handle(text, GREY, linestyle="", **mark) for text, mark in MARKS.items())])
    return figure


def _point(axis: Axes, row: Any, x: float, colour: str) -> None:
    if np.isfinite(row.low):
        axis.plot([x, x], [row.low, row.high], color=colour)
    axis.plot([x], [row.mean], "o", color=colour, markersize=5)
    for null, mark in zip((row.null_max, row.shuffled), MARKS.values(), strict=True):
        axis.plot([x], [null], color=colour, **mark)
