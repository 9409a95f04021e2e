"""The figures of `perturbation`: box plots against the noise as published, and how much networks amplify it."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from tasks.analysis.panels import GREY, legend, line_handle, of, outer_labels, panels, say_empty, short
from tasks.transfer.diagnostics.lines import COLOURS, ENCODERS, shift_label

OFFSETS = {"pretrained": -0.14, "random": 0.14}  # of the boxes from their level
BOX = 0.24
DASHES = ("-", (0, (5, 2)), (0, (1, 1)), (0, (5, 1, 1, 1)))  # of shifts, in ascending order


def distance_figure(rows: pd.DataFrame, bound: float, floor: float) -> Figure:
    """Box plots of one model: a row a kind of noise and shift, a column a task.

    Args:
        bound: sqrt(2H), drawn dotted; NaN: not known.
        floor: what rounding to float32 moves, drawn dashed; NaN: not known.
    """
    kinds, shifts, tasks = (sorted(set(rows[name])) for name in ("noise", "shift", "task"))
    stds = sorted(rows["std"].unique(), reverse=True)
    lines = [(kind, shift) for kind in kinds for shift in shifts]
    figure, axes = panels(len(lines), len(tasks), width=1.2 + 0.55 * len(stds), sharey=True, sharex=True)
    model = short(str(rows["model"].iloc[0]))
    for row, (kind, shift) in enumerate(lines):
        for column, task in enumerate(tasks):
            axis, here = axes[row, column], of(rows, noise=kind, shift=shift, task=task)
            axis.set_title(f"{model}, {task}, {shift_label(shift)}", fontsize=9)
            axis.set_yscale("log")
            _boxes(axis, here, stds)
            for height, style in ((bound, ":"), (floor, "--")):
                if np.isfinite(height):
                    axis.axhline(height, color=GREY, linestyle=style, linewidth=1.1)
            axis.set_xticks(range(len(stds)), [f"{std:g}" for std in stds])
            axis.set_xlim(-0.5, len(stds) - 0.5)
    unit = {"absolute": "std of noise", "relative": "std of noise / rms of tensor"}
    outer_labels(
        axes, " or ".join(unit[kind] for kind in kinds), [f"L2 difference\n({kind} noise)" for kind, _ in lines]
    )
    handles = [Patch(facecolor=COLOURS[name], alpha=0.45, edgecolor=COLOURS[name], label=name) for name in ENCODERS]
    if np.isfinite(bound):
        handles.append(line_handle(f"√(2H) = {bound:.1f}", GREY, linestyle=":"))  # pyright: ignore[reportArgumentType]
    if np.isfinite(floor):
        handles.append(line_handle("rounding of float32", GREY, linestyle="--"))  # pyright: ignore[reportArgumentType]
    legend(figure, handles)
    return figure


def _boxes(axis: Axes, here: pd.DataFrame, stds: list[float]) -> None:
    drawn = False
    for encoder in ENCODERS:
        colour = COLOURS[encoder]
        for at, std in enumerate(stds):
            values = of(here, encoder=encoder, std=std)["distance"].to_numpy(dtype=float)
            values = values[np.isfinite(values) & (values > 0)]
            if not len(values):
                continue
            drawn = True
            axis.boxplot(
                [values],
                positions=[at + OFFSETS[encoder]],
                widths=BOX,
                patch_artist=True,
                manage_ticks=False,
                flierprops={"marker": ".", "markersize": 2, "markeredgecolor": colour, "alpha": 0.5},
                boxprops={"facecolor": colour, "alpha": 0.45, "edgecolor": colour},
                medianprops={"color": "black", "linewidth": 1.2},
                whiskerprops={"color": colour},
                capprops={"color": colour},
            )
    if not drawn:
        say_empty(axis)


def amplification_figure(gains: pd.DataFrame) -> Figure:
    """A row a model and kind of noise, a column a task; a line an encoder and shift."""
    models, kinds, tasks, shifts = (sorted(set(gains[name])) for name in ("model", "noise", "task", "shift"))
    lines = [(model, kind) for model in models for kind in kinds]
    figure, axes = panels(len(lines), len(tasks), width=3.2, sharex=True, sharey="row")
    for row, (model, kind) in enumerate(lines):
        for column, task in enumerate(tasks):
            axis, here = axes[row, column], of(gains, model=model, noise=kind, task=task)
            axis.set_title(f"{short(model)}, {task}, {kind} noise", fontsize=9)
            axis.set_xscale("log")
            axis.set_yscale("log")
            if not np.isfinite(here["mean"].to_numpy(dtype=float)).any():
                say_empty(axis)
            for number, ((encoder, shift), line) in enumerate(here.groupby(["encoder", "shift"], sort=True)):
                line = line.sort_values("std")
                ends = np.abs(line[["low", "high"]].to_numpy(dtype=float).T - line["mean"].to_numpy(dtype=float))
                axis.errorbar(
                    line["std"] * 1.25**number,  # beside each other, so that the intervals can be told apart
                    line["mean"],
                    yerr=ends,
                    color=COLOURS[encoder],
                    linestyle=DASHES[shifts.index(shift) % len(DASHES)],
                    marker="o",
                    markersize=3,
                    capsize=2,
                    elinewidth=0.8,
                )
            axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
            axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.yaxis.set_minor_formatter(NullFormatter())
    outer_labels(axes, "std of noise", "L2 difference / std")
    names = [line_handle(name, COLOURS[name]) for name in ENCODERS]
    dashes = [
        line_handle(shift_label(shift), GREY, linestyle=DASHES[at % len(DASHES)]) for at, shift in enumerate(shifts)
    ]
    legend(figure, names + dashes)
    return figure
