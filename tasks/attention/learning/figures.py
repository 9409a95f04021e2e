"""Figures of either experiment: agreement while learning, bars of agreements, xi against the best performance."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from tasks.analysis.palette import CYCLE, GREY, PUBLISHED, THEORY
from tasks.analysis.panels import file_name, legend, line_handle, of, outer_labels, panels, say_empty
from tasks.attention.learning.labels import METRICS, SPLITS, Labels, others
from tasks.attention.learning.runs import Runs

CAPTIONS = {
    "learning": (
        "How attention is learned. Agreement A(u, v), mean over {item}s: alpha of the comparison runs at each "
        "checkpoint with alpha of the gold run at its best one (thick; thin: each run, the only spread that is shown; "
        "grey dashes: expectation for shuffled scores), beta of the uniform run with the gold run's alpha and with "
        "the proxies, beta of run B with the gold run's alpha. Dotted, right axis: mean performance of the comparison "
        "runs. The axis of training steps is linear up to the first checkpoint after 0, then logarithmic."
    ),
    "agreement": (
        "The agreements of the published dictionary, mean over {item}s, maximum over checkpoints. Black ticks: "
        "expectation of the same comparison for shuffled scores; dashed line: the published baseline (alpha with "
        "alpha). Diamonds: checkpoints chosen on half a, agreement on half b. Cross: the published sign of Delta "
        "(classification). Stars: printed by the authors for the same data set; rings: for the other data sets of the "
        "task. There is one gold run, so no interval is shown."
    ),
    "crossing": (
        "xi: mean performance of the comparison runs at the first checkpoint whose alpha agrees with the gold run's "
        "best better than each agreement does; a triangle on the line is a xi that is never reached. The line is the "
        "best performance of the gold run. Diamonds: the held-out variant (its line dashed); stars: printed by the "
        "authors for the same data set. Read off the grid of checkpoints, so that noise at early ones can trigger it. "
        "There is one xi a data set, so no interval is shown."
    ),
}
KEYS = {"px": "proxy", "logistic": "logistic", "unif": "alpha", "grad": "Delta", "normal": "alpha, B"}
"""What is compared with beta of the uniform run; `normal`: with beta of run B."""
ALPHA = CYCLE[1]
COLOURS = dict(zip(KEYS, (CYCLE[2], CYCLE[5], CYCLE[0], ALPHA, CYCLE[3]), strict=True))
LINES = {
    "px": "beta of the proxy with beta of the uniform run",
    "logistic": "beta of the logistic regression with beta of the uniform run",
    "unif": "alpha of the gold run with beta of the uniform run",
    "normal": "alpha of the gold run with beta of run B",
}
HELD_OUT = "held out: chosen on half a, judged on half b"
RUNS = {"gold run": CYCLE[1], "comparison runs": CYCLE[0], "uniform run": GREY}
"""Colours of training curves."""


def draw(tables: Mapping[str, pd.DataFrame], agreement: pd.DataFrame, labels: Labels) -> dict[str, Figure]:
    """Learning of each data set, and what all of them agree on."""
    figures: dict[str, Figure] = {}
    for dataset, mine in tables["curves"].groupby("dataset", sort=False):
        name = f"learning-{file_name(str(dataset))}"
        figures[name] = learning_figure(mine, of(agreement, dataset=dataset), labels)
    if len(tables["dictionary"]):
        figures["agreement"] = agreement_figure(tables["dictionary"], labels)
        figures["crossing"] = crossing_figure(tables["dictionary"], labels)
    return figures


def run_lines(axis: Axes, rows: pd.DataFrame, value: str, runs: Runs) -> None:
    """A training curve a run, of one data set and metric; `run_handles` is their legend."""
    gold, comparison, uniform = RUNS.values()
    for (kind, seed), run in rows.groupby(["kind", "seed"]):
        run = run.sort_values("step")
        colour = uniform if kind == "uniform" else gold if seed == runs.gold.seed else comparison
        axis.plot(run["step"], run[value], color=colour, linewidth=1.2, zorder=3 if colour == gold else 2)
    axis.set_ylim(bottom=0)


def run_handles() -> list[Line2D]:
    """Entries of a legend for `run_lines`."""
    return [line_handle(name, colour) for name, colour in RUNS.items()]


def learning_figure(curves: pd.DataFrame, agreement: pd.DataFrame, labels: Labels) -> Figure:
    """Agreement and performance against training; rows of panels metrics, columns splits and performances."""
    metrics = [name for name in METRICS if name in set(curves["metric"])]
    columns = list(dict.fromkeys(zip(curves["split"], curves["performance"], strict=True)))
    columns.sort(key=lambda column: (list(labels.performance).index(column[1]), list(SPLITS).index(column[0])))
    figure, axes = panels(len(metrics), len(columns), width=4.6, height=3.0, sharex=True, sharey="row")
    handles = [line_handle("alpha of comparison runs with alpha of the gold run (thin: each)", ALPHA, linewidth=2.4)]
    lines: dict[str, Line2D] = {}
    known = of(agreement, part="all")
    for (row, column), axis in np.ndenumerate(axes):
        metric, (split, performance) = metrics[row], columns[column]
        mine = of(curves, metric=metric, split=split, performance=performance)
        if not len(mine):
            say_empty(axis)
            continue
        lines |= _learning(axis, mine, of(known, metric=metric, split=split), labels)
        axis.set_title(f"{SPLITS[split]}, by {performance}")
        right = axis.twinx()
        right.plot(mine["step"], mine["performance_value"], ":", color=THEORY)
        right.grid(False)
        right.spines["right"].set_visible(True)
        right.set_ylabel(labels.performance[performance])
    handles += lines.values()
    handles.append(line_handle("the first, scores shuffled", GREY, linestyle="--"))
    handles.append(line_handle("performance of comparison runs (right)", THEORY, linestyle=":"))
    outer_labels(axes, "training steps", [METRICS[name] for name in metrics])
    figure.suptitle(str(curves["dataset"].iloc[0]))
    legend(figure, handles)
    return figure


def _learning(axis: Axes, mine: pd.DataFrame, agreement: pd.DataFrame, labels: Labels) -> dict[str, Line2D]:
    """The curves of one panel; legend entries of those drawn."""
    steps = mine["step"].to_numpy(dtype=float)
    axis.plot(steps, mine["agreement"], color=ALPHA, linewidth=2.4, zorder=3)
    best = int(mine["gold_step"].iloc[0])
    for _, line in of(agreement, u="alpha", v="alpha", u_step=best).groupby("v_run"):
        ordered = line.sort_values("v_step")
        axis.plot(ordered["v_step"], ordered["mean"], color=ALPHA, linewidth=0.7, alpha=0.6)
    axis.plot(steps, mine["baseline"], "--", color=GREY, linewidth=1.2)
    drawn = {}
    uniform, other = labels.runs.uniform.name, labels.runs.comparison[0].name
    wanted = {
        "px": {"u_run": "px", "v_run": uniform},
        "logistic": {"u_run": "logistic", "v_run": uniform},
        "unif": {"u": "alpha", "v": "beta", "v_run": uniform, "u_step": best},
        "normal": {"u": "alpha", "v": "beta", "v_run": other, "u_step": best},
    }
    for name, where in wanted.items():
        line = of(agreement, **where).sort_values("v_step")
        if len(line):
            axis.plot(line["v_step"], line["mean"], color=COLOURS[name])
            drawn[name] = line_handle(LINES[name], COLOURS[name])
    _step_axis(axis, steps)
    return drawn


def _step_axis(axis: Axes, steps: np.ndarray) -> None:
    """Training steps, linear up to the first checkpoint after 0, logarithmic from there."""
    positive = steps[steps > 0]
    if len(positive):
        axis.set_xscale("symlog", linthresh=float(positive.min()))
        axis.set_xlim(0, float(positive.max()) * 1.1)
        powers = [10.0**power for power in range(8)]
        axis.set_xticks([0, *(tick for tick in powers if positive.min() <= tick <= positive.max())])
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _mark(label: str, colour: str, marker: str, size: float, **style: Any) -> Line2D:
    return line_handle(label, colour, linestyle="", marker=marker, markersize=size, **style)


def _printed_mark() -> Line2D:
    return _mark("printed by the authors, same data", PUBLISHED, "*", 10)


def _key_panels(
    dictionary: pd.DataFrame, labels: Labels, kind: str, sharey: str
) -> tuple[Figure, np.ndarray, list[tuple[str, str]], list[tuple[Axes, pd.DataFrame, list[str]]]]:
    """A panel a data set and performance (rows) and metric and split (columns), in the order of the plan.

    Returns:
        The figure, its axes, what the rows are, and for each panel its axis, its values by key, and the names in `KEYS`
        that have an entry of the kind, agr or xi.
    """
    have = set(zip(dictionary["dataset"], dictionary["performance"], strict=True))
    rows = [(dataset, name) for dataset in labels.datasets for name in labels.performance if (dataset, name) in have]
    columns = [
        (metric, split) for metric in METRICS for split in SPLITS if len(of(dictionary, metric=metric, split=split))
    ]
    figure, axes = panels(len(rows), len(columns), width=3.4, height=2.6, sharey=sharey)
    found = []
    for (row, column), axis in np.ndenumerate(axes):
        (dataset, performance), (metric, split) = rows[row], columns[column]
        mine = of(dictionary, dataset=dataset, performance=performance, metric=metric, split=split).set_index("key")
        names = [name for name in KEYS if f"{kind}_{name}" in mine.index]
        if names:
            found.append((axis, mine, names))
            axis.set_xticks(range(len(names)), [KEYS[name] for name in names], fontsize=9)
        else:
            say_empty(axis)
        axis.set_title(f"{METRICS[metric]}, {split}")
    return figure, axes, rows, found


def agreement_figure(dictionary: pd.DataFrame, labels: Labels) -> Figure:
    """Bars of agr_*; a row of panels a data set and performance, a column a metric and split."""
    figure, axes, rows, found = _key_panels(dictionary, labels, "agr", sharey="col")
    for axis, values, names in found:
        for place, name in enumerate(names):
            entry = values.loc[f"agr_{name}"]
            axis.bar(place, entry["value"], width=0.7, color=COLOURS[name], alpha=0.85)
            chance = values["value"].get(f"baseline_{name}", np.nan)
            axis.plot([place - 0.35, place + 0.35], [chance, chance], color=THEORY, linewidth=1.8)
            axis.plot(place + 0.18, entry["held_out"], "D", color=THEORY, markersize=5, markerfacecolor="white")
            axis.plot(place - 0.18, entry["legacy_sign"], "x", color=THEORY, markersize=6, zorder=4)
            axis.plot(place, entry["published"], "*", color=PUBLISHED, markersize=10, markeredgecolor="white", zorder=5)
            for value in _printed_elsewhere(values.iloc[0], f"agr_{name}", labels):
                axis.plot(place + 0.29, value, "o", color=THEORY, markersize=4, fillstyle="none")
        axis.axhline(values["value"].get("baseline", np.nan), color=GREY, linestyle="--", linewidth=1.2)
        axis.axhline(0, color=THEORY, linewidth=0.6)
    outer_labels(axes, "u of A(u, beta)", [f"{dataset}, by {performance}\nagreement" for dataset, performance in rows])
    marks = [
        line_handle("same comparison, scores shuffled", THEORY, linewidth=1.8),
        line_handle("baseline as published: alpha with alpha, shuffled", GREY, linestyle="--"),
        _mark(HELD_OUT, THEORY, "D", 5, markerfacecolor="white"),
        _mark("published sign of Delta", THEORY, "x", 6),
        _printed_mark(),
        _mark("printed by the authors, other data", THEORY, "o", 4, fillstyle="none"),
    ]
    legend(figure, marks)
    return figure


def _printed_elsewhere(panel: pd.Series, key: str, labels: Labels) -> list[float]:
    if panel["metric"] != "top5":
        return []
    found = others(labels.task, panel["dataset"], panel["split"], panel["performance"])
    return [value for one in found if (value := one.numbers.get(key)) is not None]


def crossing_figure(dictionary: pd.DataFrame, labels: Labels) -> Figure:
    """xi of each agreement against the best performance; panels as in `agreement_figure`."""
    figure, axes, rows, found = _key_panels(dictionary, labels, "xi", sharey="row")
    for axis, values, names in found:
        best = values.loc["best_perf"]
        axis.axhline(best["value"], color=THEORY)
        axis.axhline(best["held_out"], color=GREY, linewidth=1.2, linestyle="--")
        for place, name in enumerate(names):
            entry = values.loc[f"xi_{name}"]
            for side, step, shift, marker, colour in (
                ("value", "step", -0.12, "o", COLOURS[name]),
                ("held_out", "held_out_step", 0.15, "D", GREY),
            ):
                never = pd.isna(entry[step])
                at, fill = (best, "white") if never else (entry, colour)
                marker = "^" if never else marker
                axis.plot(place + shift, at[side], marker, color=colour, markersize=6, markerfacecolor=fill)
            axis.plot(place, entry["published"], "*", color=PUBLISHED, markersize=10, markeredgecolor="white")
        axis.set_xlim(-0.6, len(names) - 0.4)
    titles = [f"{dataset}\n{labels.performance[performance]}" for dataset, performance in rows]
    outer_labels(axes, "u of A(u, beta) that is exceeded", titles)
    marks = [
        _mark("xi", THEORY, "o", 6),
        _mark("never reached", THEORY, "^", 6, fillstyle="none"),
        line_handle("best performance of the gold run", THEORY),
        line_handle(HELD_OUT, GREY, linestyle="--", marker="D", markersize=5),
        _printed_mark(),
    ]
    legend(figure, marks)
    return figure
