"""The figures of `squad_finetune`."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tasks.analysis.palette import CYCLE, GREY, THEORY
from tasks.analysis.panels import legend, line_handle, of, panels, short
from tasks.squad.scores import shown_in
from tasks.squad.squad_finetune.stages import NEVER

CAPTIONS = {
    "scores_by_model": "Dev scores of each model with its own span head (exhaustive decoder): mean over seeds, "
    "bar = 95 % interval for the mean where there are several, dots = seeds.",
    "training_loss": "Training loss, a line a seed: half the cross entropies of start and end position together.",
}


def draw(scores: pd.DataFrame, table: pd.DataFrame, curves: pd.DataFrame) -> dict[str, Figure]:
    """The figures of which there is something to see; `table` is as `reduce.score_table` makes it."""
    drawn = {}
    shown = of(scores, decoder="exhaustive", part="all")
    if len(shown):
        never = of(table, decoder=NEVER, part="all", metric="exact")["mean"].mean()
        drawn["scores_by_model"] = score_figure(shown, of(table, decoder="exhaustive", part="all"), float(never))
    if len(curves):
        drawn["training_loss"] = loss_figure(curves)
    return drawn


def score_figure(scores: pd.DataFrame, table: pd.DataFrame, never: float) -> Figure:
    """Bars a model: means over seeds with their intervals, a dot a seed, and the score of never answering.

    Args:
        scores: rows of one decoder, all questions.
        table: their means.
        never: exact match of never answering, percent.
    """
    models = sorted(set(scores["model"]))
    bars = shown_in("bars")
    figure, axes = panels(1, 1, width=max(4.6, 0.8 + 2.0 * len(models)), height=3.4)
    axis, handles, wide = axes[0, 0], [], 0.8 / len(bars)
    own = table.set_index(["model", "metric"])
    for b, (name, metric) in enumerate(bars.items()):
        at = np.arange(len(models)) + (b - (len(bars) - 1) / 2) * wide
        rows = own.loc[[(model, name) for model in models]]
        handles.append(axis.bar(at, rows["mean"], width=0.9 * wide, color=CYCLE[b], label=metric.label, zorder=2))
        half = (rows["ci_high"] - rows["mean"]).to_numpy(dtype=float)
        some = ~np.isnan(half)
        axis.errorbar(at[some], rows["mean"][some], half[some], fmt="none", color=THEORY, capsize=3, lw=1, zorder=3)
        for x, model in zip(at, models, strict=True):
            values = of(scores, model=model, metric=name)["value"]
            if len(values) > 1:
                axis.plot(np.full(len(values), x), values, "o", mfc="w", mec=THEORY, mew=0.8, zorder=4)
    axis.axhline(never, color=GREY, linestyle="--", zorder=5)
    handles.append(line_handle("never answering", GREY, linestyle="--"))
    axis.set_xticks(range(len(models)), [short(model) for model in models])
    axis.set_ylabel("score on the dev questions (%)")
    axis.set_ylim(0, 102)
    axis.grid(False, axis="x")
    legend(figure, handles)
    return figure


def loss_figure(curves: pd.DataFrame) -> Figure:
    """The training loss of every model and seed against epochs."""
    figure, axes = panels(1, 1, width=5.4, height=3.2)
    axis, handles = axes[0, 0], {}
    for m, (model, own) in enumerate(curves.groupby("model", sort=True)):
        colour = CYCLE[m % len(CYCLE)]
        for _, line in own.sort_values("step").groupby("seed", sort=True):
            axis.plot(line["epoch"], line["loss"], color=colour, alpha=0.8)
        handles[model] = line_handle(short(str(model)), colour)
    axis.set_xlabel("epoch")
    axis.set_ylabel("training loss (nats a window)")
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    legend(figure, handles)
    return figure
