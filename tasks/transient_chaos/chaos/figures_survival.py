"""Figures of survival, and the map of growth over sentences and layers."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tasks.analysis.panels import GREY, legend, of, outer_labels, panels, say_empty
from tasks.transient_chaos.chaos.figures import MASKS, band, colour, dash_handles, line_handles, lines_of, masks_of

CHAOS_RULES = {"first_nonpositive": "-", "last_positive": "--"}
OFFSET_RULES = {"persistent": "-", "first": "--"}
MEANINGS = {
    "first_nonpositive": "chaos: to first window without growth",
    "last_positive": "chaos: to last window with growth",
    "persistent": "offset: below for good",
    "first": "offset: first below",
    "long": "along the manifold: to last window with growth",
}


def survival_figure(
    lengths: pd.DataFrame, offsets: pd.DataFrame, long_curves: pd.DataFrame, threshold: float
) -> Figure | None:
    """Kaplan-Meier curves, a column a mask mode: chaos length, synchronisation offset, chaos after synchronisation.

    Args:
        lengths: curves of chaos lengths, as `Survivals.curves`.
        offsets: curves of offsets.
        long_curves: curves of the chaos of the one vector.
        threshold: that of the offsets that are drawn.
    """
    chaos = of(lengths, method="tangent", phase="aligned")
    chaos = chaos if len(chaos) else of(lengths, method="tangent")
    sync = of(offsets, statistic="spread", threshold=threshold)
    kinds = [
        (chaos, CHAOS_RULES, "still chaotic", "chaos length (layers)"),
        (sync, OFFSET_RULES, f"not synchronised\n(spread ≥ {threshold:g})", "synchronisation offset (layers)"),
        (long_curves.assign(rule="long"), {"long": "-"}, "one vector\nstill chaotic", "chaos length (layers)"),
    ]
    kinds = [kind for kind in kinds if len(kind[0])]
    if not kinds:
        return None
    everything = pd.concat([kind[0][["line", "mask_mode"]] for kind in kinds])
    masks = masks_of(everything)
    figure, axes = panels(len(kinds), len(masks), height=2.5, sharey=True, sharex="row")
    used: dict[str, str] = {}
    for i, (curves, rules, what, x) in enumerate(kinds):
        for j, mask in enumerate(masks):
            _draw(axes[i, j], of(curves, mask_mode=mask), rules, colour)
            axes[i, j].set_xlabel(x)
        axes[i, 0].set_ylabel(f"share {what}")
        used |= {MEANINGS[rule]: dash for rule, dash in rules.items() if (curves["rule"] == rule).any()}
    for axis, mask in zip(axes[0], masks, strict=True):
        axis.set_title(MASKS.get(mask, mask), fontsize=11)
    tick = Line2D([], [], color=GREY, marker="|", linestyle="", markersize=8, label="censored")
    legend(figure, [*line_handles(lines_of(everything)), *dash_handles(used), tick])
    return figure


def thresholds_figure(offsets: pd.DataFrame) -> Figure:
    """Curves of the persistent offset for every threshold; a row a mask mode, a column a line."""
    rows = of(offsets, statistic="spread", rule="persistent")
    masks, lines = masks_of(rows), lines_of(rows)
    thresholds = sorted(rows["threshold"].unique(), reverse=True)
    shades = dict(zip(thresholds, colormaps["viridis"](np.linspace(0, 0.88, len(thresholds))), strict=True))
    figure, axes = panels(len(masks), len(lines), width=3.5, height=2.2, sharex=True, sharey=True)
    for (i, j), axis in np.ndenumerate(axes):
        own = of(rows, mask_mode=masks[i], line=lines[j])
        for threshold, curve in own.groupby("threshold"):
            _draw(axis, curve, {"persistent": "-"}, lambda _, t=threshold: shades[t], with_band=False)
        axis.set_title(f"{lines[j]}, {MASKS.get(masks[i], masks[i])}", fontsize=10)
    outer_labels(axes, "synchronisation offset (layers)", "share not synchronised")
    handles = [Line2D([], [], color=shades[t], linewidth=2, label=f"{t:g}") for t in thresholds]
    figure.legend(handles=handles, title="threshold", loc="outside right center", frameon=False)
    return figure


def _draw(axis: Axes, curves: pd.DataFrame, rules: Mapping[str, str], shade, with_band: bool = True) -> None:
    """Step functions with ticks where times are censored, and bands for the first of the rules alone."""
    for (line, rule), curve in curves.groupby(["line", "rule"]):
        if rule not in rules:
            continue
        curve = curve.sort_values("layers")
        x, y = whole_steps(curve["layers"], curve["survival"], end=curves["layers"].max())
        axis.step(x, y, rules[rule], where="post", color=shade(line), linewidth=1.4)
        ticks = curve[curve["censored"] > 0]
        axis.plot(ticks["layers"], ticks["survival"], "|", color=shade(line), markersize=8)
        if with_band and rule == next(iter(rules)):
            band(axis, curve["layers"], curve["low"], curve["high"], line, step="post")
    axis.set_ylim(-0.03, 1.05)
    if not len(curves):
        say_empty(axis, "no sentences")


def whole_steps(layers: Sequence[float], survival: Sequence[float], end: float) -> tuple[np.ndarray, np.ndarray]:
    """A curve from 1 at layer 0, and on to `end` where nothing is left: one that falls at once would not be seen."""
    x, y = np.append(0.0, layers), np.append(1.0, survival)
    return (np.append(x, end), np.append(y, 0.0)) if y[-1] == 0 else (x, y)


def chaos_map_figure(windows: pd.DataFrame) -> Figure | None:
    """Growth of every sentence of every network in every window; a row a mask mode, a column a line.

    Sentences are sorted by chaos length, their first window without growth, which the white line marks; grey is not
    finite. None where there is no aligned growth.

    Args:
        windows: rows of `windows` with their lines.
    """
    rows = of(windows, method="tangent", phase="aligned", exponent=1)
    values = rows["growth"].to_numpy(dtype=float)
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None
    low, high = np.quantile(finite, [0.01, 0.99])
    masks, lines = masks_of(rows), lines_of(rows)
    figure, axes = panels(len(masks), len(lines), width=3.2, height=2.7, sharex=True)
    magma = colormaps["magma"].with_extremes(bad="#9aa5b1")
    image = None
    for (i, j), axis in np.ndenumerate(axes):
        axis.grid(False)
        axis.set_title(f"{lines[j]}, {MASKS.get(masks[i], masks[i])}", fontsize=10)
        own = of(rows, mask_mode=masks[i], line=lines[j])
        if not len(own):
            say_empty(axis, "no sentences")
            continue
        matrix, lengths, starts = sorted_growth(own)
        tau = starts[1] - starts[0] if len(starts) > 1 else 1
        extent = (starts[0], starts[-1] + tau, len(matrix), 0)
        shown = np.ma.masked_invalid(matrix)
        image = axis.imshow(shown, magma, aspect="auto", vmin=low, vmax=high, extent=extent, interpolation="nearest")
        axis.step(
            starts[0] + tau * np.append(lengths, lengths[-1]), np.arange(len(lengths) + 1), color="w", linewidth=0.9
        )
        axis.set_xlim(extent[:2])
    outer_labels(axes, "layers applied", "sentences of all networks,\nsorted by chaos length")
    if image is not None:
        figure.colorbar(image, ax=axes, extend="both", shrink=0.8, label="largest exponent (nats per layer)")
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
