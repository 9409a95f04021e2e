"""The figures of `squad_finetune`."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BARS = {
    "exact": ("exact match", "#9db7d6"),
    "f1": ("F1", "#1f5fa8"),
    "has_f1": ("F1, questions with an answer", "#d1701c"),
    "forced_has_f1": ("the same where an answer is forced", "#efc49f"),
    "no_exact": ("exact match, questions without an answer", "#8a8a8a"),
}
COLOURS = ("#1f5fa8", "#d1701c", "#2f8f4e", "#8b4fa3", "#b03a48", "#6b6b6b")


def score_figure(scores: pd.DataFrame, table: pd.DataFrame, never: float) -> Figure:
    """Bars a model: means over seeds with their intervals, a dot a seed, and the score of never answering.

    Args:
        scores: rows of one decoder, all questions.
        table: as `reduce.score_table` makes it.
        never: exact match of never answering, percent.
    """
    models = sorted(set(scores["model"]))
    figure = Figure(figsize=(max(5.6, 1.8 + 2.0 * len(models)), 4.2), layout="constrained")
    axis: Axes = figure.subplots()
    own = table[(table["decoder"] == "exhaustive") & (table["part"] == "all")].set_index(["model", "metric"])
    wide = 0.8 / len(BARS)
    for b, (metric, (label, colour)) in enumerate(BARS.items()):
        at = np.arange(len(models)) + (b - (len(BARS) - 1) / 2) * wide
        rows = own.loc[[(model, metric) for model in models]]
        axis.bar(at, rows["mean"], width=0.9 * wide, color=colour, label=label, zorder=2)
        half = (rows["ci_high"] - rows["mean"]).to_numpy(dtype=float)
        some = ~np.isnan(half)
        axis.errorbar(at[some], rows["mean"][some], half[some], fmt="none", color="0.15", capsize=3, lw=1, zorder=3)
        for x, model in zip(at, models, strict=True):
            values = scores[(scores["model"] == model) & (scores["metric"] == metric)]["value"]
            if len(values) > 1:
                axis.plot(np.full(len(values), x), values, "o", ms=3.5, mfc="w", mec="0.15", mew=0.8, zorder=4)
    axis.axhline(never, color="0.3", linestyle="--", linewidth=1.0, label="never answering (exact match, F1)", zorder=5)
    axis.set_xticks(range(len(models)), [model.rsplit("/", 1)[-1] for model in models])
    axis.set_ylabel("score on the dev questions (percent)")
    axis.set_ylim(0, 102)
    axis.grid(True, axis="y", linestyle="--", linewidth=0.5, alpha=0.6, zorder=0)
    axis.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def loss_figure(curves: pd.DataFrame) -> Figure:
    """The training loss of every model and seed against epochs."""
    models = sorted(set(curves["model"]))
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axis: Axes = figure.subplots()
    for m, model in enumerate(models):
        colour = COLOURS[m % len(COLOURS)]
        for s, (_, line) in enumerate(curves[curves["model"] == model].groupby("seed", sort=True)):
            line = line.sort_values("step")
            label = model.rsplit("/", 1)[-1] if s == 0 else None
            axis.plot(line["epoch"], line["loss"], color=colour, linewidth=1.1, alpha=0.8, label=label)
    axis.set_xlabel("epoch")
    axis.set_ylabel("training loss (nats a window)")
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    axis.grid(True, linestyle="--", linewidth=0.5, alpha=0.6)
    axis.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=min(4, len(models)), frameon=False, fontsize=9)
    return figure
