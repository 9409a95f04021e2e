"""The figures of `perturbation`: box plots against the noise as published, and how much networks amplify it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from tasks.analysis.palette import ENCODERS, GREY
from tasks.analysis.panels import file_name, legend, line_handle, of, outer_labels
from tasks.transfer.diagnostics.reporting import (
    SIDES,
    box,
    box_handles,
    dash,
    encoder_handles,
    grid,
    places,
    shift_handles,
)

CAPTIONS = {
    "distance": (
        "Distance: L2 norm of the difference of the last layer's states at the first token, with and without noise on "
        "all weights. Boxes: quartiles over the sentences of all batches and seeds, as published; whiskers to the last "
        "value within 1.5 times the box, points beyond. Dotted: sqrt(2H), the distance of two unrelated states out of "
        "a LayerNorm of unit gain; a checkpoint's gains make that another number. Dashed: rounding to float32 alone "
        "(median); levels below are computed in float64. Values of 0 and NaN are left out."
    ),
    "amplification": (
        "Geometric mean over sentences of distance / standard deviation of the noise: flat where the network is linear "
        "in the noise, falling where the distance saturates. Mean over seeds, bars: 95 % interval (Student); lines are "
        "offset so that bars can be told apart."
    ),
}
OFFSETS = {"pretrained": -0.14, "random": 0.14}  # of the boxes from their level
BOX = 0.24
UNITS = {"absolute": "std of noise", "relative": "std of noise / rms of tensor"}


def draw(
    rows: pd.DataFrame, gains: pd.DataFrame, bounds: Mapping[str, float], floors: pd.DataFrame
) -> dict[str, Figure]:
    """The box plots of each model, and how much all models amplify.

    Args:
        rows: of the table distances.
        gains: as `reduce.amplification` makes them.
        bounds: sqrt(2H) of each model.
        floors: as the summary table of that name.
    """
    figures = {}
    for model in dict.fromkeys(rows["model"]):
        heights = bounds.get(model, np.nan), of(floors, model=model)["mean"].median()
        figures[f"distance-{file_name(model)}"] = distance_figure(of(rows, model=model), *heights)
    if np.isfinite(gains["mean"].to_numpy(dtype=float)).any():
        figures["amplification"] = amplification_figure(gains)
    return figures


def distance_figure(rows: pd.DataFrame, bound: float, floor: float) -> Figure:
    """Box plots of one model: a row a kind of noise and shift, a column a task.

    Args:
        bound: sqrt(2H), drawn dotted; NaN: not known.
        floor: what rounding to float32 moves, drawn dashed; NaN: not known.
    """
    rows = rows.assign(distance=rows["distance"].where(rows["distance"] > 0))
    stds = sorted(rows["std"].unique(), reverse=True)
    lines, columns = places(rows, "noise", "shift"), places(rows, "model", "task")
    shape = {"width": 1.2 + 0.55 * len(stds), "sharex": True, "sharey": True}
    figure, axes, cells = grid(rows, lines, columns, "distance", ("model", "task", "shift"), **shape)
    references: dict[str, tuple[float, Any]] = {"rounding to float32": (floor, "--"), "√(2H)": (bound, ":")}
    references = {name: line for name, line in references.items() if np.isfinite(line[0])}
    for axis, here in cells:
        axis.set_yscale("log")
        for encoder in SIDES:
            for at, std in enumerate(stds):
                values = of(here, encoder=encoder, std=std)["distance"].to_numpy(dtype=float)
                box(axis, values[np.isfinite(values)], at + OFFSETS[encoder], encoder, widths=BOX)
        for height, style in references.values():
            axis.axhline(height, color=GREY, linestyle=style, linewidth=1.1)
        axis.set_xticks(range(len(stds)), [f"{std:g}" for std in stds])
        axis.set_xlim(-0.5, len(stds) - 0.5)
    kinds = [line["noise"] for line in lines]
    unit = " or ".join(UNITS[kind] for kind in dict.fromkeys(kinds))
    outer_labels(axes, unit, [f"L2 difference\n({kind} noise)" for kind in kinds])
    greys = [line_handle(name, GREY, linestyle=style) for name, (_, style) in references.items()]
    legend(figure, [*box_handles(), *greys])
    return figure


def amplification_figure(gains: pd.DataFrame) -> Figure:
    """A row a model and kind of noise, a column a task; a line an encoder and shift."""
    shifts = sorted(set(gains["shift"]))
    rows, columns = places(gains, "model", "noise"), places(gains, "task")
    title = ("model", "task", "noise")
    figure, axes, cells = grid(gains, rows, columns, "mean", title, width=3.2, sharex=True, sharey="row")
    for axis, here in cells:
        axis.set_xscale("log")
        axis.set_yscale("log")
        for number, ((encoder, shift), line) in enumerate(here.groupby(["encoder", "shift"], sort=True)):
            line = line.sort_values("std")
            axis.errorbar(
                line["std"] * 1.25**number,  # beside each other, so that the intervals can be told apart
                line["mean"],
                yerr=[line["mean"] - line["low"], line["high"] - line["mean"]],
                color=ENCODERS[encoder],
                linestyle=dash(shifts, shift),
                marker="o",
                capsize=2,
                elinewidth=0.8,
            )
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.yaxis.set_minor_formatter(NullFormatter())
    outer_labels(axes, "std of noise", "L2 difference / std")
    legend(figure, [*encoder_handles(), *shift_handles(shifts)])
    return figure
