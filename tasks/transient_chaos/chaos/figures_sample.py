"""Figures of the sample of sentences: effective dimension, spread over tokens, single components."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from tasks.analysis.panels import GREY, legend, of, outer_labels, panels, say_empty
from tasks.transient_chaos.chaos.figures import (
    MASKS,
    band,
    colour,
    dash_handles,
    line_handles,
    lines_of,
    log_y,
    masks_of,
)

LOG_ABOVE = 200
"""Layers above which the axis of the effective dimension is logarithmic: what happens, happens in the first tens."""


def effective_dimension_figure(table: pd.DataFrame) -> Figure:
    """Effective dimension against layer, log y: all tokens, the first token alone (dashed), the bound N - 1."""
    masks = masks_of(table)
    logarithmic = table["layer"].max() > LOG_ABOVE
    figure, axes = panels(1, len(masks), height=3.4, sharey=True)
    for axis, mask in zip(axes[0], masks, strict=True):
        own = of(table, mask_mode=mask)
        own = own[own["layer"] >= 1] if logarithmic else own
        for (line, metric), curve in own.groupby(["line", "metric"]):
            curve = curve.sort_values("layer")
            first = metric == "effective_dimension_first"
            axis.plot(curve["layer"], curve["mean"], "--" if first else "-", color=colour(line), linewidth=1.2)
            if not first:
                band(axis, curve["layer"], curve["low"], curve["high"], line)
        # A single sentence has the bound 0, which has no place on a logarithmic axis.
        bound = own[own["bound"] > 0].groupby("layer", as_index=False)["bound"].max()
        axis.plot(bound["layer"], bound["bound"], "-.", color=GREY, linewidth=1.0)
        if logarithmic:
            axis.set_xscale("log")
        axis.set_title(MASKS.get(mask, mask), fontsize=11)
        if not np.isfinite(own["mean"]).any():
            say_empty(axis)
    log_y(axes)
    axes[0, 0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    outer_labels(axes, "layer", "effective dimension\n(participation ratio)")
    dashes = {"all tokens": "-", "first token": "--", "bound, N − 1": "-."}
    legend(figure, [*line_handles(lines_of(table)), *dash_handles(dashes)])
    return figure


def token_deviation_figure(table: pd.DataFrame, shown: pd.DataFrame, thresholds: Sequence[float]) -> Figure:
    """Spread over tokens against layer, log y; thin dotted: rms deviation in dimension 0 of the shown sentences.

    Args:
        table: as `token_deviation` gives it.
        shown: rows of `spreads` with their lines; may be empty.
        thresholds: drawn as thin lines.
    """
    masks = masks_of(table)
    figure, axes = panels(1, len(masks), height=3.4, sharey=True)
    for axis, mask in zip(axes[0], masks, strict=True):
        for threshold in thresholds:
            axis.axhline(threshold, color=GREY, linewidth=0.5, zorder=1)
        own = of(table, mask_mode=mask)
        for line, rows in own.groupby("line"):
            # A spread of just 0 has no place on a logarithmic axis.
            wide = rows.pivot_table(index="layer", columns="metric", values="median").where(lambda v: v > 0)
            if "spread_median" in wide:
                axis.plot(wide.index, wide["spread_median"], color=colour(line), linewidth=1.4)
            if {"spread_q10", "spread_q90"} <= set(wide):
                band(axis, wide.index, wide["spread_q10"], wide["spread_q90"], line)
        for (line, _, _), curve in of(shown, mask_mode=mask, statistic="rms0").groupby(["line", "network", "sentence"]):
            curve = curve[curve["value"] > 0].sort_values("layer")
            axis.plot(curve["layer"], curve["value"], ":", color=colour(line), linewidth=0.9, alpha=0.8)
        axis.set_title(MASKS.get(mask, mask), fontsize=11)
        if not (own["median"] > 0).any():
            say_empty(axis)
    log_y(axes)
    outer_labels(axes, "layer", "spread over tokens\n(sd, state units)")
    dashes = {"median over sentences": "-", "dimension 0, shown sentences": ":"} if len(shown) else {}
    legend(figure, [*line_handles(lines_of(table)), *dash_handles(dashes)])
    return figure


def trajectory_figure(rows: pd.DataFrame) -> Figure:
    """Components of several tokens of one sentence against layer; a row a mask mode and dimension, a column a line.

    `rows` are those of `trajectories` with their lines. Of each line the first network's first sentence is drawn.
    """
    lines = lines_of(rows)
    grid = [(mask, int(d)) for mask in masks_of(rows) for d in sorted(rows["dimension"].unique())]
    tokens = sorted(int(token) for token in rows["token"].unique())
    figure, axes = panels(len(grid), len(lines), width=3.6, height=1.9, sharex=True, sharey="row")
    shades = {token: colormaps["tab10"](i % 10) for i, token in enumerate(tokens)}
    for (i, j), axis in np.ndenumerate(axes):
        mask, dimension = grid[i]
        own, name = first_shown(of(rows, line=lines[j], mask_mode=mask, dimension=dimension))
        for token, curve in own.groupby("token"):
            curve = curve.sort_values("layer")
            axis.plot(curve["layer"], curve["value"], color=shades[int(token)], linewidth=0.8)
        axis.set_title(f"{lines[j]}{name}, {MASKS.get(mask, mask)}", fontsize=9)
        if not np.isfinite(own["value"].astype(float)).any():
            say_empty(axis)
    outer_labels(axes, "layer", [f"dimension {dimension}" for _, dimension in grid])
    handles = [Line2D([], [], color=shades[token], linewidth=2, label=f"token {token}") for token in tokens]
    legend(figure, handles)
    return figure


def long_trajectory_figure(rows: pd.DataFrame) -> Figure:
    """One component of the one vector against layers, its first dimension; a row a mask mode, a column a line."""
    rows = of(rows, dimension=rows["dimension"].min())
    lines, masks = lines_of(rows), masks_of(rows)
    figure, axes = panels(len(masks), len(lines), width=3.6, height=2.1, sharex=True, sharey=True)
    for (i, j), axis in np.ndenumerate(axes):
        own, name = first_shown(of(rows, line=lines[j], mask_mode=masks[i]))
        own = own.sort_values("layer")
        axis.plot(own["layer"], own["value"], color=colour(lines[j]), linewidth=0.5)
        axis.set_title(f"{lines[j]}{name}, {MASKS.get(masks[i], masks[i])}", fontsize=9)
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        if not np.isfinite(own["value"].astype(float)).any():
            say_empty(axis, "nothing was followed")
    outer_labels(axes, "layer", f"dimension {int(rows['dimension'].iloc[0])}")
    return figure


def first_shown(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows of the first network's first sentence, and the network's name: " (seed 0)"; empty for a checkpoint."""
    if not len(rows):
        return rows, ""
    network = rows["network"].min()
    own = of(rows, network=network)
    return of(own, sentence=own["sentence"].min()), "" if network < 0 else f" (seed {network})"
