"""The figures of `component_moments`: errors, agreement, the tail of attention's gradient, correlation curves."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from metrics.correlation_curves import ffn_correlation, ffn_polynomial, relu_correlation, relu_polynomial
from metrics.intervals import mean_interval
from tasks.analysis.palette import CYCLE, GREY, PUBLISHED, THEORY
from tasks.analysis.panels import legend, line_handle, of, outer_labels, panels, say_empty
from tasks.deepscale.component_moments.stages import FORMS, QUANTITIES

BOTH_FORMS = (
    "Published: the published closed form. Exact: the exact form, or for attention, softmax and blocks the best one "
    "known. Where both are one form they coincide."
)
CAPTIONS = {
    "errors": (
        f"|bias| over grid points: median (mark) and 10th to 99th percentile (bar), in percent. {BOTH_FORMS} Grey "
        "tick: median standard error of the simulation in the same unit; a form is wrong only where its error is far "
        "to the right of it. Values below 10^-5 % are drawn there; values that are not finite are left out."
    ),
    "agreement": (
        "Each grid point: measured moment against the exact (or best known) form, absolute values, logarithmic axes. "
        "Dotted: equal. Points that scaling maps onto each other share one simulation; at most 1,500 of a component "
        "are drawn, evenly spread; moments predicted to be zero are left out."
    ),
    "attention_tail": (
        "Error of the variance of the gradient behind one attention head: the share of grid points of the published "
        "grid (of all where it was not asked for) whose error is above the value, in the published metric. Crosses: "
        "the published percentiles 50, 90 and 99. The published form leaves out the gradient's path through query and "
        "key; what remains of the exact form's error is the simulation's noise."
    ),
    "correlations": (
        "Correlation of two tokens behind ReLU and behind a feed-forward block (before dropout), against that before: "
        "exact curve, published polynomial, and simulation: mean and 95 % interval (Student) over grid points of that "
        "correlation. Below: polynomial and simulation less the exact curve."
    ),
}
COLOURS = {"published": PUBLISHED, "exact": THEORY}
SIMULATED = CYCLE[0]
OFFSETS = {"published": -0.17, "exact": 0.17}
QUANTITY_COLOURS = dict(zip(QUANTITIES, CYCLE, strict=True))
LABELS = {
    "x_mean": "mean", "x_var": "var", "x_var_full": "var (full)", "x_cov": "cov", "x_cov_features": "cov (features)",
    "g_var": "grad var", "g_var_full": "grad var (full)", "g_cov": "grad cov",
}  # fmt: skip
LEAST = 1e-5  # percent: what is smaller is rounding
COLUMNS = 4
MARKS = 1500  # of a component's points; more are one blot


def draw(
    rows: pd.DataFrame, tail: pd.DataFrame, tables: dict[str, pd.DataFrame], components: Sequence[str]
) -> dict[str, Figure]:
    """The figures that there are rows for; `tail` are rows of attention's `g_var` that compare with the published."""
    figures = {"agreement": agreement_figure(rows, components)}
    if len(tables["biases"]):
        figures["errors"] = error_figure(tables["biases"])
    if len(tail):
        figures["attention_tail"] = tail_figure(tail, tables["percentiles"])
    if set(rows["component"]) & {"relu", "ffn_relu"}:
        figures["correlations"] = correlation_figure(rows)
    return figures


def error_figure(biases: pd.DataFrame) -> Figure:
    """A panel a component: bars of |bias| of both forms for each quantity."""
    figure, axes = _panels(biases["component"].unique(), "|bias| (%)", width=3.0, height=2.3, sharex=True)
    for component, axis in axes.items():
        here = of(biases, component=component)
        quantities = list(here["quantity"].unique())
        axis.set_xscale("log")
        axis.tick_params(labelbottom=True)
        for row in here.to_dict("records"):
            low, middle, high = (max(row[name], LEAST) for name in ("p10", "p50", "p99"))
            y, colour = quantities.index(row["quantity"]) + OFFSETS[row["form"]], COLOURS[row["form"]]
            axis.plot([low, high], [y, y], color=colour, linewidth=2.5, alpha=0.55, solid_capstyle="butt")
            axis.plot([middle], [y], color=colour, marker="o", markersize=4.5)
            if np.isfinite(row["noise"]):
                axis.plot([max(row["noise"], LEAST)], [y], color=GREY, marker="|", markersize=9, markeredgewidth=1.4)
        axis.set_yticks(range(len(quantities)), [LABELS[quantity] for quantity in quantities], fontsize=8)
        axis.set_ylim(len(quantities) - 0.5, -0.5)
    handles = [line_handle(f"{form} form", colour, marker="o") for form, colour in COLOURS.items()]
    noise = line_handle("standard error of the simulation", GREY, marker="|", linestyle="", markersize=9)
    legend(figure, [*handles, noise])
    return figure


def agreement_figure(rows: pd.DataFrame, components: Sequence[str]) -> Figure:
    """A panel a component: |measured| against |predicted|."""
    present = set(rows["component"])
    figure, axes = _panels([name for name in components if name in present], "|predicted|", width=2.7, height=2.4)
    used = set()
    for number, (component, axis) in enumerate(axes.items()):
        here = of(rows, component=component)
        axis.set_ylabel("" if number % COLUMNS else "|measured|")
        points = here["point"].drop_duplicates()
        drawn = ~here["quantity"].str.endswith("_full") & here["point"].isin(points[:: max(1, len(points) // MARKS)])
        here = here[drawn & (here["predicted_exact"] != 0) & np.isfinite(here["measured"])]
        if not len(here):
            say_empty(axis)
            continue
        axis.set_xscale("log")
        axis.set_yscale("log")
        for quantity, line in here.groupby("quantity"):
            used.add(quantity)
            style = {"linestyle": "", "marker": "o", "markersize": 3, "alpha": 0.6, "markeredgewidth": 0}
            x, y = np.abs(line["predicted_exact"]), np.abs(line["measured"])
            axis.plot(x, y, color=QUANTITY_COLOURS[quantity], **style)
        ends = np.abs(here["predicted_exact"]).agg(["min", "max"])
        axis.plot(ends, ends, color=GREY, linestyle=":", linewidth=1)
        for side in (axis.xaxis, axis.yaxis):
            side.set_minor_formatter(NullFormatter())
    marks = {name: colour for name, colour in QUANTITY_COLOURS.items() if name in used}
    legend(figure, [line_handle(LABELS[name], colour, marker="o", linestyle="") for name, colour in marks.items()])
    return figure


def tail_figure(rows: pd.DataFrame, percentiles: pd.DataFrame) -> Figure:
    """The share of points above an error, of both forms; the published percentiles as crosses."""
    figure, axes = panels(1, 1, width=4.6, height=3.0)
    axis = axes[0, 0]
    axis.set_title("attention, variance of the gradient")
    axis.set_xscale("log")
    axis.set_yscale("log")
    for form, ending in FORMS.items():
        errors = 100 * rows["legacy_error" + ending].to_numpy(dtype=float)
        errors = np.sort(errors[np.isfinite(errors)])
        share = 1 - np.arange(len(errors)) / max(1, len(errors))
        axis.step(errors, share, where="post", color=COLOURS[form], linewidth=1.6)
    logged = of(percentiles, component="attention", quantity="g_var", form="published")
    for name in logged.filter(regex="^published_p[0-9]"):
        above = 1 - float(name.removeprefix("published_p")) / 100
        axis.plot(logged[name], [above] * len(logged), color=PUBLISHED, marker="x", markersize=6, markeredgewidth=1.6)
    largest = 100 * rows["legacy_error_published"].max()
    axis.set_xlim(0.1, max(60.0, 1.3 * float(largest)))
    axis.set_ylim(max(0.3 / max(1, len(rows)), 1e-3), 1.3)
    axis.set_xlabel("error in the published metric (%)")
    axis.set_ylabel("share of points above")
    names = {"published": "published form", "exact": "with the path through query and key"}
    handles = [line_handle(names[form], colour) for form, colour in COLOURS.items()]
    legend(figure, [*handles, line_handle("published log", PUBLISHED, marker="x", linestyle="", markersize=6)])
    return figure


def correlation_figure(rows: pd.DataFrame) -> Figure:
    """Two columns (ReLU, feed-forward block): curves above, what is left of the exact curve below."""
    figure, axes = panels(2, 2, width=3.6, height=2.3, sharex=True, sharey="row")
    r = np.linspace(0, 1, 301)
    kinds = (
        ("ReLU", "relu", relu_correlation, relu_polynomial, "0.7 r + 0.3 r²"),
        ("feed-forward block", "ffn_relu", ffn_correlation, ffn_polynomial, "1/π + r/2 + (1/2 - 1/π) r²"),
    )
    for (above, below), (title, component, exact, polynomial, text) in zip(axes.T, kinds, strict=True):
        above.set_title(f"{title}; polynomial {text}")
        above.plot(r, r, color=GREY, linestyle=":", linewidth=1)
        for axis, base in ((above, 0), (below, exact(r))):
            axis.plot(r, exact(r) - base, color=THEORY)
            axis.plot(r, polynomial(r) - base, color=PUBLISHED, linestyle="--")
        for at, group in measured_correlations(rows, component).groupby("r_x"):
            values = group["correlation"].to_numpy(dtype=float)
            values = np.unique(values[np.isfinite(values)].round(12))  # points that share a simulation count once
            if len(values) > 1:
                mean, low, high = mean_interval(values)
                for axis, base in ((above, 0), (below, exact(at))):
                    marks = {"color": SIMULATED, "marker": "o", "capsize": 3}
                    axis.errorbar([at], [mean - base], yerr=[[mean - low], [high - mean]], **marks)
    outer_labels(axes, "correlation r of two tokens before", ["correlation behind", "less the exact curve"])
    handles = [line_handle("exact", THEORY), line_handle("published polynomial", PUBLISHED, linestyle="--")]
    handles += [line_handle("simulated", SIMULATED, marker="o", linestyle="")]
    legend(figure, [*handles, line_handle("unchanged", GREY, linestyle=":")])
    return figure


def measured_correlations(rows: pd.DataFrame, component: str) -> pd.DataFrame:
    """r_x and the measured correlation behind a component, without what dropout takes from it: a row a point."""
    here = of(rows, component=component)
    table = here.pivot_table(index=["point", "r_x"], columns="quantity", values="measured", aggfunc="first")
    if not len(table):
        return pd.DataFrame({"r_x": [], "correlation": []})
    table = table.reset_index()
    dropped = here.drop_duplicates("point").set_index("point")["p"].reindex(table["point"]).fillna(0.0)
    correlation = table["x_cov"] / (table["x_var"] * (1 - dropped.to_numpy(dtype=float)))
    return pd.DataFrame({"r_x": table["r_x"], "correlation": correlation})


def _panels(components: Sequence[str], x: str, **shape: Any) -> tuple[Figure, dict[str, Axes]]:
    """A panel for each component, the lowest of each column labelled."""
    columns = min(COLUMNS, len(components))
    figure, axes = panels(-(-len(components) // columns), columns, **shape)
    for axis in axes.flat[len(components) :]:
        axis.set_visible(False)
    named = dict(zip(components, axes.flat, strict=False))
    for component, axis in named.items():
        axis.set_title(component.replace("_", " "))
    for axis in axes.flat[max(0, len(components) - columns) : len(components)]:
        axis.set_xlabel(x)
    return figure, named
