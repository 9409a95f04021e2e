"""The figure of `sequence_copying`: learning curves of all runs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tasks.analysis.palette import GREY, PUBLISHED
from tasks.analysis.panels import legend, line_handle, of, outer_labels, panels, say_empty
from tasks.attention.copying.options import ACCURACY
from tasks.attention.copying.outcomes import COLOURS, learned_of, outcome_handles, plot_runs

CAPTIONS = {
    "learning_curves": (
        "A line a run (seed), evaluated on freshly drawn sequences after the update of each step, coloured by its "
        f"outcome. Accuracy: {ACCURACY}. Attention accuracy: share of target positions at which attention is greatest "
        "on the symbol to be copied; dotted: chance level, 1 / source positions. Bars, in the published setting: range "
        "over runs of the published code (for permutations, over those that failed)."
    )
}


def curves_figure(
    rows: pd.DataFrame, found: pd.DataFrame, published: pd.DataFrame, settings: Sequence[str], positions: int
) -> Figure:
    """A column a setting and attention; accuracy above, attention accuracy below, a line a run.

    Args:
        rows: All evaluations.
        found: The outcomes.
        published: setting, attention, step, low and high of published accuracies; without rows, none are drawn.
        settings: In the order of the columns.
        positions: Source positions, the end symbol's included.
    """
    every = rows[["setting", "attention"]].drop_duplicates().itertuples(index=False, name=None)
    lines = sorted(every, key=lambda line: (settings.index(line[0]), line[1]))
    figure, axes = panels(2, len(lines), width=3.4, height=2.4, sharex=True, sharey=True)
    for column, (setting, attention) in enumerate(lines):
        line = {"setting": setting, "attention": attention}
        here, outcome = of(rows, **line), of(found, **line).set_index("seed")["outcome"]
        title = setting if attention == "learned" else f"{setting}, attention: {attention}"
        axes[0, column].set_title(f"{title}: {learned_of(outcome)}")
        axes[0, column].set_ylim(-0.03, 1.03)
        for axis, name in zip(axes[:, column], ("accuracy", "attention_accuracy"), strict=True):
            if not np.isfinite(here[name].to_numpy(dtype=float)).any():
                say_empty(axis, "no attention")
            plot_runs(axis, here, name, "seed", outcome.map(COLOURS).to_dict())
        axes[1, column].axhline(1 / positions, color=GREY, linestyle=":", linewidth=1.1)
        beside = of(published, **line)
        ends = beside["low"] - 0.006, beside["high"] + 0.006  # a range of no width is seen too
        axes[0, column].vlines(beside["step"], *ends, color=PUBLISHED, linewidth=5, alpha=0.7, zorder=3)
    outer_labels(axes, "step", ["accuracy", "attention accuracy"])
    handles = outcome_handles(found["outcome"])
    handles.append(line_handle("chance level", GREY, linestyle=":"))
    if len(published):
        handles.append(line_handle("published runs", PUBLISHED, linewidth=5, alpha=0.7))
    legend(figure, handles)
    return figure
