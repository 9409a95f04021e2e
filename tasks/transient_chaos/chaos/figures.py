"""Figures of growth, and what all figures of `chaos` share: names, colours, panels, legends.

A figure without a value to show is None.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tasks.analysis.palette import GREY, INIT_STYLES, THEORY
from tasks.analysis.panels import curve, legend, line_handle, of, outer_labels, panels, say_empty

OVER = "over networks (means of their sentences) where there are several, over sentences for a single network"
CAPTIONS = {
    "growth_two_panels": "Upper: finite-time largest Lyapunov exponent of each window, mean over sentences, then "
    f"networks; band = mean ± sd {OVER}, for the aligned tangents. Lower: one component of the shown sentences' states "
    "(base trajectories alone), mean ± sd in the same way. Values that are not finite are left out and counted in "
    "growth.",
    "spectrum": "Lyapunov exponents, cumulative from the alignment to the last layer, of the sentences that have all "
    f"of them; bar = 95 % interval for the mean {OVER}.",
    "convergence": "Cumulative Lyapunov exponents against the number of layers that they are the mean over.",
    "long_growth": "Largest exponents of synchronised sentences: along the manifold on which all tokens are equal, and "
    f"across it (below 0: the tokens stay together); band = mean ± sd {OVER}. Thin: further exponents.",
    "chaos_length_map": "Largest exponent (aligned tangent) of every sentence in every window. White: start of the "
    "first window without growth, by which sentences are sorted. Grey: not finite. Colours end at the 1 % and 99 % "
    "quantiles.",
}
MASKS = {"none": "no mask", "padding": "padding masked"}
GROWTH = "nats per layer"
KINDS = {
    ("tangent", "aligned"): ("-", "tangent, aligned"),
    ("tangent", "random"): (":", "tangent, random start"),
    ("difference", "random"): ("--", "finite difference, random start"),
}


def masks_of(table: pd.DataFrame) -> list[str]:
    """The mask modes in a table, `none` first."""
    return sorted(table["mask_mode"].astype(str).unique())


def lines_of(table: pd.DataFrame) -> list[str]:
    """The lines in a table, pretrained first."""
    return sorted(table["line"].astype(str).unique())


def colour(line: str) -> str:
    return INIT_STYLES[line.partition(", ")[2]]


def line_handles(lines: Iterable[str]) -> list[Line2D]:
    """A legend's entry for each line's colour."""
    return [line_handle(line, colour(line)) for line in lines]


def dash_handles(dashes: Mapping[str, str]) -> list[Line2D]:
    """A legend's entry for each kind of dash, by its label."""
    return [line_handle(label, GREY, linestyle=dash) for label, dash in dashes.items()]


def shades(values: Sequence[Any]) -> dict[Any, Any]:
    """A colour for each of ascending values."""
    return dict(zip(values, colormaps["viridis"](np.linspace(0, 0.88, len(values))), strict=True))


def by_mask(table: pd.DataFrame, axes: Sequence[Axes], value: str) -> Iterator[tuple[Axes, pd.DataFrame]]:
    """Each mask mode's panel, with its title, and its rows; the panel says where no value is finite."""
    for axis, mask in zip(axes, masks_of(table), strict=True):
        axis.set_title(MASKS[mask])
        own = of(table, mask_mode=mask)
        say_undefined(axis, own[value])
        yield axis, own


def by_line(
    table: pd.DataFrame, value: str, **size: Any
) -> tuple[Figure, np.ndarray, Iterator[tuple[Axes, str, pd.DataFrame]]]:
    """A figure with a row a mask mode and a column a line, its axes, and each panel with its line and rows."""
    masks, lines = masks_of(table), lines_of(table)
    figure, axes = panels(len(masks), len(lines), **size)

    def each() -> Iterator[tuple[Axes, str, pd.DataFrame]]:
        for (i, j), axis in np.ndenumerate(axes):
            own = of(table, line=lines[j], mask_mode=masks[i])
            axis.set_title(f"{lines[j]}, {MASKS[masks[i]]}")
            say_undefined(axis, own[value])
            yield axis, lines[j], own

    return figure, axes, each()


def say_undefined(axis: Axes, values: pd.Series) -> None:
    """Say it where no value is finite."""
    if not np.isfinite(values.to_numpy(dtype=float)).any():
        say_empty(axis)


def with_sd(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with mean ± sd as the ends of their band: over networks where there are several, else over sentences."""
    sd = rows["sd_networks"].where(rows["over"] == "networks", rows["sd_sentences"])
    return rows.assign(low=rows["mean"] - sd, high=rows["mean"] + sd)


def bare(axis: Axes, rows: pd.DataFrame, x: str, colour: Any, **style: Any) -> None:
    """A line of the mean against `x` without a band."""
    rows = rows.sort_values(x)
    axis.plot(rows[x], rows["mean"], color=colour, **style)


def zero_line(axis: Axes) -> None:
    """Between growth and decay."""
    axis.axhline(0.0, color=THEORY, linewidth=0.8, zorder=1)


def growth_figure(growth: pd.DataFrame, components: pd.DataFrame) -> Figure | None:
    """The published two panels, a column a mask mode: the largest exponent's windows, and one component of the states.

    Args:
        growth: as `reduce_tables.growth_table` gives it.
        components: as `reduce_tables.components` gives it; may be empty.
    """
    largest = of(growth, exponent=1)
    if not len(largest):
        return None
    rows = 2 if len(components) else 1
    figure, axes = panels(rows, len(masks_of(largest)), sharex=True, sharey="row")
    kinds: dict[str, str] = {}
    for upper, own in by_mask(largest, axes[0], "mean"):
        zero_line(upper)
        for (line, *kind), windows in own.dropna(subset="mean").groupby(["line", "method", "phase"]):
            dash, label = KINDS[tuple(kind)]
            kinds[label] = dash
            marker = "o" if len(windows) <= 30 and dash == "-" else "" if len(windows) > 1 else "x"
            draw, shown = (curve, with_sd(windows)) if dash == "-" else (bare, windows)
            draw(upper, shown, "start", colour(line), linestyle=dash, marker=marker)
    x, y = "layers applied before the window", [f"largest exponent\n({GROWTH})"]
    if rows == 2:
        for lower, mask in zip(axes[1], masks_of(largest), strict=True):
            for line, states in of(components, mask_mode=mask).groupby("line"):
                curve(lower, with_sd(states.dropna(subset="mean")), "layer", colour(line), linewidth=1.0)
        x = "layers applied (upper: before the window)"
        y.append(f"state: token {components['token'].iloc[0]}, dimension {components['dimension'].iloc[0]}")
    outer_labels(axes, x, y)
    legend(figure, [*line_handles(lines_of(largest)), *dash_handles(kinds)])
    return figure


def spectrum_figure(spectra: pd.DataFrame) -> Figure | None:
    """The exponents at the end against their index, with their interval; a column a mask mode."""
    if not len(spectra):
        return None
    lines = lines_of(spectra)
    figure, axes = panels(1, len(masks_of(spectra)), height=3.2, sharey=True)
    for axis, own in by_mask(spectra, axes[0], "mean"):
        zero_line(axis)
        for i, line in enumerate(lines):
            rows = of(own, line=line)
            rows = of(rows, layers=rows["layers"].max()).sort_values("exponent").dropna(subset="mean")
            # Neighbouring lines stand a little apart, or their bars would hide each other.
            x = rows["exponent"] + 0.08 * (i - (len(lines) - 1) / 2)
            bars = np.abs(rows[["low", "high"]].to_numpy(dtype=float).T - rows["mean"].to_numpy(dtype=float))
            axis.errorbar(x, rows["mean"], bars, color=colour(line), fmt="o-", linewidth=1.1, capsize=2)
        axis.set_title(f"{axis.get_title()}, mean over {int(own['layers'].max())} layers")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    outer_labels(axes, "index of the exponent", f"Lyapunov exponent\n({GROWTH})")
    legend(figure, line_handles(lines))
    return figure


def convergence_figure(spectra: pd.DataFrame) -> Figure | None:
    """Cumulative exponents against the layers they are over, log x; a row a mask mode, a column a line.

    Lines have scales of their own: exponents of one may lie far from those of another, and would be drawn as one.
    """
    if not len(spectra):
        return None
    colours = shades(sorted(spectra["exponent"].unique()))
    figure, axes, each = by_line(spectra, "mean", width=3.5, height=2.5, sharex=True, sharey="col")
    for axis, _, own in each:
        zero_line(axis)
        for number, rows in own.groupby("exponent"):
            bare(axis, rows, "layers", colours[number])
        axis.set_xscale("log")
    outer_labels(axes, "layers since alignment", f"exponents so far\n({GROWTH})")
    handles = [line_handle(str(number), shade) for number, shade in colours.items()]
    figure.legend(handles=handles, title="exponent", loc="outside right center")
    return figure


def long_growth_figure(growth: pd.DataFrame) -> Figure | None:
    """Growth along and across the synchronised manifold against layers, a column a mask mode."""
    directions = [d for d in ("along", "across") if (growth["direction"] == d).any()]
    if not directions:
        return None
    figure, axes = panels(len(directions), len(masks_of(growth)), height=2.4, sharex=True, sharey="row")
    for row, direction in zip(axes, directions, strict=True):
        for axis, own in by_mask(growth, row, "mean"):
            zero_line(axis)
            for (line, exponent), rows in of(own, direction=direction).groupby(["line", "exponent"]):
                if exponent == 1:
                    curve(axis, with_sd(rows), "start", colour(line), linewidth=1.3)
                else:
                    bare(axis, rows, "start", colour(line), linewidth=0.7, alpha=0.5)
            axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    outer_labels(axes, "layers applied before the window", [f"growth {d}\n({GROWTH})" for d in directions])
    legend(figure, line_handles(lines_of(growth)))
    return figure


def chaos_map_figure(windows: pd.DataFrame) -> Figure | None:
    """Growth of every sentence of every network in every window; a row a mask mode, a column a line.

    Sentences are sorted by chaos length, their first window without growth, which the white line marks; grey is not
    finite. `windows` are rows of that table with their lines.
    """
    rows = of(windows, method="tangent", phase="aligned", exponent=1)
    values = rows["growth"].to_numpy(dtype=float)
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None
    low, high = np.quantile(finite, [0.01, 0.99])
    magma = colormaps["magma"].with_extremes(bad=GREY)
    figure, axes, each = by_line(rows, "growth", width=3.2, height=2.7, sharex=True)
    for axis, _, own in each:
        axis.grid(False)
        if not len(own):
            continue
        matrix, lengths, starts = sorted_growth(own)
        tau = starts[1] - starts[0] if len(starts) > 1 else 1
        extent = (starts[0], starts[-1] + tau, len(matrix), 0)
        shown = np.ma.masked_invalid(matrix)
        axis.imshow(shown, magma, aspect="auto", vmin=low, vmax=high, extent=extent, interpolation="nearest")
        ends = starts[0] + tau * np.append(lengths, lengths[-1])
        axis.step(ends, np.arange(len(lengths) + 1), color="w", linewidth=0.9)
        axis.set_xlim(extent[:2])
    outer_labels(axes, "layers applied", "sentences of all networks,\nsorted by chaos length")
    image = next(axis.images[0] for axis in axes.flat if axis.images)
    figure.colorbar(image, ax=axes, extend="both", shrink=0.8, label=f"largest exponent ({GROWTH})")
    return figure


def sorted_growth(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, Sequence[int]]:
    """Growth [sentences, windows], longest chaos first; how many windows come before one without growth; starts."""
    wide = rows.set_index(["network", "sentence", "start"])["growth"].unstack("start")  # noqa: PD010, keeps NaN
    matrix = wide.to_numpy(dtype=float)
    calm = ~(matrix > 0)
    lengths = np.where(calm.any(axis=1), calm.argmax(axis=1), matrix.shape[1])
    total = np.nansum(np.where(np.isfinite(matrix), matrix, np.nan), axis=1)
    order = np.lexsort((-total, -lengths))
    return matrix[order], lengths[order], [int(start) for start in wide.columns]
