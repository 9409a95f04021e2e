"""Figures of either experiment: agreement while learning, bars of agreements, xi against the best performance."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from tasks.analysis.panels import GREY, legend, line_handle, of, outer_labels, panels, say_empty
from tasks.attention.learning.labels import Labels
from tasks.attention.learning.notes import METRICS, SPLITS
from tasks.attention.learning.published import others

KEYS = {"px": "proxy", "logistic": "logistic", "unif": "alpha", "grad": "Delta", "normal": "alpha, B"}
"""What is compared with beta of the uniform run; `normal`: with beta of run B."""
COLOURS = {"px": "#d1701c", "logistic": "#b8a02c", "unif": "#1f5fa8", "grad": "#3f8f4f", "normal": "#7a4fa3"}
ALPHA = "#b3263c"
LINES = {
    "px": "beta of the proxy with beta of the uniform run",
    "logistic": "beta of the logistic regression with beta of the uniform run",
    "unif": "alpha of the gold run with beta of the uniform run",
    "normal": "alpha of the gold run with beta of run B",
}


def learning_figure(curves: pd.DataFrame, agreement: pd.DataFrame, labels: Labels) -> Figure:
    """Agreement and performance against training; rows of panels metrics, columns splits and performances."""
    metrics = [name for name in METRICS if name in set(curves["metric"])]
    columns = list(dict.fromkeys(zip(curves["split"], curves["performance"], strict=True)))
    columns.sort(key=lambda column: (list(labels.performance).index(column[1]), list(SPLITS).index(column[0])))
    figure, axes = panels(len(metrics), len(columns), width=4.6, height=3.0, sharex=True, sharey="row")
    handles = {
        "alpha": line_handle("alpha of comparison runs with alpha of the gold run (thin: each)", ALPHA, linewidth=2.4)
    }
    known = of(agreement, part="all")
    for row, metric in enumerate(metrics):
        for column, (split, performance) in enumerate(columns):
            axis = axes[row, column]
            mine = of(curves, metric=metric, split=split, performance=performance)
            if not len(mine):
                say_empty(axis)
                continue
            handles |= _learning(axis, mine, of(known, metric=metric, split=split), labels)
            axis.set_title(f"{SPLITS[split]}, by {performance}", fontsize=10)
            right = axis.twinx()
            right.plot(mine["step"], mine["performance_value"], ":", color="black", linewidth=1.4)
            right.spines["top"].set_visible(False)
            right.set_ylabel(labels.performance[performance])
    handles["shuffled"] = line_handle("the same, scores shuffled", GREY, linestyle="--")
    handles["performance"] = line_handle("performance of comparison runs (right)", "black", linestyle=":")
    outer_labels(axes, "updates", [METRICS[name] for name in metrics])
    figure.suptitle(str(curves["dataset"].iloc[0]))
    legend(figure, handles)
    return figure


def _learning(axis: Axes, mine: pd.DataFrame, agreement: pd.DataFrame, labels: Labels) -> dict:
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
            axis.plot(line["v_step"], line["mean"], color=COLOURS[name], linewidth=1.4)
            drawn[name] = line_handle(LINES[name], COLOURS[name])
    _step_axis(axis, steps)
    return drawn


def _step_axis(axis: Axes, steps: np.ndarray) -> None:
    """Updates, linear up to the first checkpoint after 0, logarithmic from there."""
    positive = steps[steps > 0]
    if len(positive):
        axis.set_xscale("symlog", linthresh=float(positive.min()))
        axis.set_xlim(0, float(positive.max()) * 1.1)
        powers = [10.0**power for power in range(8)]
        axis.set_xticks([0, *(tick for tick in powers if positive.min() <= tick <= positive.max())])
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def agreement_figure(dictionary: pd.DataFrame, labels: Labels) -> Figure:
    """Bars of agr_*; a row of panels a data set and performance, a column a metric and split."""
    rows, columns = _grid(dictionary, labels)
    figure, axes = panels(len(rows), len(columns), width=3.4, height=2.6, sharey="col")
    for row, (dataset, performance) in enumerate(rows):
        for column, (metric, split) in enumerate(columns):
            axis = axes[row, column]
            mine = of(dictionary, dataset=dataset, performance=performance, metric=metric, split=split)
            _bars(axis, mine.set_index("key"))
            if metric == "top5":
                _printed_elsewhere(axis, mine, labels, dataset, split, performance)
            axis.set_title(f"{METRICS[metric]}, {split}", fontsize=10)
    outer_labels(axes, "u of A(u, beta)", [f"{dataset}, by {performance}\nagreement" for dataset, performance in rows])
    legend(
        figure,
        [
            line_handle("same comparison, scores shuffled", "black", linewidth=1.8),
            line_handle("baseline as published: alpha with alpha, shuffled", GREY, linestyle="--"),
            line_handle(
                "held out: chosen on half a, judged on half b", "black", linestyle="", marker="D", markersize=5
            ),
            line_handle("published sign of Delta", "black", linestyle="", marker="x", markersize=6),
            line_handle("printed by the authors, same data", "#c8940a", linestyle="", marker="*", markersize=10),
            line_handle(
                "printed by the authors, other data", "black", linestyle="", marker="o", markersize=4, fillstyle="none"
            ),
        ],
    )
    return figure


def _bars(axis: Axes, values: pd.DataFrame) -> None:
    names = [name for name in KEYS if f"agr_{name}" in values.index]
    if not names:
        say_empty(axis)
        return
    for place, name in enumerate(names):
        entry = values.loc[f"agr_{name}"]
        axis.bar(place, entry["value"], width=0.7, color=COLOURS[name], alpha=0.85)
        chance = values["value"].get(f"baseline_{name}", np.nan)
        axis.plot([place - 0.35, place + 0.35], [chance, chance], color="black", linewidth=1.8)
        axis.plot(place + 0.18, entry["held_out"], "D", color="black", markersize=5, markerfacecolor="white")
        axis.plot(place - 0.18, entry["legacy_sign"], "x", color="black", markersize=6, zorder=4)
        axis.plot(place, entry["published"], "*", color="#c8940a", markersize=10, markeredgecolor="white", zorder=5)
    axis.axhline(values["value"].get("baseline", np.nan), color=GREY, linestyle="--", linewidth=1.2)
    axis.axhline(0, color="black", linewidth=0.6)
    axis.set_xticks(range(len(names)), [KEYS[name] for name in names], fontsize=9)


def _printed_elsewhere(
    axis: Axes, mine: pd.DataFrame, labels: Labels, dataset: str, split: str, performance: str
) -> None:
    names = [name for name in KEYS if f"agr_{name}" in set(mine["key"])]
    for one in others(labels.task, dataset, split, performance):
        for place, name in enumerate(names):
            value = one.numbers.get(f"agr_{name}")
            if value is not None:
                axis.plot(place + 0.29, value, "o", color="black", markersize=4, fillstyle="none")


def crossing_figure(dictionary: pd.DataFrame, labels: Labels) -> Figure:
    """xi of each agreement against the best performance; panels as in `agreement_figure`."""
    rows, columns = _grid(dictionary, labels)
    figure, axes = panels(len(rows), len(columns), width=3.4, height=2.6, sharey="row")
    for row, (dataset, performance) in enumerate(rows):
        for column, (metric, split) in enumerate(columns):
            axis = axes[row, column]
            mine = of(dictionary, dataset=dataset, performance=performance, metric=metric, split=split)
            _crossings(axis, mine.set_index("key"))
            axis.set_title(f"{METRICS[metric]}, {split}", fontsize=10)
    outer_labels(
        axes,
        "u of A(u, beta) that is exceeded",
        [f"{dataset}\n{labels.performance[performance]}" for dataset, performance in rows],
    )
    legend(
        figure,
        [
            line_handle("xi", "black", linestyle="", marker="o", markersize=7),
            line_handle("never reached", "black", linestyle="", marker="^", markersize=7, fillstyle="none"),
            line_handle("best performance of the gold run", "black"),
            line_handle("held out: chosen on half a, judged on half b", GREY, linestyle="--", marker="D", markersize=5),
            line_handle("printed by the authors, same data", "#c8940a", linestyle="", marker="*", markersize=10),
        ],
    )
    return figure


def _crossings(axis: Axes, values: pd.DataFrame) -> None:
    names = [name for name in KEYS if f"xi_{name}" in values.index]
    if not names:
        say_empty(axis)
        return
    best = values.loc["best_perf"]
    axis.axhline(best["value"], color="black", linewidth=1.4)
    axis.axhline(best["held_out"], color=GREY, linewidth=1.2, linestyle="--")
    for place, name in enumerate(names):
        entry = values.loc[f"xi_{name}"]
        if pd.isna(entry["step"]):
            axis.plot(place - 0.12, best["value"], "^", color=COLOURS[name], markersize=8, markerfacecolor="white")
        else:
            axis.plot(place - 0.12, entry["value"], "o", color=COLOURS[name], markersize=7)
        if pd.isna(entry["held_out_step"]):
            axis.plot(place + 0.15, best["held_out"], "^", color=GREY, markersize=6, markerfacecolor="white")
        else:
            axis.plot(place + 0.15, entry["held_out"], "D", color=GREY, markersize=5)
        axis.plot(place, entry["published"], "*", color="#c8940a", markersize=10, markeredgecolor="white")
    axis.set_xticks(range(len(names)), [KEYS[name] for name in names], fontsize=9)
    axis.set_xlim(-0.6, len(names) - 0.4)


def _grid(dictionary: pd.DataFrame, labels: Labels) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Rows (data set, performance) and columns (metric, split) of panels, in the order of the plan."""
    have = set(zip(dictionary["dataset"], dictionary["performance"], strict=True))
    rows = [(dataset, name) for dataset in labels.datasets for name in labels.performance if (dataset, name) in have]
    columns = [
        (metric, split) for metric in METRICS for split in SPLITS if len(of(dictionary, metric=metric, split=split))
    ]
    return rows, columns
