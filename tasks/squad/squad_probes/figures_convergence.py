"""How far from convergence the probes are: F1 against learning rate, epoch and L2; training loss. A figure a model."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from tasks.analysis.panels import of, panels, say_empty
from tasks.squad.squad_probes.figures_panels import level_bar, level_colours, null_line, shown
from tasks.squad.squad_probes.reduce_notes import WORDS
from tasks.squad.squad_probes.reduce_published import nearest_to_published
from tasks.squad.squad_probes.reduce_rows import LINE, last_epochs

AXES = {"learning_rate": "learning rate of Adam", "epoch": "epoch", "l2": "L2 (λ) of L-BFGS"}
LEAST_SPAN = 3.0
"""Points of F1 that a row of panels spans at least, or noise would look large."""


def convergence_figure(by_epoch: pd.DataFrame, always_null: float) -> Figure | None:
    """F1 of one model's probes against learning rate (last epoch), epoch and L2; a row an encoder, a colour a level.

    The epochs are those of the learning rate next to the published 3e-5, named in the title.
    """
    rows = of(shown(by_epoch), metric="f1").dropna(subset="mean")
    if not len(rows):
        return None
    adam, lbfgs = of(rows, solver="adam"), of(rows, solver="lbfgs")
    nearest = nearest_to_published(adam)
    parts = {
        "learning_rate": last_epochs(adam),
        "epoch": of(adam, configuration=nearest),
        "l2": lbfgs,
    }
    parts = {name: part for name, part in parts.items() if len(part)}
    lines = _encoders(rows)
    colour, mapping = level_colours(sorted(rows["level"].unique()))
    figure, axes = panels(len(lines), len(parts), width=3.4, height=2.4, sharey="row", sharex="col")
    for n, (line, label) in enumerate(lines):
        for axis, (x, part) in zip(axes[n], parts.items(), strict=True):
            here = of(part, **line)
            if not len(here):
                say_empty(axis)
            for level, own in here.groupby("level", sort=True):
                own = own.sort_values(x)
                axis.plot(own[x], own["mean"], "o-", ms=3, lw=1.2, color=colour(level))
            null_line(axis, always_null)
            axis.margins(x=0.1)
        low, high = axes[n, 0].get_ylim()
        middle, half = (low + high) / 2, max(high - low, LEAST_SPAN) / 2
        axes[n, 0].set_ylim(middle - half, middle + half)
        axes[n, 0].set_ylabel(f"{label}\nF1 (%)")
    for top, axis, (x, part) in zip(axes[0], axes[-1], parts.items(), strict=True):
        _x_axis(axis, x, part[x])
        if x == "epoch":
            top.set_title(str(nearest), fontsize=10)
    level_bar(figure, mapping, axes)
    figure.suptitle(str(rows["model"].iloc[0]), fontsize=11)
    return figure


def training_figure(curves: pd.DataFrame) -> Figure | None:
    """Training loss of a model's probes against epoch; a row an encoder, a column a learning rate, a colour a level."""
    rows = curves.dropna(subset="loss")
    if not len(rows):
        return None
    mode = sorted(rows["mode"].astype(str).unique(), key=lambda name: name != "proper")[0]
    rows = of(rows, mode=mode)
    rates, lines = sorted(rows["learning_rate"].unique()), _encoders(rows)
    means = rows.groupby([*LINE, "learning_rate", "level", "step"], sort=True)[["epoch", "loss"]].mean().reset_index()
    colour, mapping = level_colours(sorted(rows["level"].unique()))
    figure, axes = panels(len(lines), len(rates), width=3.0, height=2.4, sharey="row", sharex=True)
    for n, (line, label) in enumerate(lines):
        for axis, rate in zip(axes[n], rates, strict=True):
            here = of(means, **line, learning_rate=rate)
            if not len(here):
                say_empty(axis)
            for level, own in here.groupby("level", sort=True):
                axis.plot(own["epoch"], own["loss"], lw=1.2, color=colour(level))
            axis.set_title(f"learning rate {rate:g}", fontsize=10)
        axes[n, 0].set_ylabel(f"{label}\ntraining loss (nats)")
    for axis in axes[-1]:
        axis.set_xlabel("epoch")
    level_bar(figure, mapping, axes)
    figure.suptitle(str(rows["model"].iloc[0]), fontsize=11)
    return figure


def _encoders(rows: pd.DataFrame) -> list[tuple[dict[str, str], str]]:
    """Each encoder of a model: the values of its columns, and its label; fine-tuned first."""
    names = rows[["encoder", "checkpoint"]].drop_duplicates().sort_values(["encoder", "checkpoint"])
    found = []
    for encoder, checkpoint in names.itertuples(index=False, name=None):
        label = WORDS.get(str(encoder), str(encoder)) + (f"\n{checkpoint}" if checkpoint else "")
        found.append(({"encoder": encoder, "checkpoint": checkpoint}, label))
    return found


def _x_axis(axis: Axes, name: str, values: pd.Series) -> None:
    axis.set_xlabel(AXES[name])
    if name == "epoch":
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        return
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(FixedLocator(np.unique(values.to_numpy(dtype=float)).tolist()))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_locator(NullLocator())
