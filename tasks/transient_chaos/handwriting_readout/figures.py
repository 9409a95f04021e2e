"""The figures of `handwriting_readout`: heat map of errors, letters that are written, errors of examples."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MultipleLocator, NullFormatter, StrMethodFormatter

from tasks.analysis.palette import CYCLE, ENCODERS, RANDOM, THEORY
from tasks.analysis.panels import of, panels, say_empty
from tasks.transient_chaos.handwriting_readout.config import Config, WriteMode
from tasks.transient_chaos.handwriting_readout.letters import drawn

LETTERS = {"U": 0.0, "S": 1.0}
"""The letters by the share of the second one in their targets."""
CAPTIONS = {
    "error_by_window": "Mean reconstruction error on the dev set (squared error over squared target, no unit) of the "
    "windows, mean over encoder seeds; star: the smallest. Windows shorter than --best-from are left out.",
    "letters": "Curves that the readout of the best window writes for the dev examples of the two extreme labels with "
    "the smallest errors (first encoder seed); dotted: the target.",
    "sample_errors": "Errors of the dev examples in the best window (first encoder seed); dashed: their mean.",
}


def draw(errors: pd.DataFrame, samples: pd.DataFrame, curves: pd.DataFrame, config: Config) -> dict[str, Figure]:
    """The figures that have rows.

    Args:
        errors: as `reduce.heat_rows` gives them.
        samples: rows of `samples` with their networks, of the best window of one seed.
        curves: rows of `drawings` with their networks, of the same.
    """
    figures = {}
    if len(errors):
        figures["error_by_window"] = heat_figure(errors)
    if len(samples):
        figures["sample_errors"] = error_figure(samples)
    if len(curves):
        figures["letters"] = drawing_figure(curves, config.write_mode)
    return figures


def heat_figure(errors: pd.DataFrame) -> Figure:
    """Mean error against start (x) and length (y): a row a task, a column a network, one logarithmic colour scale."""
    figure, axes, grid = _grid(errors, width=4.4, height=3.9)
    low, high = errors["error"].min(), errors["error"].quantile(0.98)  # interpolating windows may have errors of 1e6
    norm = LogNorm(low, max(high, low * 1.01))
    image = None
    for axis, own in grid:
        table = own.pivot_table(index="length", columns="start", values="error", dropna=False)
        x, y = table.columns.to_numpy(dtype=float), table.index.to_numpy(dtype=float)
        image = axis.pcolormesh(_edges(x), _edges(y), table.to_numpy(), norm=norm, rasterized=True)
        best = own.loc[own["error"].idxmin()]
        label = f"smallest: {best['error']:.3g}\n{int(best['length'])} layers from layer {int(best['start'])}"
        axis.plot(best["start"], best["length"], "*", color=RANDOM, markersize=13, markeredgecolor="w", label=label)
        axis.legend(loc="upper left", frameon=True, framealpha=0.85)
        for side, values in ((axis.xaxis, x), (axis.yaxis, y)):
            side.set_major_locator(MultipleLocator(20 if np.ptp(values) > 50 else 5))
        axis.set_xlabel("first layer of the window")
        axis.set_ylabel("window length in layers")
    assert image is not None
    extend = "max" if errors["error"].max() > norm.vmax else "neither"
    label = "mean of squared error / squared target (no unit)"
    bar = figure.colorbar(image, ax=axes, extend=extend, shrink=0.9, label=label)
    _log_ticks(bar.ax.yaxis)
    return figure


def drawing_figure(curves: pd.DataFrame, write_mode: WriteMode) -> Figure:
    """The curves written for single examples over the dotted target: a row a task and network, a column a letter."""
    groups = list(curves.groupby(["task", "network"], sort=True))
    figure, axes = panels(len(groups), len(LETTERS), height=3.8)
    for row, (key, group) in zip(axes, groups, strict=True):
        for axis, (letter, share) in zip(row, LETTERS.items(), strict=True):
            axis.set_title(f"{', '.join(map(str, key))}: letter {letter}")
            axis.set_xlabel("horizontal (sides of the letter's square)")
            axis.set_ylabel("vertical (sides of the square)")
            own = of(group, share=share).sort_values("point", kind="stable")
            if not len(own):
                say_empty(axis, "no dev example has this label")
                continue
            for colour, (sample, line) in zip(CYCLE, own.groupby("sample", sort=False), strict=False):
                way = drawn(line[["x", "y"]].to_numpy(), write_mode)
                axis.plot(way[:, 0], way[:, 1], color=colour, label=f"example {sample}")
                axis.plot(way[0, 0], way[0, 1], "o", color=colour)
            target = drawn(of(own, sample=own["sample"].iloc[0])[["target_x", "target_y"]].to_numpy(), write_mode)
            axis.plot(target[:, 0], target[:, 1], ":", color=THEORY, linewidth=2, label="target")
            axis.set_aspect("equal", adjustable="datalim")
            axis.legend(fontsize=7, loc="best")
    return figure


def error_figure(samples: pd.DataFrame) -> Figure:
    """Histogram of the dev examples' errors in the best window, on a logarithmic axis, with their mean."""
    figure, _, grid = _grid(samples, width=4.4, height=3.2)
    for axis, own in grid:
        errors = own["error"].to_numpy(dtype=float)
        errors = errors[np.isfinite(errors) & (errors > 0)]
        if not len(errors):
            say_empty(axis, "no error is defined")
            continue
        low, high = errors.min(), errors.max() * 1.0001
        axis.hist(
            errors,
            bins=np.geomspace(min(low, 0.999 * high), high, 31),
            color=ENCODERS[own["encoder"].iloc[0]],
            alpha=0.8,
        )
        axis.set_xscale("log")
        _log_ticks(axis.xaxis)
        mean = own["error"].mean()
        window = f"{int(own['length'].iloc[0])} layers from layer {int(own['start'].iloc[0])}"
        axis.axvline(mean, color=THEORY, linestyle="--", label=f"mean {mean:.3g}\n{window}")
        axis.legend(loc="upper left")
        axis.set_xlabel("squared error / squared target of an example (no unit)")
        axis.set_ylabel("dev examples")
    return figure


def _grid(
    rows: pd.DataFrame, width: float, height: float
) -> tuple[Figure, np.ndarray, Iterator[tuple[Axes, pd.DataFrame]]]:
    """A figure with a row of panels a task and a column a network; its axes, and each panel that has rows with them."""
    tasks, networks = list(rows["task"].unique()), sorted(rows["network"].unique())
    figure, axes = panels(len(tasks), len(networks), width=width, height=height)

    def filled() -> Iterator[tuple[Axes, pd.DataFrame]]:
        for (i, j), axis in np.ndenumerate(axes):
            own = of(rows, task=tasks[i], network=networks[j])
            axis.set_title(f"{tasks[i]}, {networks[j]}")
            axis.set_visible(len(own) > 0)
            if len(own):
                yield axis, own

    return figure, axes, filled()


def _log_ticks(side: Any) -> None:
    """Ticks at 1, 2 and 5 of each decade, written as plain numbers."""
    side.set_major_locator(LogLocator(subs=(1, 2, 5)))
    side.set_major_formatter(StrMethodFormatter("{x:g}"))
    side.set_minor_formatter(NullFormatter())


def _edges(centres: np.ndarray) -> np.ndarray:
    """Borders of cells around ascending centres."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])
