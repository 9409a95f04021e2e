"""The figures of `gradient_confusion`: box plots as published, and the distribution of the cosines."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tasks.analysis.panels import GREY, legend, line_handle, of, outer_labels, panels, say_empty, short
from tasks.transfer.diagnostics.lines import COLOURS, ENCODERS, shift_label

OFFSETS = {"pretrained": -0.165, "random": 0.165}  # of the boxes from their task, as published
BOX = 0.28
DASHES = ("-", (0, (5, 2)), (0, (1, 1)), (0, (5, 1, 1, 1)))  # of shifts, in ascending order
CURVE = np.linspace(0, 1, 401)


def boxes_figure(cosine: pd.DataFrame) -> Figure:
    """A row a model, a column a shift: two boxes a task, pairs of all seeds together."""
    models, shifts, tasks = (sorted(set(cosine[name])) for name in ("model", "shift", "task"))
    figure, axes = panels(len(models), len(shifts), width=1.0 + 1.1 * len(tasks), sharey="row")
    for row, model in enumerate(models):
        for column, shift in enumerate(shifts):
            axis, here = axes[row, column], of(cosine, model=model, shift=shift)
            axis.set_title(f"{short(model)}, {shift_label(shift)}", fontsize=10)
            axis.axhline(0, color=GREY, linewidth=0.8)
            if not np.isfinite(here["value"].to_numpy(dtype=float)).any():
                say_empty(axis)
            for encoder in ENCODERS:
                for at, task in enumerate(tasks):
                    values = of(here, encoder=encoder, task=task)["value"].to_numpy(dtype=float)
                    values = values[np.isfinite(values)]
                    if len(values):
                        _box(axis, values, at + OFFSETS[encoder], COLOURS[encoder])
            axis.set_xticks(range(len(tasks)), tasks)
            axis.set_xlim(-0.5, len(tasks) - 0.5)
    outer_labels(axes, "task", "cosine similarity")
    legend(
        figure,
        [
            *(Patch(facecolor=COLOURS[name], alpha=0.45, edgecolor=COLOURS[name], label=name) for name in ENCODERS),
            line_handle("median", "black"),
            line_handle("mean", "black", linestyle="--"),
        ],
    )
    return figure


def _box(axis, values: np.ndarray, at: float, colour: str) -> None:
    line = {"color": "black", "linewidth": 1.2}
    axis.boxplot(
        [values],
        positions=[at],
        widths=BOX,
        whis=(0, 100),
        showmeans=True,
        meanline=True,
        patch_artist=True,
        manage_ticks=False,
        boxprops={"facecolor": colour, "alpha": 0.45, "edgecolor": colour},
        medianprops=line,
        meanprops={**line, "linestyle": "--"},
        whiskerprops={"color": colour},
        capprops={"color": colour},
    )


def confusion_figure(cosine: pd.DataFrame) -> Figure:
    """A row a model, a column a task: the distribution function of the cosines, a line an encoder and shift."""
    models, shifts, tasks = (sorted(set(cosine[name])) for name in ("model", "shift", "task"))
    figure, axes = panels(len(models), len(tasks), width=3.3, sharey=True)
    for row, model in enumerate(models):
        for column, task in enumerate(tasks):
            axis, here = axes[row, column], of(cosine, model=model, task=task)
            axis.set_title(f"{short(model)}, {task}", fontsize=10)
            values = here["value"].to_numpy(dtype=float)
            values = values[np.isfinite(values)]
            if not len(values):
                say_empty(axis)
                continue
            if values.min() < 0:
                axis.axvline(0, color=GREY, linewidth=0.8)
            x = values.min() + CURVE * (values.max() - values.min())
            for (encoder, shift), line in here.groupby(["encoder", "shift"], sort=True):
                seeds = [distribution(own["value"].to_numpy(dtype=float), x) for _, own in line.groupby("seed")]
                seeds = [curve for curve in seeds if curve is not None]
                style = {"color": COLOURS[encoder], "linestyle": DASHES[shifts.index(shift) % len(DASHES)]}
                for curve in seeds:
                    axis.plot(x, curve, linewidth=0.6, alpha=0.4, **style)
                if seeds:
                    axis.plot(x, np.mean(seeds, axis=0), linewidth=1.6, **style)
    outer_labels(axes, "cosine c", "share of pairs with cosine ≤ c")
    names = [line_handle(name, COLOURS[name]) for name in ENCODERS]
    dashes = [
        line_handle(shift_label(shift), GREY, linestyle=DASHES[at % len(DASHES)]) for at, shift in enumerate(shifts)
    ]
    legend(figure, names + dashes)
    return figure


def distribution(values: np.ndarray, x: np.ndarray) -> np.ndarray | None:
    """The share of finite values that are at most x; None without any."""
    values = np.sort(values[np.isfinite(values)])
    return np.searchsorted(values, x, side="right") / len(values) if len(values) else None
