"""The figures of `bert_finetuning`: a panel a task, a colour a model."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from tasks.analysis.panels import GREY, legend, line_handle, of, outer_labels, panels, say_empty, short
from tasks.deepscale.bert_finetuning.params import DIVERGED, main_split
from tasks.deepscale.bert_finetuning.selection import median_of_runs

COLOURS = ("#1f5fa8", "#d1701c", "#2f8f4e", "#8b4fa3", "#b03a48", "#17a2b8", "#8c6d1f", "#6b6b6b")
COLUMNS = 3  # panels in a row
GUESSES = {"majority_accuracy": ("most frequent class", "--"), "random_accuracy": ("drawing lots", ":")}


def score_figure(final: pd.DataFrame, guesses: pd.DataFrame, tasks: Sequence[str]) -> Figure:
    """A dot a seed and a bar at the median for each model, with the chosen learning rates; what guessing gives."""
    models = list(dict.fromkeys(final["model"]))
    figure, axes = _grid(tasks, height=3.0, width=max(3.4, 0.8 * len(models)))
    for axis, task in zip(axes.flat, tasks, strict=False):
        own = of(final, task=task)
        for m, model in enumerate(models):
            values = own[own["model"] == model]["value"].to_numpy(dtype=float)
            good = values[~np.isnan(values)]
            wide = np.linspace(-0.1, 0.1, len(good)) if len(good) > 1 else np.zeros(len(good))
            axis.plot(m + wide, good, "o", ms=4.5, mfc="w", mec=_colour(m), mew=1.2, zorder=3)
            axis.hlines(median_of_runs(values), m - 0.3, m + 0.3, color=_colour(m), lw=2.4, zorder=2)
            if len(good) < len(values):
                axis.annotate(
                    f"{len(values) - len(good)} diverged",
                    (m, 0.02),
                    xycoords=("data", "axes fraction"),
                    ha="center",
                    fontsize=8,
                    color=GREY,
                )
        _guesses(axis, guesses, task)
        axis.set_xlim(-0.6, len(models) - 0.4)
        axis.set_xticks([])
        axis.grid(axis="x", visible=False)
    outer_labels(axes, "", "accuracy on dev (fraction)")
    legend(figure, [*_model_handles(models, marker="o"), *_guess_handles()])
    return figure


def rate_figure(final: pd.DataFrame, guesses: pd.DataFrame, tasks: Sequence[str]) -> Figure:
    """Accuracy against the highest learning rate: median over seeds, and a dot a seed."""
    models = list(dict.fromkeys(final["model"]))
    figure, axes = _grid(tasks)
    for axis, task in zip(axes.flat, tasks, strict=False):
        for m, model in enumerate(models):
            own = of(final, task=task, model=model)
            axis.plot(own["learning_rate"], own["value"], "o", ms=3, color=_colour(m), alpha=0.45)
            medians = own.groupby("learning_rate")["value"].agg(lambda v: median_of_runs(v.to_numpy(dtype=float)))
            axis.plot(medians.index, medians.to_numpy(), "-", color=_colour(m), lw=1.6)
        axis.set_xscale("log")
        _rate_ticks(axis, sorted(set(of(final, task=task)["learning_rate"])))
        _guesses(axis, guesses, task)
    outer_labels(axes, "highest learning rate", "accuracy on dev (fraction)")
    legend(figure, [*_model_handles(models), *_guess_handles()])
    return figure


def epoch_figure(scores: pd.DataFrame, guesses: pd.DataFrame, tasks: Sequence[str]) -> Figure:
    """Accuracy after each epoch with the chosen learning rates: median over seeds, thin lines for seeds."""
    models = list(dict.fromkeys(scores["model"]))
    figure, axes = _grid(tasks)
    for axis, task in zip(axes.flat, tasks, strict=False):
        for m, model in enumerate(models):
            own = of(scores, task=task, model=model)
            for _, run in own.groupby("job_id"):
                run = run.sort_values("epoch")
                axis.plot(run["epoch"], run["value"], "-", color=_colour(m), lw=0.7, alpha=0.4)
            medians = own.groupby("epoch")["value"].agg(lambda v: median_of_runs(v.to_numpy(dtype=float)))
            axis.plot(medians.index, medians.to_numpy(), "o-", ms=4, color=_colour(m), lw=1.6)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        _guesses(axis, guesses, task)
    outer_labels(axes, "epoch", "accuracy on dev (fraction)")
    legend(figure, [*_model_handles(models), *_guess_handles()])
    return figure


def curve_figure(curves: pd.DataFrame, runs: pd.DataFrame, tasks: Sequence[str]) -> Figure:
    """Training loss against epochs with the chosen learning rates, a line a seed, a cross where a run diverged."""
    models = list(dict.fromkeys(curves["model"]))
    diverged = set(runs[runs["status"] == DIVERGED]["job_id"])
    figure, axes = _grid(tasks)
    for axis, task in zip(axes.flat, tasks, strict=False):
        for m, model in enumerate(models):
            for job, run in of(curves, task=task, model=model).groupby("job_id"):
                run = run.sort_values("step")
                axis.plot(run["epoch"], run["loss"], color=_colour(m), lw=0.9, alpha=0.7)
                good = run.dropna(subset="loss")
                if job in diverged and len(good):
                    axis.plot(good["epoch"].iloc[-1:], good["loss"].iloc[-1:], "x", color=_colour(m), ms=8, mew=2)
                elif job in diverged:
                    axis.plot([0], [0.5], "x", color=_colour(m), ms=8, mew=2, transform=axis.get_xaxis_transform())
        axis.set_xlim(left=0)
    outer_labels(axes, "epoch", "training loss (nats an example)")
    crosses = [Line2D([], [], ls="none", marker="x", color=GREY, ms=8, mew=2, label="diverged")] if diverged else []
    legend(figure, [*_model_handles(models), *crosses])
    return figure


def _grid(tasks: Sequence[str], height: float = 2.7, width: float = 3.4) -> tuple[Figure, np.ndarray]:
    columns = min(COLUMNS, len(tasks))
    figure, axes = panels(-(-len(tasks) // columns), columns, width=width, height=height)
    for axis, task in zip(axes.flat, tasks, strict=False):
        split = main_split(task)
        axis.set_title(task if split == "dev" else f"{task} ({split.removeprefix('dev_')})", fontsize=10)
    for axis in list(axes.flat)[len(tasks) :]:
        axis.set_visible(False)
    return figure, axes


def _guesses(axis: Axes, guesses: pd.DataFrame, task: str) -> None:
    own = of(guesses, task=task, split=main_split(task))
    for name, (_, style) in GUESSES.items():
        for value in own[name].dropna():
            axis.axhline(value, color=GREY, linestyle=style, linewidth=1.1, zorder=1)
    if not any(np.size(line.get_xdata()) for line in axis.lines):
        say_empty(axis)


def _rate_ticks(axis: Axes, rates: Sequence[float]) -> None:
    axis.set_xticks(list(rates), [f"{rate:g}" for rate in rates], fontsize=8)
    axis.set_xticks([], minor=True)


def _colour(m: int) -> str:
    return COLOURS[m % len(COLOURS)]


def _model_handles(models: Sequence[str], **style: str) -> list[Line2D]:
    return [line_handle(short(model), _colour(m), **style) for m, model in enumerate(models)]


def _guess_handles() -> list[Line2D]:
    return [line_handle(label, GREY, linestyle=style, linewidth=1.1) for label, style in GUESSES.values()]
