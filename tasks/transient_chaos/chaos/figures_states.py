"""Figures of the states: effective dimension, spread over tokens, single components, attention maps, survival.

A figure without a value to show is None.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tasks.analysis.palette import CYCLE, GREY
from tasks.analysis.panels import curve, legend, line_handle, of, outer_labels, panels, say_empty
from tasks.transient_chaos.chaos.figures import (
    MASKS,
    bare,
    by_line,
    by_mask,
    colour,
    dash_handles,
    line_handles,
    lines_of,
    masks_of,
    say_undefined,
    shades,
)

CAPTIONS = {
    "effective_dimension": "Participation ratio of the sample of sentences at each layer: all tokens (solid), first "
    "token alone (dashed). Band = 95 % interval over networks; a single network has none. It cannot exceed the number "
    "of sentences less one (dash-dotted).",
    "token_deviation": "Standard deviation over tokens, mean over hidden dimensions, at each layer: median over "
    "sentences, band = 10 % to 90 % of the sentences; of each the median over networks. Dotted: root mean square "
    "deviation over tokens in dimension 0 alone, of the shown sentences. Grey lines: thresholds of synchronisation.",
    "trajectories": "Components of the states of a few tokens of the first shown sentence.",
    "survival": "Kaplan-Meier curves: the share of sentences that are still chaotic, or whose tokens are still apart, "
    "after so many layers. A line is the mean of its networks' curves; band = 95 % interval over networks (Student, "
    "cut at 0 and 1), or over sentences for a single network (Greenwood, log-log). Ticks: censored, it had not ended "
    "when the run did, or the sentence was lost. Chaos lengths are known to one window only; without growth in the "
    "first window they are 0.",
    "survival_thresholds": "Kaplan-Meier curves of the persistent synchronisation offset, for each threshold of the "
    "spread over tokens.",
    "attention_maps": "Attention probabilities of one head in the first shown sentence; the square root sets the "
    "colour.",
    "long_trajectory": "A component of the one vector that all tokens of the first followed sentence are.",
}
LOG_ABOVE = 200
"""Layers above which the axis of the effective dimension is logarithmic: what happens, happens in the first tens."""
CHAOS_RULES = {"first_nonpositive": "-", "last_positive": "--"}
OFFSET_RULES = {"persistent": "-", "first": "--"}
MEANINGS = {
    "first_nonpositive": "chaos: to first window without growth",
    "last_positive": "chaos: to last window with growth",
    "persistent": "offset: below for good",
    "first": "offset: first below",
    "long": "along the manifold: to last window with growth",
}


def log_y(axes: np.ndarray) -> None:
    """A logarithmic y axis for a row of axes that share it, unless none has a value above 0 (matplotlib refuses)."""
    values = [np.asarray(line.get_ydata(), dtype=float) for axis in axes.flat for line in axis.lines]
    if any((own[np.isfinite(own)] > 0).any() for own in values):
        axes.flat[0].set_yscale("log")


def effective_dimension_figure(table: pd.DataFrame) -> Figure | None:
    """Effective dimension against layer, log y: all tokens, the first token alone (dashed), the bound N - 1."""
    if not len(table):
        return None
    logarithmic = table["layer"].max() > LOG_ABOVE
    figure, axes = panels(1, len(masks_of(table)), height=3.4, sharey=True)
    for axis, own in by_mask(table, axes[0], "mean"):
        own = own[own["layer"] >= 1] if logarithmic else own
        for (line, metric), rows in own.groupby(["line", "metric"]):
            if metric == "effective_dimension":
                curve(axis, rows, "layer", colour(line), linewidth=1.2)
            else:
                bare(axis, rows, "layer", colour(line), linestyle="--", linewidth=1.2)
        # A single sentence has the bound 0, which has no place on a logarithmic axis.
        bound = own[own["bound"] > 0].groupby("layer", as_index=False)["bound"].max()
        axis.plot(bound["layer"], bound["bound"], "-.", color=GREY, linewidth=1.0)
        if logarithmic:
            axis.set_xscale("log")
    log_y(axes)
    axes[0, 0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    outer_labels(axes, "layer", "effective dimension\n(participation ratio)")
    dashes = {"all tokens": "-", "first token": "--", "bound, N − 1": "-."}
    legend(figure, [*line_handles(lines_of(table)), *dash_handles(dashes)])
    return figure


def token_deviation_figure(table: pd.DataFrame, shown: pd.DataFrame, thresholds: Sequence[float]) -> Figure | None:
    """Spread over tokens against layer, log y; thin dotted: rms deviation in dimension 0 of the shown sentences.

    Args:
        table: as `reduce_tables.token_deviation` gives it.
        shown: rows of `spreads` with their lines; may be empty.
        thresholds: drawn as thin lines.
    """
    if not len(table):
        return None
    figure, axes = panels(1, len(masks_of(table)), height=3.4, sharey=True)
    for axis, own in by_mask(table.assign(median=table["median"].where(table["median"] > 0)), axes[0], "median"):
        for threshold in thresholds:
            axis.axhline(threshold, color=GREY, linewidth=0.5, zorder=1)
        for line, rows in own.groupby("line"):
            wide = rows.pivot_table(index="layer", columns="metric", values="median").reset_index()
            wide = wide.rename(columns={"spread_median": "mean", "spread_q10": "low", "spread_q90": "high"})
            curve(axis, wide.reindex(columns=["layer", "mean", "low", "high"]), "layer", colour(line))
        rms = of(shown, mask_mode=own["mask_mode"].iloc[0], statistic="rms0")
        for (line, _, _), rows in rms[rms["value"] > 0].groupby(["line", "network", "sentence"]):
            rows = rows.sort_values("layer")
            axis.plot(rows["layer"], rows["value"], ":", color=colour(line), linewidth=0.9, alpha=0.8)
    log_y(axes)
    outer_labels(axes, "layer", "spread over tokens\n(sd, state units)")
    dashes = {"median over sentences": "-", "dimension 0, shown sentences": ":"} if len(shown) else {}
    legend(figure, [*line_handles(lines_of(table)), *dash_handles(dashes)])
    return figure


def trajectory_figure(rows: pd.DataFrame) -> Figure | None:
    """Components of several tokens of one sentence against layer; a row a mask mode and dimension, a column a line.

    `rows` are those of `trajectories` with their lines. Of each line the first network's first sentence is drawn.
    """
    if not len(rows):
        return None
    lines = lines_of(rows)
    grid = [(mask, int(d)) for mask in masks_of(rows) for d in sorted(rows["dimension"].unique())]
    colours = {int(token): CYCLE[i % len(CYCLE)] for i, token in enumerate(sorted(rows["token"].unique()))}
    figure, axes = panels(len(grid), len(lines), width=3.6, height=1.9, sharex=True, sharey="row")
    for (i, j), axis in np.ndenumerate(axes):
        mask, dimension = grid[i]
        own, name = first_shown(of(rows, line=lines[j], mask_mode=mask, dimension=dimension))
        for token, values in own.sort_values("layer").groupby("token"):
            axis.plot(values["layer"], values["value"], color=colours[int(token)], linewidth=0.8)
        axis.set_title(f"{lines[j]}{name}, {MASKS[mask]}")
        say_undefined(axis, own["value"])
    outer_labels(axes, "layer", [f"dimension {dimension}" for _, dimension in grid])
    legend(figure, [line_handle(f"token {token}", shade) for token, shade in colours.items()])
    return figure


def long_trajectory_figure(rows: pd.DataFrame) -> Figure | None:
    """One component of the one vector against layers, its first dimension; a row a mask mode, a column a line."""
    if not len(rows):
        return None
    rows = of(rows, dimension=rows["dimension"].min())
    figure, axes, each = by_line(rows, "value", width=3.6, height=2.1, sharex=True, sharey=True)
    for axis, line, of_line in each:
        own, name = first_shown(of_line)
        own = own.sort_values("layer")
        axis.plot(own["layer"], own["value"], color=colour(line), linewidth=0.5)
        axis.set_title(axis.get_title().replace(line, line + name, 1))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    outer_labels(axes, "layer", f"dimension {int(rows['dimension'].iloc[0])}")
    return figure


def first_shown(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows of the first network's first sentence, and the network's name: " (seed 0)"; empty for a checkpoint."""
    if not len(rows):
        return rows, ""
    network = rows["network"].min()
    own = of(rows, network=network)
    return of(own, sentence=own["sentence"].min()), "" if network < 0 else f" (seed {network})"


def attention_figure(rows: pd.DataFrame) -> Figure | None:
    """Maps of one head, layers in columns, lines and mask modes in rows, one colour scale (square root) for all.

    `rows` are those of `attention` with their lines. Of each line the first network and its first sentence are drawn.
    """
    if not len(rows):
        return None
    rows = of(rows, head=rows["head"].min())
    layers = sorted(int(layer) for layer in rows["layer"].unique())
    groups = [(key, own) for key, own in rows.groupby(["mask_mode", "line"], observed=True) if len(own)]
    figure, axes = panels(len(groups), len(layers), width=1.5, height=1.55, sharex="row", sharey="row")
    highest = rows["probability"].max()
    norm = PowerNorm(0.5, vmin=0, vmax=highest if np.isfinite(highest) and highest > 0 else 1)
    image = None
    for row, ((mask, line), group) in zip(axes, groups, strict=True):
        own, name = first_shown(group)
        for axis, layer in zip(row, layers, strict=True):
            matrix = of(own, layer=layer).pivot_table(index="query", columns="key", values="probability")
            axis.grid(False)
            if matrix.size:
                image = axis.imshow(matrix.to_numpy(dtype=float), cmap="magma", norm=norm, interpolation="nearest")
            else:
                say_empty(axis, "none")
            for side in (axis.xaxis, axis.yaxis):
                side.set_major_locator(MaxNLocator(3, integer=True))
            axis.tick_params(labelsize=7)
            if row is axes[0] or axis in axes[0]:
                axis.set_title(f"layer {layer}")
        label = f"{line}{name}".replace(", ", ",\n").replace(" (", "\n(")
        row[0].set_ylabel(f"{label}\n{MASKS[mask]}\nquery (position)", fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("key (position)", fontsize=8)
    if image is not None:
        figure.colorbar(image, ax=axes, shrink=0.7, label=f"attention probability, head {int(rows['head'].iloc[0])}")
    return figure


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
    for row, (curves, rules, what, x) in zip(axes, kinds, strict=True):
        for axis, mask in zip(row, masks, strict=True):
            _steps(axis, of(curves, mask_mode=mask), rules, colour)
            axis.set_xlabel(x)
        row[0].set_ylabel(f"share {what}")
        used |= {MEANINGS[rule]: dash for rule, dash in rules.items() if (curves["rule"] == rule).any()}
    for axis, mask in zip(axes[0], masks, strict=True):
        axis.set_title(MASKS[mask])
    tick = line_handle("censored", GREY, marker="|", linestyle="", markersize=8)
    legend(figure, [*line_handles(lines_of(everything)), *dash_handles(used), tick])
    return figure


def thresholds_figure(offsets: pd.DataFrame) -> Figure | None:
    """Curves of the persistent offset for every threshold; a row a mask mode, a column a line."""
    rows = of(offsets, statistic="spread", rule="persistent")
    if not len(rows):
        return None
    colours = shades(sorted(rows["threshold"].unique(), reverse=True))
    figure, axes, each = by_line(rows, "survival", width=3.5, height=2.2, sharex=True, sharey=True)
    for axis, _, own in each:
        for threshold, curves in own.groupby("threshold"):
            _steps(axis, curves, {"persistent": "-"}, lambda _, t=threshold: colours[t], with_band=False)
    outer_labels(axes, "synchronisation offset (layers)", "share not synchronised")
    handles = [line_handle(f"{threshold:g}", shade) for threshold, shade in colours.items()]
    figure.legend(handles=handles, title="threshold", loc="outside right center")
    return figure


def _steps(
    axis: Axes, curves: pd.DataFrame, rules: Mapping[str, str], shade: Callable[[str], Any], with_band: bool = True
) -> None:
    """Step functions with ticks where times are censored, and bands for the first of the rules alone."""
    for (line, rule), rows in curves.groupby(["line", "rule"]):
        if rule not in rules:
            continue
        rows = rows.sort_values("layers")
        x, y = whole_steps(rows["layers"], rows["survival"], end=curves["layers"].max())
        axis.step(x, y, rules[rule], where="post", color=shade(line))
        ticks = rows[rows["censored"] > 0]
        axis.plot(ticks["layers"], ticks["survival"], "|", color=shade(line), markersize=8)
        if with_band and rule == next(iter(rules)):
            ends = (rows[name].to_numpy(dtype=float) for name in ("layers", "low", "high"))
            axis.fill_between(*ends, color=shade(line), alpha=0.15, linewidth=0, step="post")
    axis.set_ylim(-0.03, 1.05)
    if not len(curves):
        say_empty(axis, "no sentences")


def whole_steps(layers: Sequence[float], survival: Sequence[float], end: float) -> tuple[np.ndarray, np.ndarray]:
    """A curve from 1 at layer 0, and on to `end` where nothing is left: one that falls at once would not be seen."""
    x, y = np.append(0.0, layers), np.append(1.0, survival)
    return (np.append(x, end), np.append(y, 0.0)) if y[-1] == 0 else (x, y)
