"""The figures of `layernorm_lipschitz`: 1/sigma and gains against the layer."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from tasks.analysis.panels import GREY, legend, line_handle, of, outer_labels, panels, say_empty, short
from tasks.transfer.diagnostics.lines import COLOURS, ENCODERS

OFFSETS = {"pretrained": -0.06, "random": 0.06}  # of the markers from their layer, so that bars do not hide each other
ONE: dict[str, Any] = {"color": GREY, "linestyle": "--", "linewidth": 1.1}


def spread_figure(means: pd.DataFrame, sds: pd.DataFrame) -> Figure:
    """One shift: a row a kind of LayerNorm, a column a model and task; line the mean, band the sd over positions.

    Args:
        means: of one metric and choice of positions, as `lines.over_seeds` makes them; sites of layers from 1.
        sds: the standard deviations over positions, with the same keys.
    """
    keys = ["model", "task", "encoder", "site", "kind", "layer"]
    both = means.merge(sds[[*keys, "mean"]].rename(columns={"mean": "spread"}), on=keys)
    figure, axes, cells = _grid(both)
    for axis, here in cells:
        for encoder in ENCODERS:
            line = of(here, encoder=encoder).sort_values("site")
            _line(axis, line, encoder, "-")
            axis.fill_between(
                line["layer"] + OFFSETS[encoder],
                line["mean"] - line["spread"],
                line["mean"] + line["spread"],
                color=COLOURS[encoder],
                alpha=0.15,
                lw=0,
            )
    _from_zero(axes)
    outer_labels(axes, "layer", [f"1/σ\n({kind})" for kind in _kinds(both)])
    handles: list[Any] = [line_handle(name, COLOURS[name], marker="o", markersize=3.5) for name in ENCODERS]
    handles.append(Patch(facecolor=GREY, alpha=0.25, label="± sd over positions"))
    legend(figure, [*handles, line_handle("1", GREY, linestyle="--")])
    return figure


def gain_figure(gains: pd.DataFrame, bounds: pd.DataFrame) -> Figure:
    """One shift: the same panels; solid the mean gain, dotted its largest over features."""
    figure, axes, cells = _grid(pd.concat([gains.assign(part="gain"), bounds.assign(part="bound")]))
    for axis, here in cells:
        for encoder in ENCODERS:
            for part, style in (("gain", "-"), ("bound", ":")):
                _line(axis, of(here, encoder=encoder, part=part).sort_values("site"), encoder, style)
    _from_zero(axes)
    outer_labels(axes, "layer", [f"gain\n({kind})" for kind in _kinds(gains)])
    handles = [line_handle(name, COLOURS[name], marker="o", markersize=3.5) for name in ENCODERS]
    handles += [line_handle("mean |γ|/σ", GREY), line_handle("max |γ|/σ", GREY, linestyle=":")]
    legend(figure, [*handles, line_handle("1", GREY, linestyle="--")])
    return figure


def _kinds(table: pd.DataFrame) -> list[str]:
    return [str(kind) for kind in dict.fromkeys(table.sort_values("site")["kind"])]


def _grid(table: pd.DataFrame) -> tuple[Figure, np.ndarray, list[tuple[Axes, pd.DataFrame]]]:
    columns = [(str(model), str(task)) for model, task in table[["model", "task"]].drop_duplicates().to_numpy()]
    kinds, cells = _kinds(table), []
    figure, axes = panels(len(kinds), len(columns), width=3.3, height=2.3, sharex="col", sharey="row")
    for row, kind in enumerate(kinds):
        for column, (model, task) in enumerate(columns):
            axis, here = axes[row, column], of(table, kind=kind, model=model, task=task)
            axis.set_title(f"{short(model)}, {task}", fontsize=9)
            axis.axhline(1, **ONE)
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            if not np.isfinite(here["mean"].to_numpy(dtype=float)).any():
                say_empty(axis)
            cells.append((axis, here))
    return figure, axes, cells


def _from_zero(axes: np.ndarray) -> None:
    """Once everything is drawn: before, the upper end would stay where it was."""
    for axis in axes[:, 0]:
        axis.set_ylim(bottom=0)


def _line(axis: Axes, line: pd.DataFrame, encoder: str, style: str) -> None:
    half = (line["high"] - line["mean"]).to_numpy(dtype=float)
    axis.errorbar(
        line["layer"] + OFFSETS[encoder],
        line["mean"],
        yerr=np.nan_to_num(half),  # of one seed there is none
        color=COLOURS[encoder],
        linestyle=style,
        linewidth=1.5,
        marker="o",
        markersize=3.5,
        capsize=2.5,
    )
