"""Figures of growth: the published two panels, spectra, their convergence, growth after synchronisation."""

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tasks.analysis.panels import legend, of, outer_labels, panels, say_empty
from tasks.transient_chaos.chaos.figures import (
    MASKS,
    band,
    colour,
    dash_handles,
    line_handles,
    lines_of,
    masks_of,
    spread_of,
    zero_line,
)

GROWTH = "nats per layer"
KINDS = {
    ("tangent", "aligned"): ("-", "tangent, aligned"),
    ("tangent", "random"): (":", "tangent, random start"),
    ("difference", "random"): ("--", "finite difference, random start"),
    ("difference", "aligned"): ("-.", "finite difference, aligned"),
}


def growth_figure(growth: pd.DataFrame, components: pd.DataFrame) -> Figure:
    """The published two panels, a column a mask mode: the largest exponent's windows, and one component of the states.

    Args:
        growth: as `growth_table` gives it.
        components: as `components` gives it; may be empty.
    """
    largest = of(growth, exponent=1)
    masks = masks_of(largest)
    rows = 2 if len(components) else 1
    figure, axes = panels(rows, len(masks), sharex=True, sharey="row")
    kinds: dict[str, str] = {}
    for column, mask in enumerate(masks):
        upper = axes[0, column]
        upper.set_title(MASKS.get(mask, mask), fontsize=11)
        zero_line(upper)
        for (line, method, phase), curve in of(largest, mask_mode=mask).groupby(["line", "method", "phase"]):
            dash, label = KINDS.get((method, phase), ("-", f"{method}, {phase}"))
            curve = curve.sort_values("start").dropna(subset="mean")
            if not len(curve):
                continue
            kinds[label] = dash
            marker = "o" if len(curve) <= 30 and dash == "-" else "" if len(curve) > 1 else "x"
            upper.plot(
                curve["start"], curve["mean"], dash, color=colour(line), marker=marker, markersize=3, linewidth=1.4
            )
            if (method, phase) == ("tangent", "aligned"):
                sd = spread_of(curve)
                band(upper, curve["start"], curve["mean"] - sd, curve["mean"] + sd, line)
        if not upper.has_data() or not np.isfinite(of(largest, mask_mode=mask)["mean"]).any():
            say_empty(upper)
        if rows == 2:
            lower = axes[1, column]
            for line, curve in of(components, mask_mode=mask).groupby("line"):
                curve = curve.sort_values("layer").dropna(subset="mean")
                sd = spread_of(curve)
                lower.plot(curve["layer"], curve["mean"], color=colour(line), linewidth=1.0)
                band(lower, curve["layer"], curve["mean"] - sd, curve["mean"] + sd, line)
    below = []
    if rows == 2:
        token, dimension = components["token"].iloc[0], components["dimension"].iloc[0]
        below = [f"state: token {token}, dimension {dimension}"]
    x = "layers applied (upper: before the window)" if rows == 2 else "layers applied before the window"
    outer_labels(axes, x, [f"largest exponent\n({GROWTH})", *below])
    legend(figure, [*line_handles(lines_of(largest)), *dash_handles(kinds)])
    return figure


def spectrum_figure(spectra: pd.DataFrame) -> Figure:
    """The exponents at the end against their number, with their interval; a column a mask mode."""
    masks, lines = masks_of(spectra), lines_of(spectra)
    figure, axes = panels(1, len(masks), height=3.2, sharey=True)
    for axis, mask in zip(axes[0], masks, strict=True):
        zero_line(axis)
        own = of(spectra, mask_mode=mask)
        for i, line in enumerate(lines):
            rows = of(own, line=line)
            rows = rows[rows["layers"] == rows["layers"].max()].sort_values("exponent").dropna(subset="mean")
            # Neighbouring lines stand a little apart, or their bars would hide each other.
            x = rows["exponent"] + 0.08 * (i - (len(lines) - 1) / 2)
            bars = np.abs(rows[["low", "high"]].to_numpy(dtype=float).T - rows["mean"].to_numpy(dtype=float))
            axis.errorbar(x, rows["mean"], bars, color=colour(line), fmt="o-", markersize=4, linewidth=1.1, capsize=2)
        axis.set_title(f"{MASKS.get(mask, mask)}, mean over {int(own['layers'].max())} layers", fontsize=11)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        if not np.isfinite(own["mean"]).any():
            say_empty(axis)
    outer_labels(axes, "number of the exponent", f"Lyapunov exponent\n({GROWTH})")
    legend(figure, line_handles(lines))
    return figure


def convergence_figure(spectra: pd.DataFrame) -> Figure:
    """Cumulative exponents against the layers they are over, log x; a row a mask mode, a column a line.

    Lines have scales of their own: exponents of one may lie far from those of another, and would be drawn as one.
    """
    masks, lines = masks_of(spectra), lines_of(spectra)
    figure, axes = panels(len(masks), len(lines), width=3.5, height=2.5, sharex=True, sharey="col")
    numbers = sorted(spectra["exponent"].unique())
    shades = dict(zip(numbers, colormaps["viridis"](np.linspace(0, 0.88, len(numbers))), strict=True))
    for (i, j), axis in np.ndenumerate(axes):
        zero_line(axis)
        own = of(spectra, mask_mode=masks[i], line=lines[j])
        for number, curve in own.groupby("exponent"):
            curve = curve.sort_values("layers")
            axis.plot(curve["layers"], curve["mean"], color=shades[number], linewidth=1.3, label=str(number))
        axis.set_xscale("log")
        axis.set_title(f"{lines[j]}, {MASKS.get(masks[i], masks[i])}", fontsize=10)
        if not np.isfinite(own["mean"]).any():
            say_empty(axis)
    outer_labels(axes, "layers since alignment", f"exponents so far\n({GROWTH})")
    handles = {h.get_label(): h for axis in axes.flat for h in axis.get_lines() if h.get_label() in map(str, numbers)}
    figure.legend(
        handles=[handles[str(n)] for n in numbers if str(n) in handles],
        title="exponent",
        loc="outside right center",
        frameon=False,
    )
    return figure


def long_growth_figure(growth: pd.DataFrame) -> Figure:
    """Growth along and across the synchronised manifold against layers, a column a mask mode."""
    masks = masks_of(growth)
    directions = [d for d in ("along", "across") if (growth["direction"] == d).any()]
    figure, axes = panels(len(directions), len(masks), height=2.4, sharex=True, sharey="row")
    for (i, j), axis in np.ndenumerate(axes):
        zero_line(axis)
        own = of(growth, mask_mode=masks[j], direction=directions[i])
        for (line, exponent), curve in own.groupby(["line", "exponent"]):
            curve = curve.sort_values("start")
            first = exponent == 1
            axis.plot(
                curve["start"],
                curve["mean"],
                color=colour(line),
                linewidth=1.3 if first else 0.7,
                alpha=1 if first else 0.5,
            )
            if first:
                sd = spread_of(curve)
                band(axis, curve["start"], curve["mean"] - sd, curve["mean"] + sd, line)
        if not np.isfinite(own["mean"]).any():
            say_empty(axis)
        if i == 0:
            axis.set_title(MASKS.get(masks[j], masks[j]), fontsize=11)
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    outer_labels(axes, "layers applied before the window", [f"growth {d}\n({GROWTH})" for d in directions])
    legend(figure, line_handles(lines_of(growth)))
    return figure
