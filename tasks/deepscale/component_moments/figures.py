"""The figures of `component_moments`: errors, agreement, the tail of attention's gradient, correlation curves."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import ArrayLike
from scipy.stats import t as student_t

from metrics.activation_moments import Array
from metrics.correlation_curves import ffn_correlation, ffn_polynomial, relu_correlation, relu_polynomial
from tasks.analysis.panels import GREY, legend, line_handle, of, outer_labels, panels, say_empty
from tasks.deepscale.component_moments.params import QUANTITIES
from tasks.deepscale.component_moments.published import PERCENTS, PUBLISHED

COLOURS = {"published": "#d95f02", "exact": "#1b6ca8"}
OFFSETS = {"published": -0.17, "exact": 0.17}
QUANTITY_COLOURS = dict(
    zip(
        QUANTITIES,
        ("#4477aa", "#228833", "#8fbc5a", "#66ccee", "#aa3377", "#ccbb44", "#e0d58a", "#ee6677"),
        strict=True,
    )
)
LABELS = {
    "x_mean": "mean", "x_var": "var", "x_var_full": "var (full)", "x_cov": "cov", "x_cov_features": "cov (features)",
    "g_var": "grad var", "g_var_full": "grad var (full)", "g_cov": "grad cov",
}  # fmt: skip
LEAST = 1e-5  # percent: what is smaller is rounding
COLUMNS = 4
MARKS = 1500  # of a component's points; more are one blot


def error_figure(biases: pd.DataFrame) -> Figure:
    """A panel a component: bars of |bias| of both forms for each quantity."""
    components = list(dict.fromkeys(biases["component"]))
    columns = min(COLUMNS, len(components))
    figure, axes = panels(-(-len(components) // columns), columns, width=3.0, height=2.3, sharex=True)
    for axis, component in zip(axes.flat, components, strict=False):
        here = of(biases, component=component)
        quantities = list(dict.fromkeys(here["quantity"]))
        axis.set_title(component.replace("_", " "), fontsize=10)
        axis.set_xscale("log")
        for at, quantity in enumerate(quantities):
            for form, line in of(here, quantity=quantity).groupby("form"):
                low, middle, high, noise = (
                    max(float(line[name].iloc[0]), LEAST) for name in ("p10", "p50", "p99", "noise")
                )
                y = at + OFFSETS[form]
                axis.plot([low, high], [y, y], color=COLOURS[form], linewidth=2.5, alpha=0.55, solid_capstyle="butt")
                axis.plot([middle], [y], color=COLOURS[form], marker="o", markersize=4.5)
                if np.isfinite(noise):
                    axis.plot([noise], [y], color=GREY, marker="|", markersize=9, markeredgewidth=1.4)
        axis.set_yticks(range(len(quantities)), [LABELS[quantity] for quantity in quantities], fontsize=8)
        axis.set_ylim(len(quantities) - 0.5, -0.5)
    _hide_rest(axes, len(components))
    for axis in axes.flat[max(0, len(components) - columns) : len(components)]:
        axis.set_xlabel("|bias| (%)")
        axis.tick_params(labelbottom=True)
    handles = [line_handle(f"{form} form", colour, marker="o") for form, colour in COLOURS.items()]
    noise = line_handle("standard error of the simulation", GREY, marker="|", linestyle="", markersize=9)
    legend(figure, [*handles, noise])
    return figure


def agreement_figure(rows: pd.DataFrame, components: Sequence[str]) -> Figure:
    """A panel a component: |measured| against |predicted|."""
    present = [name for name in components if name in set(rows["component"])]
    columns = min(COLUMNS, len(present))
    figure, axes = panels(-(-len(present) // columns), columns, width=2.7, height=2.4)
    used: dict[str, None] = {}
    for axis, component in zip(axes.flat, present, strict=False):
        here = of(rows, component=component)
        here = here[~here["quantity"].str.endswith("_full")]
        axis.set_title(component.replace("_", " "), fontsize=10)
        points = here["point"].drop_duplicates()
        kept = set(points.iloc[:: max(1, len(points) // MARKS)])
        here = here[here["point"].isin(kept) & (here["predicted_exact"] != 0) & np.isfinite(here["measured"])]
        if not len(here):
            say_empty(axis)
            continue
        axis.set_xscale("log")
        axis.set_yscale("log")
        for quantity in QUANTITIES:
            line = of(here, quantity=quantity)
            if len(line):
                used[quantity] = None
                axis.plot(
                    np.abs(line["predicted_exact"]),
                    np.abs(line["measured"]),
                    linestyle="",
                    marker="o",
                    markersize=3,
                    alpha=0.6,
                    markeredgewidth=0,
                    color=QUANTITY_COLOURS[quantity],
                )
        ends = np.abs(here["predicted_exact"].to_numpy(dtype=float))
        ends = np.array([ends.min(), ends.max()])
        axis.plot(ends, ends, color=GREY, linestyle=":", linewidth=1)
        for side in (axis.xaxis, axis.yaxis):
            side.set_minor_formatter(NullFormatter())
    _hide_rest(axes, len(present))
    for axis in axes.flat[max(0, len(present) - columns) : len(present)]:
        axis.set_xlabel("|predicted|")
    outer_labels(axes, [axis.get_xlabel() for axis in axes[-1]], "|measured|")
    ordered = [quantity for quantity in QUANTITIES if quantity in used]
    legend(
        figure,
        [
            line_handle(LABELS[quantity], QUANTITY_COLOURS[quantity], marker="o", linestyle="", markersize=4)  # pyright: ignore[reportArgumentType]
            for quantity in ordered
        ],
    )
    return figure


def tail_figure(rows: pd.DataFrame) -> Figure:
    """The share of points above an error, of both forms; the published percentiles as crosses."""
    figure, axes = panels(1, 1, width=4.6, height=3.0)
    axis = axes[0, 0]
    axis.set_title("attention, variance of the gradient", fontsize=10)
    axis.set_xscale("log")
    axis.set_yscale("log")
    for form, ending in (("published", "_published"), ("exact", "")):
        errors = 100 * rows["legacy_error" + ending].to_numpy(dtype=float)
        errors = np.sort(errors[np.isfinite(errors)])
        share = 1 - np.arange(len(errors)) / max(1, len(errors))
        axis.step(errors, share, where="post", color=COLOURS[form], linewidth=1.6)
    crosses = PUBLISHED["attention"]["g_var"]
    axis.plot(crosses, [1 - percent / 100 for percent in PERCENTS], color="black", marker="x", linestyle="")
    largest = 100 * rows["legacy_error_published"].max()
    axis.set_xlim(0.1, max(60.0, 1.3 * float(largest)))
    axis.set_ylim(max(0.3 / max(1, len(rows)), 1e-3), 1.3)
    axis.set_xlabel("error in the published metric (%)")
    axis.set_ylabel("share of points above")
    names = {"published": "published form", "exact": "with the way through query and key"}
    handles = [line_handle(names[form], colour) for form, colour in COLOURS.items()]
    legend(figure, [*handles, line_handle("published log", "black", marker="x", linestyle="")])
    return figure


def correlation_figure(rows: pd.DataFrame) -> Figure:
    """Two columns (ReLU, feed-forward block): curves above, what is left of the exact curve below."""
    figure, axes = panels(2, 2, width=3.6, height=2.3, sharex=True, sharey="row")
    r = np.linspace(0, 1, 301)
    kinds = (
        ("ReLU", "relu", relu_correlation, relu_polynomial, "0.7 r + 0.3 r²"),
        ("feed-forward block", "ffn_relu", ffn_correlation, ffn_polynomial, "1/π + r/2 + (1/2 - 1/π) r²"),
    )
    for column, (title, component, exact, polynomial, text) in enumerate(kinds):
        above, below = axes[:, column]
        above.set_title(f"{title}; polynomial {text}", fontsize=9)
        above.plot(r, r, color=GREY, linestyle=":", linewidth=1)
        above.plot(r, exact(r), color=COLOURS["exact"])
        above.plot(r, polynomial(r), color=COLOURS["published"], linestyle="--")
        below.axhline(0, color=COLOURS["exact"])
        below.plot(r, polynomial(r) - exact(r), color=COLOURS["published"], linestyle="--")
        _simulated(above, below, measured_correlations(rows, component), exact)
    outer_labels(axes, "correlation r of two tokens before", ["correlation behind", "less the exact curve"])
    legend(
        figure,
        [
            line_handle("exact", COLOURS["exact"]),
            line_handle("published polynomial", COLOURS["published"], linestyle="--"),
            line_handle("simulated", "black", marker="o", linestyle="", markersize=3),
            line_handle("unchanged", GREY, linestyle=":"),
        ],
    )
    return figure


def measured_correlations(rows: pd.DataFrame, component: str) -> pd.DataFrame:
    """r_x and the measured correlation behind a component, without what dropout takes from it: a row a point."""
    here = of(rows, component=component)
    wide = here.pivot_table(index=["point", "r_x"], columns="quantity", values="measured", aggfunc="first")
    if not len(wide):
        return pd.DataFrame({"r_x": [], "correlation": []})
    table = wide.reset_index()
    dropped = here.drop_duplicates("point").set_index("point")["p"].reindex(table["point"]).fillna(0.0)
    correlation = table["x_cov"] / (table["x_var"] * (1 - dropped.to_numpy(dtype=float)))
    return pd.DataFrame({"r_x": table["r_x"], "correlation": correlation})


def _simulated(above: Axes, below: Axes, table: pd.DataFrame, exact: Callable[[ArrayLike], Array]) -> None:
    for r, group in table.groupby("r_x"):
        values = group["correlation"].to_numpy(dtype=float)
        values = np.unique(values[np.isfinite(values)].round(12))  # points that share a simulation count once
        if len(values) < 2:
            continue
        half = student_t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
        for axis, centre in ((above, values.mean()), (below, values.mean() - exact(r))):
            axis.errorbar([r], [centre], yerr=[half], color="black", marker="o", markersize=3.5, capsize=3)


def _hide_rest(axes: np.ndarray, used: int) -> None:
    for axis in axes.flat[used:]:
        axis.set_visible(False)
