"""The figure of `sequence_copying`: learning curves of all runs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tasks.analysis.panels import GREY, legend, line_handle, of, outer_labels, panels, say_empty
from tasks.attention.copying.colours import COLOURS
from tasks.attention.copying.outcomes import OUTCOMES
from tasks.attention.sequence_copying.published import published_ranges

LINES = ("setting", "attention")


def curves_figure(
    rows: pd.DataFrame, table: pd.DataFrame, settings: Sequence[str], positions: int, *, published: bool
) -> Figure:
    """A column a setting and attention; accuracy above, attention accuracy below, a line a run.

    Args:
        rows: All evaluations.
        table: The outcomes.
        settings: In the order of the columns.
        positions: Of the source, the end symbol's included.
        published: Whether the published numbers are drawn beside.
    """
    every = rows[list(LINES)].drop_duplicates().itertuples(index=False, name=None)
    lines = sorted(every, key=lambda line: (settings.index(line[0]), line[1]))
    figure, axes = panels(2, len(lines), width=3.4, height=2.4, sharex=True, sharey=True)
    beside = False
    for column, (setting, attention) in enumerate(lines):
        here = of(rows, setting=setting, attention=attention)
        found = of(table, setting=setting, attention=attention).set_index("seed")["outcome"]
        learned = int((found == "learned").sum())
        title = setting if attention == "learned" else f"{setting}, attention: {attention}"
        axes[0, column].set_title(f"{title}: {learned} of {len(found)} learned", fontsize=9)
        for row, name in enumerate(("accuracy", "attention_accuracy")):
            _lines(axes[row, column], here, name, found)
        axes[1, column].axhline(1 / positions, color=GREY, linestyle=":", linewidth=1.1)
        axes[0, column].set_ylim(-0.03, 1.03)
        ranges = published_ranges(setting, attention) if published else pd.DataFrame()
        if len(ranges):
            beside = True
            axes[0, column].vlines(
                ranges["step"],
                ranges["low"] - 0.006,
                ranges["high"] + 0.006,
                color=GREY,
                linewidth=5,
                alpha=0.55,
                zorder=3,
            )
    outer_labels(axes, "step", ["accuracy", "attention accuracy"])
    handles = [line_handle(name, COLOURS[name]) for name in OUTCOMES if (table["outcome"] == name).any()]
    handles.append(line_handle("at random", GREY, linestyle=":"))
    if beside:
        handles.append(line_handle("published runs", GREY, linewidth=5, alpha=0.55))
    legend(figure, handles)
    return figure


def _lines(axis: Axes, here: pd.DataFrame, name: str, found: pd.Series) -> None:
    if not np.isfinite(here[name].to_numpy(dtype=float)).any():
        say_empty(axis, "no attention")
    for seed, line in here.groupby("seed"):
        line = line.sort_values("step")
        axis.plot(line["step"], line[name], color=COLOURS[found[seed]], linewidth=1.1, alpha=0.8)
