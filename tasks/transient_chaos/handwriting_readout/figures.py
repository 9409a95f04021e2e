"""The figures of `handwriting_readout`: the heat map of errors, the letters that are written, the errors of samples."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MultipleLocator, NullFormatter, StrMethodFormatter

from tasks.transient_chaos.handwriting_readout.params import WriteMode
from tasks.transient_chaos.handwriting_readout.strokes import drawn

LINE = ["task", "network"]


def heat_figure(errors: pd.DataFrame) -> Figure:
    """Mean error against start (x) and length (y): a row a task, a column a network, one logarithmic scale of colours.

    Args:
        errors: rows of `window_errors` with an error, all of windows that are to be seen.
    """
    figure, panels = _panels(errors, width=4.4, height=3.9)
    low, high = errors["error"].min(), errors["error"].quantile(0.98)  # interpolating windows may have errors of 1e6
    norm = LogNorm(low, max(high, low * 1.01))
    image = None
    for axis, own in panels:
        table = own.pivot_table(index="length", columns="start", values="error", dropna=False)
        x, y = table.columns.to_numpy(dtype=float), table.index.to_numpy(dtype=float)
        image = axis.pcolormesh(_edges(x), _edges(y), table.to_numpy(), norm=norm, cmap="viridis", rasterized=True)
        best = own.loc[own["error"].idxmin()]
        label = f"smallest: {best['error']:.3g}\n{int(best['length'])} layers from layer {int(best['start'])}"
        axis.plot(best["start"], best["length"], "*", color="#d62728", markersize=13, markeredgecolor="w", label=label)
        axis.legend(loc="upper left", fontsize=8, framealpha=0.85)
        for side, values in ((axis.xaxis, x), (axis.yaxis, y)):
            side.set_major_locator(MultipleLocator(20 if np.ptp(values) > 50 else 5))
        axis.set_xlabel("first layer of the window")
        axis.set_ylabel("layers of the window")
    assert image is not None
    extend = "max" if errors["error"].max() > norm.vmax else "neither"
    label = "mean of squared error / squared target (no unit)"
    bar = figure.colorbar(image, ax=[axis for axis, _ in panels], extend=extend, shrink=0.9, label=label)
    _log_ticks(bar.ax.yaxis)
    return figure


def drawing_figure(curves: pd.DataFrame, write_mode: WriteMode) -> Figure:
    """The curves written for single samples over the dotted target: a row a task and network, a column a letter."""
    groups = list(curves.groupby(LINE, sort=True))
    figure = Figure(figsize=(8.6, 0.4 + 4.0 * len(groups)), layout="constrained")
    axes = figure.subplots(len(groups), 2, squeeze=False)
    for row, (key, group) in zip(axes, groups, strict=True):
        for axis, (share, letter) in zip(row, ((0.0, "U"), (1.0, "S")), strict=True):
            own = group[group["share"] == share]
            axis.set_title(f"{', '.join(map(str, key))}: letter {letter}", fontsize=10)
            axis.set_xlabel("horizontal (sides of the letter's square)")
            axis.set_ylabel("vertical (sides of the square)")
            if not len(own):
                axis.text(0.5, 0.5, "no dev sample has this label", ha="center", va="center", transform=axis.transAxes)
                continue
            target = None
            for n, (sample, line) in enumerate(own.groupby("sample", sort=False)):
                line = line.sort_values("point")
                way = drawn(line[["x", "y"]].to_numpy(), write_mode)
                target = drawn(line[["target_x", "target_y"]].to_numpy(), write_mode)
                axis.plot(way[:, 0], way[:, 1], color=f"C{n}", linewidth=1.3, label=f"sample {sample}")
                axis.plot(way[0, 0], way[0, 1], "o", color=f"C{n}", markersize=3)
            assert target is not None
            axis.plot(target[:, 0], target[:, 1], ":", color="k", linewidth=2, label="target")
            axis.set_aspect("equal", adjustable="datalim")
            axis.grid(True, linestyle="--", linewidth=0.5, alpha=0.6)
            axis.legend(fontsize=7, loc="best", framealpha=0.8)
    return figure


def error_figure(samples: pd.DataFrame) -> Figure:
    """Histogram of the dev samples' errors in the best window, on a logarithmic axis, with their mean."""
    figure, panels = _panels(samples, width=4.4, height=3.2)
    for axis, own in panels:
        errors = own["error"].to_numpy(dtype=float)
        errors = errors[np.isfinite(errors) & (errors > 0)]
        if not len(errors):
            axis.text(0.5, 0.5, "no error is defined", ha="center", va="center", transform=axis.transAxes)
            continue
        low, high = errors.min(), errors.max() * 1.0001
        axis.hist(errors, bins=np.geomspace(min(low, 0.999 * high), high, 31), color="#1f5fa8", alpha=0.8)
        axis.set_xscale("log")
        _log_ticks(axis.xaxis)
        mean = own["error"].mean()
        window = f"{int(own['length'].iloc[0])} layers from layer {int(own['start'].iloc[0])}"
        axis.axvline(mean, color="k", linestyle="--", linewidth=1.2, label=f"mean {mean:.3g}\n{window}")
        axis.legend(fontsize=8, loc="upper left")
        axis.set_xlabel("squared error / squared target of a sample (no unit)", fontsize=9)
        axis.set_ylabel("dev samples")
        axis.grid(True, linestyle="--", linewidth=0.5, alpha=0.6)
    return figure


def _panels(rows: pd.DataFrame, width: float, height: float) -> tuple[Figure, list[tuple[Any, pd.DataFrame]]]:
    """A figure with a row of panels a task and a column a network, and each panel's rows."""
    tasks, networks = list(rows["task"].unique()), sorted(rows["network"].unique())
    size = (1.2 + width * len(networks), 0.3 + height * len(tasks))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(tasks), len(networks), squeeze=False)
    panels = []
    for i, task in enumerate(tasks):
        for j, network in enumerate(networks):
            own = rows[(rows["task"] == task) & (rows["network"] == network)]
            axes[i, j].set_title(f"{task}, {network}", fontsize=11)
            if len(own):
                panels.append((axes[i, j], own))
            else:
                axes[i, j].set_visible(False)
    return figure, panels


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
