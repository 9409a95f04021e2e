"""Figures with a colour a level or a score: how far from convergence the probes are, and the heat map as published."""

from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from tasks.analysis.palette import GREY
from tasks.analysis.panels import line_handle, of, panels, say_empty, short
from tasks.squad.scores import shown_in
from tasks.squad.squad_probes.published import nearest_to_published
from tasks.squad.squad_probes.rows import LINE, WORDS, last_epochs, shown

LEVEL = "layer (0: embedding output)"
NEVER = {"linestyle": (0, (5, 3)), "linewidth": 0.9}
AXES = {"learning_rate": "learning rate of Adam", "epoch": "epoch", "l2": "L2 (λ) of L-BFGS"}
LEAST_SPAN = 3.0
"""Points of F1 that a row of panels spans at least, or noise would look large."""


def null_line(axis: Axes, value: float) -> Line2D:
    """Draw the score of never answering where it is known; its entry in a legend."""
    if not np.isnan(value):
        axis.axhline(value, color=GREY, zorder=1, **NEVER)
    return line_handle("never answering", GREY, **NEVER)


def level_axis(axis: Axes, label: str = LEVEL) -> None:
    """Levels along x, whole numbers."""
    axis.set_xlabel(label)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def convergence_figure(by_epoch: pd.DataFrame, always_null: float) -> Figure | None:
    """F1 of one model's probes against learning rate (last epoch), epoch and L2; a row an encoder, a colour a level.

    The epochs are those of the learning rate next to the published 3e-5, named in the title.
    """
    rows = of(shown(by_epoch), metric="f1").dropna(subset="mean")
    if not len(rows):
        return None
    adam, lbfgs = of(rows, solver="adam"), of(rows, solver="lbfgs")
    nearest = nearest_to_published(adam)
    parts = {"learning_rate": last_epochs(adam), "epoch": of(adam, configuration=nearest), "l2": lbfgs}
    parts = {name: part for name, part in parts.items() if len(part)}
    encoders, colours = _encoders(rows), _level_colours(rows)
    figure, axes = panels(len(encoders), len(parts), width=3.4, height=2.4, sharey="row", sharex="col")
    for row, (label, encoder) in zip(axes, encoders.items(), strict=True):
        for axis, (x, part) in zip(row, parts.items(), strict=True):
            _level_lines(axis, of(part, **encoder), x, "mean", colours, marker="o")
            null_line(axis, always_null)
            axis.margins(x=0.1)
        low, high = row[0].get_ylim()
        middle, half = (low + high) / 2, max(high - low, LEAST_SPAN) / 2
        row[0].set_ylim(middle - half, middle + half)
        row[0].set_ylabel(f"{label}\nF1 (%)")
    for top, axis, (x, part) in zip(axes[0], axes[-1], parts.items(), strict=True):
        axis.set_xlabel(AXES[x])
        if x == "epoch":
            axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            top.set_title(str(nearest))
            continue
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(FixedLocator(np.unique(part[x].to_numpy(dtype=float)).tolist()))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_minor_locator(NullLocator())
    return _with_levels(figure, axes, colours, rows)


def training_figure(curves: pd.DataFrame) -> Figure | None:
    """Training loss of a model's probes against epoch; a row an encoder, a column a learning rate, a colour a level."""
    rows = curves.dropna(subset="loss")
    if not len(rows):
        return None
    rows = of(rows, mode=min(rows["mode"].astype(str), key=lambda mode: mode != "proper"))
    by = [*LINE, "learning_rate", "level", "step"]
    means = rows.groupby(by, sort=True)[["epoch", "loss"]].mean().reset_index()
    rates, encoders, colours = sorted(rows["learning_rate"].unique()), _encoders(rows), _level_colours(rows)
    figure, axes = panels(len(encoders), len(rates), width=3.0, height=2.4, sharey="row", sharex=True)
    for row, (label, encoder) in zip(axes, encoders.items(), strict=True):
        for axis, rate in zip(row, rates, strict=True):
            _level_lines(axis, of(means, **encoder, learning_rate=rate), "epoch", "loss", colours)
            axis.set_title(f"learning rate {rate:g}")
        row[0].set_ylabel(f"{label}\ntraining loss (nats)")
    for axis in axes[-1]:
        axis.set_xlabel("epoch")
    return _with_levels(figure, axes, colours, rows)


def _encoders(rows: pd.DataFrame) -> dict[str, dict[str, str]]:
    """The columns that tell each encoder of a model apart, by its label; fine-tuned first."""
    names = rows[["encoder", "checkpoint"]].drop_duplicates().sort_values(["encoder", "checkpoint"])
    return {
        WORDS[encoder] + (f"\n{checkpoint}" if checkpoint else ""): {"encoder": encoder, "checkpoint": checkpoint}
        for encoder, checkpoint in names.itertuples(index=False, name=None)
    }


def _level_colours(rows: pd.DataFrame) -> ScalarMappable:
    """A colour for each level, light to dark."""
    scale = Normalize(rows["level"].min(), max(rows["level"].max(), 1))
    return ScalarMappable(scale, matplotlib.colormaps["viridis_r"])


def _level_lines(axis: Axes, rows: pd.DataFrame, x: str, y: str, colours: ScalarMappable, **style: Any) -> None:
    if not len(rows):
        say_empty(axis)
    for level, own in rows.groupby("level", sort=True):
        own = own.sort_values(x)
        axis.plot(own[x], own[y], color=colours.to_rgba(level), **style)  # pyright: ignore[reportArgumentType]


def _with_levels(figure: Figure, axes: np.ndarray, colours: ScalarMappable, rows: pd.DataFrame) -> Figure:
    """The figure with the colour bar of levels, in whole numbers, and the model's name."""
    ticks = MaxNLocator(integer=True, min_n_ticks=1)
    figure.colorbar(colours, ax=list(axes.flat), label=LEVEL, shrink=0.9, ticks=ticks)
    figure.suptitle(str(rows["model"].iloc[0]), fontsize=11)
    return figure


def heat_map(selected: pd.DataFrame, always_null: float) -> Figure | None:
    """Exact match and F1 of each encoder and level, on one diverging scale centred at the score of never answering."""
    metrics = shown_in("heat_map")
    rows = shown(selected[selected["metric"].isin(metrics)]).dropna(subset="mean")
    if not len(rows):
        return None
    order = {kind: n for n, kind in enumerate(("finetuned", "pretrained", "random"))}
    names = sorted(
        rows[LINE].drop_duplicates().itertuples(index=False, name=None),
        key=lambda name: (name[0], order[name[2]], name[1]),
    )
    levels = range(int(rows["level"].max()) + 1)
    # As far below the centre as above it, so that equal distances look equal; at least five points.
    centre = float(rows["mean"].median()) if np.isnan(always_null) else always_null
    reach = max(5.0, float((rows["mean"] - centre).abs().max()))
    scale = TwoSlopeNorm(centre, centre - reach, centre + reach)
    figure = Figure(figsize=(3.4 + 0.52 * len(levels), 1.4 + 2 * (0.6 + 0.34 * len(names))), layout="constrained")
    axes, image = figure.subplots(len(metrics), 1, squeeze=False)[:, 0], None
    for axis, (name, metric) in zip(axes, metrics.items(), strict=True):
        cells = np.full((len(names), len(levels)), np.nan)
        for n, key in enumerate(names):
            line = of(rows, metric=name, **dict(zip(LINE, key, strict=True)))
            cells[n, line["level"].to_numpy(dtype=int)] = line["mean"].to_numpy(dtype=float)
        image = axis.imshow(cells, cmap="RdBu_r", norm=scale, aspect="auto")
        for (row, column), value in np.ndenumerate(cells):
            if not np.isnan(value):
                strong = abs(float(scale(value)) - 0.5) > 0.33
                axis.text(column, row, f"{value:.0f}", ha="center", va="center", color="w" if strong else "k")
        axis.set_title(f"{metric.label} ({metric.unit})")
        axis.set_xticks(range(len(levels)), [str(level) for level in levels])
        axis.set_yticks(range(len(names)), [_label(key, names) for key in names])
        axis.set_xlabel(LEVEL)
        axis.grid(False)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    if image is not None:
        bar = figure.colorbar(image, ax=list(axes), shrink=0.8, label="score (%)")
        bar.ax.axhline(centre, color="k", linewidth=1)
    return figure


def _label(name: tuple, names: list[tuple]) -> str:
    """Model and encoder, with the checkpoint where there are several of it."""
    several = sum((other[0], other[2]) == (name[0], name[2]) for other in names) > 1
    return f"{short(name[0])}, {WORDS[name[2]]}" + (f"\n{name[1] or 'here'}" if several else "")
