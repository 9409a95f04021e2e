"""The figures of `dynamical_isometry`: histograms of ln sigma, and its mean against levels."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tasks.analysis.panels import GREY, legend, line_handle, of, outer_labels, panels, say_empty, short
from tasks.transfer.diagnostics.lines import COLOURS, ENCODERS

NAMES = {
    "diagonal": "own position",
    "off_diagonal": "other words",
    "whole": "all words together",
    "published": "all blocks, as published",
}
DASHED = {"color": GREY, "linestyle": "--", "linewidth": 1.1}
X = "ln σ (natural log of a singular value)"


def columns_of(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Model and task of each column of panels."""
    return [(str(model), str(task)) for model, task in table[["model", "task"]].drop_duplicates().to_numpy()]


def histogram_figure(densities: pd.DataFrame, kinds: list[str]) -> Figure:
    """One pair of levels and one shift: a row a kind of block, a column a model and task, step lines the encoders.

    Args:
        densities: columns of `reduce.densities`.
    """
    columns = columns_of(densities)
    figure, axes = panels(len(kinds), len(columns), width=3.3, height=2.3, sharex="row", sharey="row")
    for row, kind in enumerate(kinds):
        for column, (model, task) in enumerate(columns):
            axis = axes[row, column]
            axis.set_title(f"{short(model)}, {task}", fontsize=9)
            here = of(densities, kind=kind, model=model, task=task)
            for encoder in ENCODERS:
                line = of(here, encoder=encoder).sort_values("low")
                _steps(axis, line, COLOURS[encoder])
            if not len(here):
                say_empty(axis)
            axis.axvline(0, **DASHED)
            axis.set_ylim(bottom=0)
            axis.tick_params(labelbottom=True)
    outer_labels(axes, X, [f"density\n({NAMES[kind]})" for kind in kinds])
    legend(
        figure, [*(line_handle(name, COLOURS[name]) for name in ENCODERS), line_handle("isometry, σ = 1", **_grey())]
    )
    return figure


def _steps(axis: Axes, line: pd.DataFrame, colour: str) -> None:
    """Step lines; bins without values lie on 0."""
    if not len(line):
        return
    width = float((line["high"] - line["low"]).iloc[0])
    places = np.round((line["low"] - line["low"].min()) / width).astype(int).to_numpy()
    heights = np.zeros(places.max() + 1)
    heights[places] = line["density"].to_numpy(dtype=float)
    edges = float(line["low"].min()) + width * np.arange(len(heights) + 1)
    axis.stairs(heights, edges, color=colour, linewidth=1.4)


def level_figure(means: pd.DataFrame) -> Figure:
    """One input level and one shift: mean ln sigma against the output level; a row a kind of block.

    Args:
        means: of the metric mean_log, as `lines.over_seeds` makes them.
    """
    columns, kinds = columns_of(means), ["diagonal", "off_diagonal"]
    figure, axes = panels(len(kinds), len(columns), width=3.3, height=2.3, sharex=True, sharey="row")
    for row, kind in enumerate(kinds):
        for column, (model, task) in enumerate(columns):
            axis, here = axes[row, column], of(means, kind=kind, model=model, task=task)
            axis.set_title(f"{short(model)}, {task}", fontsize=9)
            for encoder in ENCODERS:
                line = of(here, encoder=encoder).sort_values("output_level")
                axis.plot(line["output_level"], line["mean"], color=COLOURS[encoder], marker="o", markersize=3.5)
                axis.fill_between(
                    line["output_level"].astype(float), line["low"], line["high"], color=COLOURS[encoder], alpha=0.15
                )
            axis.axhline(0, **DASHED)
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    outer_labels(axes, "output level", [f"mean ln σ\n({NAMES[kind]})" for kind in kinds])
    legend(
        figure, [*(line_handle(name, COLOURS[name]) for name in ENCODERS), line_handle("isometry, σ = 1", **_grey())]
    )
    return figure


def pair_figure(means: pd.DataFrame) -> Figure:
    """One shift: maps of mean ln sigma of the diagonal blocks over input and output levels; a row an encoder."""
    means = of(means, kind="diagonal")
    columns = columns_of(means)
    encoders = [name for name in ENCODERS if name in set(means["encoder"])]
    figure, axes = panels(len(encoders), len(columns), width=3.0, height=2.6)
    limit = float(means["mean"].abs().max())
    image = None
    for row, encoder in enumerate(encoders):
        for column, (model, task) in enumerate(columns):
            axis, here = axes[row, column], of(means, encoder=encoder, model=model, task=task)
            axis.set_title(f"{short(model)}, {task}, {encoder}", fontsize=9)
            axis.grid(False)
            grid = here.pivot_table(index="input_level", columns="output_level", values="mean")
            if not grid.size:
                say_empty(axis)
                continue
            image = axis.imshow(
                grid.to_numpy(dtype=float), cmap="RdBu_r", vmin=-limit, vmax=limit, origin="lower", aspect="auto"
            )
            axis.set_xticks(range(grid.shape[1]), [str(level) for level in grid.columns])
            axis.set_yticks(range(grid.shape[0]), [str(level) for level in grid.index])
    outer_labels(axes, "output level", "input level")
    if image is not None:
        figure.colorbar(image, ax=list(axes.flat), label="mean ln σ of the own position's block")
    return figure


def _grey() -> dict[str, str]:
    return {"colour": GREY, "linestyle": "--"}
