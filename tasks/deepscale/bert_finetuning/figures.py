"""The figures of `bert_finetuning`: a panel a task, a colour a model."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tasks.analysis.palette import CYCLE, GREY
from tasks.analysis.panels import legend, line_handle, of, outer_labels, panels, say_empty, short
from tasks.deepscale.bert_finetuning.stages import DIVERGED, main_split

COLUMNS = 3  # panels in a row
GUESSES = {"majority_accuracy": ("most frequent class", "--"), "random_accuracy": ("chance level", ":")}
CROSS = {"marker": "x", "markersize": 8, "markeredgewidth": 2, "linestyle": "none"}
ACCURACY = "dev accuracy (fraction)"
_AFTER = "Accuracy on the dev set (MNLI: matched; RACE: both levels) after the last epoch"
CAPTIONS = {
    "accuracy_by_model": f"{_AFTER}, with the learning rate chosen for the model on this dev set by the median over "
    "seeds: a dot a seed, bar = median. Dashed: always naming the most frequent class; dotted: chance level. Runs that "
    "diverged have no dot and count as the worst in the median; their number stands below.",
    "accuracy_by_rate": f"{_AFTER}, against the peak learning rate: line = median over seeds, a dot a seed. Runs that "
    "diverged have no dot.",
    "accuracy_by_epoch": "Accuracy on the dev set after each epoch with the chosen learning rate: line = median over "
    "seeds, thin lines = seeds.",
    "training_loss": "Training loss with the chosen learning rate, a line a seed; a cross where a run diverged.",
}


def median_of_runs(values: pd.Series) -> float:
    """The median, in which runs that diverged (NaN) are the worst; NaN where it falls on one of them."""
    median = values.fillna(-np.inf).median()
    return median if np.isfinite(median) else np.nan


def draw(
    *,
    final: pd.DataFrame,
    accuracy: pd.DataFrame,
    curves: pd.DataFrame,
    runs: pd.DataFrame,
    guesses: pd.DataFrame,
    tasks: Sequence[str],
) -> dict[str, Figure]:
    """All figures, of accuracies on the tasks' main splits.

    Args:
        final: after the last epoch, of all learning rates.
        accuracy: after each epoch, of the chosen rates, as `curves` and `runs` are.
        curves: training curves.
        runs: how each run ended.
        guesses: as `reduce.guess_table` makes them.
        tasks: the panels.
    """
    last = accuracy[accuracy["epoch"] == accuracy["epochs"]]
    figures = {
        "accuracy_by_model": score_figure(last, guesses, tasks),
        "accuracy_by_rate": rate_figure(final, guesses, tasks),
        "accuracy_by_epoch": epoch_figure(accuracy, guesses, tasks),
    }
    return figures | ({"training_loss": curve_figure(curves, runs, tasks)} if len(curves) else {})


def score_figure(final: pd.DataFrame, guesses: pd.DataFrame, tasks: Sequence[str]) -> Figure:
    """A dot a seed and a bar at the median for each model, with the chosen learning rates; what guessing gives."""
    models = list(dict.fromkeys(final["model"]))

    def draw_model(axis: Axes, own: pd.DataFrame, m: int, colour: str) -> None:
        good = own["value"].dropna()
        wide = np.linspace(-0.1, 0.1, len(good)) if len(good) > 1 else np.zeros(len(good))
        axis.plot(m + wide, good, "o", ms=4.5, mfc="w", mec=colour, mew=1.2, zorder=3)
        axis.hlines(median_of_runs(own["value"]), m - 0.3, m + 0.3, color=colour, lw=2.4, zorder=2)
        if len(good) < len(own):
            text, place = f"{len(own) - len(good)} diverged", ("data", "axes fraction")
            axis.annotate(text, (m, 0.02), xycoords=place, ha="center", fontsize=8, color=GREY)
        axis.set_xlim(-0.6, len(models) - 0.4)
        axis.set_xticks([])
        axis.grid(axis="x", visible=False)

    width = max(3.4, 0.8 * len(models))
    return _figure(final, tasks, draw_model, ("", ACCURACY), guesses, marker="o", height=3.0, width=width)


def rate_figure(final: pd.DataFrame, guesses: pd.DataFrame, tasks: Sequence[str]) -> Figure:
    """Accuracy against the peak learning rate: median over seeds, and a dot a seed."""
    rates = sorted(set(final["learning_rate"]))

    def draw_model(axis: Axes, own: pd.DataFrame, m: int, colour: str) -> None:
        axis.plot(own["learning_rate"], own["value"], "o", ms=3, color=colour, alpha=0.45)
        medians = own.groupby("learning_rate")["value"].agg(median_of_runs)
        axis.plot(medians.index, medians.to_numpy(), color=colour)
        axis.set_xscale("log")
        axis.set_xticks(rates, [f"{rate:g}" for rate in rates], fontsize=8)
        axis.set_xticks([], minor=True)

    return _figure(final, tasks, draw_model, ("peak learning rate", ACCURACY), guesses)


def epoch_figure(accuracy: pd.DataFrame, guesses: pd.DataFrame, tasks: Sequence[str]) -> Figure:
    """Accuracy after each epoch with the chosen learning rates: median over seeds, thin lines for seeds."""

    def draw_model(axis: Axes, own: pd.DataFrame, m: int, colour: str) -> None:
        for _, run in own.sort_values("epoch").groupby("job_id"):
            axis.plot(run["epoch"], run["value"], color=colour, lw=0.7, alpha=0.4)
        medians = own.groupby("epoch")["value"].agg(median_of_runs)
        axis.plot(medians.index, medians.to_numpy(), "o-", color=colour)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))

    return _figure(accuracy, tasks, draw_model, ("epoch", ACCURACY), guesses)


def curve_figure(curves: pd.DataFrame, runs: pd.DataFrame, tasks: Sequence[str]) -> Figure:
    """Training loss against epochs with the chosen learning rates, a line a seed, a cross where a run diverged."""
    diverged = set(runs[runs["status"] == DIVERGED]["job_id"])

    def draw_model(axis: Axes, own: pd.DataFrame, m: int, colour: str) -> None:
        for job, run in own.sort_values("step").groupby("job_id"):
            axis.plot(run["epoch"], run["loss"], color=colour, lw=0.9, alpha=0.7)
            good = run.dropna(subset="loss")
            if job in diverged and len(good):
                axis.plot(good["epoch"].iloc[-1:], good["loss"].iloc[-1:], color=colour, **CROSS)
            elif job in diverged:
                axis.plot([0], [0.5], color=colour, transform=axis.get_xaxis_transform(), **CROSS)
        axis.set_xlim(left=0)

    extra = [line_handle("diverged", GREY, **CROSS)] if diverged else []
    return _figure(curves, tasks, draw_model, ("epoch", "training loss (nats an example)"), extra=extra)


def _figure(
    rows: pd.DataFrame,
    tasks: Sequence[str],
    draw_model: Callable[[Axes, pd.DataFrame, int, str], None],
    labels: tuple[str, str],
    guesses: pd.DataFrame | None = None,
    extra: Iterable[Any] = (),
    marker: str | None = None,
    height: float = 2.7,
    width: float = 3.4,
) -> Figure:
    """A panel a task in which `draw_model` draws the rows of each model; the baselines; one legend."""
    models = list(dict.fromkeys(rows["model"]))
    colours = [CYCLE[m % len(CYCLE)] for m in range(len(models))]
    columns = min(COLUMNS, len(tasks))
    figure, axes = panels(-(-len(tasks) // columns), columns, width=width, height=height)
    for axis in list(axes.flat)[len(tasks) :]:
        axis.set_visible(False)
    for axis, task in zip(axes.flat, tasks, strict=False):
        split = main_split(task)
        axis.set_title(task if split == "dev" else f"{task} ({split.removeprefix('dev_')})")
        for m, model in enumerate(models):
            draw_model(axis, of(rows, task=task, model=model), m, colours[m])
        baselines = of(guesses, task=task, split=split) if guesses is not None else pd.DataFrame(columns=[*GUESSES])
        for name, (_, style) in GUESSES.items():
            for value in baselines[name].dropna():
                axis.axhline(value, color=GREY, linestyle=style, linewidth=1.1, zorder=1)
        if not any(np.size(line.get_xdata()) for line in axis.lines):
            say_empty(axis)
    outer_labels(axes, *labels)
    handles = [line_handle(short(model), colours[m], marker=marker) for m, model in enumerate(models)]
    if guesses is not None:
        handles += [line_handle(text, GREY, linestyle=style, linewidth=1.1) for text, style in GUESSES.values()]
    legend(figure, [*handles, *extra])
    return figure
