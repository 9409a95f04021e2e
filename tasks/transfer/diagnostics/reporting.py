"""What the reports of the four diagnostics share: means over seeds, panels, captions, sentences.

A line is a network on a task: model, task, shift, encoder. A seed draws the sentences' order, noise and heads, and all
weights of a random encoder: intervals are over seeds, so over networks for random encoders, and over samples of
sentences for a pretrained one. Values within one seed share a network and are no sample of networks.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from orchestrator.experiment import Results, Summary
from tasks.analysis.palette import ENCODERS, GREY
from tasks.analysis.panels import line_handle, of, panels, say_empty, short
from tasks.analysis.runs import over_runs, side_by_side
from tasks.analysis.summary import missing, summary
from tasks.transfer.diagnostics.options import DiagnosticOptions

LINE = ["model", "task", "shift", "encoder"]
"""The columns that tell one line from another."""
SIDES = ("pretrained", "random")
REFERENCE: dict[str, Any] = {"color": GREY, "linestyle": "--", "linewidth": 1.1}
"""How a line is drawn that is no result."""
DASHES = ("-", (0, (5, 2)), (0, (1, 1)), (0, (5, 1, 1, 1)))  # of shifts, in ascending order

SEEDS = (
    "Mean over seeds with its 95 % interval (Student). A seed draws the sentences and all else that is random, of a "
    "random encoder the weights too."
)
CAPTIONS = {
    "pretrained_vs_random": f"Pretrained and random encoders, and pretrained minus random. {SEEDS}",
    "costs": "Cost of the jobs of each line (columns as in the published table costs).",
    "pretraining": "The model small on the test part, at the end of its pretraining.",
}


def over_seeds(rows: pd.DataFrame, keys: Sequence[str], value: str = "value") -> pd.DataFrame:
    """Mean of a column for each line and `keys`: within each seed first, then over seeds (`over_runs`)."""
    return over_runs(rows, [*LINE, *keys], ["seed"], value)


def pretrained_vs_random(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """A row for each model, task, shift and `keys` that both encoders have: their means, and pretrained - random."""
    return side_by_side(table, [*LINE[:-1], *keys])


def report(
    results: Results,
    config: DiagnosticOptions,
    tables: Mapping[str, pd.DataFrame],
    figures: Mapping[str, Figure],
    captions: Mapping[str, str],
    notes: Sequence[str],
    dropout: str = "all encoders",
) -> Summary:
    """The summary of a diagnostic, whatever part of the sweep is done.

    Args:
        tables: those of the experiment; `costs` among them has `layer_passes`, and seconds in columns of that name.
        captions: of the experiment's tables and figures, where `CAPTIONS` does not say it.
        notes: what came out.
        dropout: where legacy_dropout leaves it on.
    """
    pretraining = results.table("pretraining")
    tables = {**tables, "pretraining": pretraining[~pretraining["metric"].isin(["loss", "learning_rate"])]}
    notes = list(notes)
    if config.legacy_dropout:
        notes.append(f"Dropout was on in {dropout}, as published.")
    lines = (config.models, config.tasks, config.encoders, config.seeds, config.shifts)
    notes += missing(
        results.table("costs")["job_id"].nunique(), int(np.prod([len(values) for values in lines])), "networks on tasks"
    )
    costs = tables["costs"]
    if len(costs):
        seconds = sum(costs[name].sum() for name in costs if name.endswith("_seconds"))
        notes.append(f"{costs['layer_passes'].sum():,} layer passes in {seconds:,.0f} seconds of work.")
    return summary(tables, figures, {**CAPTIONS, **captions}, notes)


def shift_label(shift: int) -> str:
    """A token shift as titles and sentences name it."""
    return "ordinary text" if shift == 0 else f"tokens shifted by {shift}"


def named(model: str, task: str, shift: int) -> str:
    """The beginning of a sentence on both encoders of a model, task and shift."""
    return f"{short(model)}, {task}, {shift_label(shift)}"


def places(table: pd.DataFrame, *names: str) -> list[dict[str, Any]]:
    """The values that these columns have together, in ascending order: rows or columns of a figure."""
    known = table[[*names]].drop_duplicates().sort_values([*names])
    return [dict(zip(names, values, strict=True)) for values in known.itertuples(index=False, name=None)]


def grid(
    table: pd.DataFrame,
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[Mapping[str, Any]],
    value: str,
    title: Sequence[str] = ("model", "task"),
    **shape: Any,
) -> tuple[Figure, np.ndarray, list[tuple[Axes, pd.DataFrame]]]:
    """Panels of the rows of a table, and each panel's axes with its rows; one without a finite `value` says so.

    Args:
        rows: the values that tell the panels' rows apart, from top to bottom.
        columns: likewise, from left to right.
        title: the columns of the table that a panel's title names.
        shape: see `panels`.
    """
    figure, axes = panels(len(rows), len(columns), **shape)
    cells = []
    for axis, (row, column) in zip(axes.flat, itertools.product(rows, columns), strict=True):
        place = {**row, **column}
        here = of(table, **place)
        axis.set_title(", ".join(_said(name, place[name]) for name in title))
        if not np.isfinite(here[value].to_numpy(dtype=float)).any():
            say_empty(axis)
        cells.append((axis, here))
    return figure, axes, cells


def _said(name: str, value: Any) -> str:
    return {"model": short, "shift": shift_label, "noise": "{} noise".format}.get(name, str)(value)


def encoder_handles(**style: Any) -> list[Line2D]:
    """Entries of a legend for the lines of both encoders."""
    return [line_handle(side, ENCODERS[side], **style) for side in SIDES]


def shift_handles(shifts: Sequence[int]) -> list[Line2D]:
    """Entries of a legend for the dashes of shifts, in the order given."""
    return [line_handle(shift_label(shift), GREY, linestyle=dash(shifts, shift)) for shift in shifts]


def dash(shifts: Sequence[int], shift: int) -> Any:
    """The line style of one of several shifts."""
    return DASHES[shifts.index(shift) % len(DASHES)]


def box_handles() -> list[Any]:
    """Entries of a legend for the boxes of both encoders."""
    return [Patch(facecolor=ENCODERS[side], alpha=0.45, edgecolor=ENCODERS[side], label=side) for side in SIDES]


def box(axis: Axes, values: np.ndarray, at: float, encoder: str, **style: Any) -> None:
    """A box of these values; `style` as of matplotlib's boxplot. Without values there is none."""
    colour = ENCODERS[encoder]
    if len(values):
        axis.boxplot(
            [values],
            positions=[at],
            patch_artist=True,
            manage_ticks=False,
            boxprops={"facecolor": colour, "alpha": 0.45, "edgecolor": colour},
            flierprops={"marker": ".", "markersize": 2, "markeredgecolor": colour, "alpha": 0.5},
            medianprops={"color": "black", "linewidth": 1.2},
            whiskerprops={"color": colour},
            capprops={"color": colour},
            **style,
        )
