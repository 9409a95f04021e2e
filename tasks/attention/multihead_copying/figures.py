"""The figures of `multihead_copying`: combinations by kind, heads alone, where heads of a combination point."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tasks.analysis.palette import CYCLE, GREY
from tasks.analysis.panels import legend, of, outer_labels, panels, say_empty
from tasks.attention.copying.options import ACCURACY
from tasks.attention.copying.outcomes import COLOURS, learned_of, outcome_handles, plot_runs

VERDICTS = ("good", "bad", "neither")
ALONE = {"good": CYCLE[0], "bad": CYCLE[1], "undecided": GREY, "neither": GREY}
"""Colours of a head alone: by a training's outcome, and by what all of them say."""
LINES = {
    "bad": {"color": CYCLE[3], "linestyle": "-", "linewidth": 1.8},
    "good": {"color": CYCLE[2], "linestyle": (0, (5, 2)), "linewidth": 1.8},
    "random": {"color": CYCLE[6], "linestyle": (0, (1, 1)), "linewidth": 1.8},
}
"""By the kind of heads that are combined."""
KINDS = {
    "bad": "all heads fail alone",
    "good": "one succeeds alone, the others fail",
    "random": "heads that were not screened",
}
LEGEND = " ".join(f"{kind}: {what}." for kind, what in KINDS.items())
DEPENDENT = "Combinations share a base, data and heads, so that the intervals are too narrow for other bases or heads."
_ACCURACY = f"Accuracy: {ACCURACY}. All models are evaluated on the same sequences, before the update of each step."
CAPTIONS = {
    "combinations": (
        "A line a combination, coloured by its outcome; on the right the share that has learned up to each step, "
        f"points: at the last one, with Wilson's 95 % interval over combinations. {LEGEND} {_ACCURACY} {DEPENDENT}"
    ),
    "heads": (
        "Heads alone. Left: a line a training (head and data seed), coloured by its outcome; one that is good ends "
        f"there. Right: how many heads are good or bad with every data seed, and neither. {_ACCURACY}"
    ),
    "attention": (
        "How often each head of a combination points at the symbol to be copied, the end symbol left out, at the last "
        f"evaluation; columns are heads in the model's order, rows combinations, the best first. {LEGEND}"
    ),
}


def combinations_figure(
    curves: pd.DataFrame, found: pd.DataFrame, by_step: pd.DataFrame, kinds: Sequence[str]
) -> Figure:
    """Learning curves, a column a kind, and the share that has learned against the step."""
    figure, axes = panels(1, len(kinds) + 1, width=3.0, height=2.7, sharey=True)
    for axis, kind in zip(axes[0], kinds, strict=False):
        runs = of(found, combined=kind).set_index("combination")["outcome"]
        axis.set_title(f"{kind}: {learned_of(runs)}")
        plot_runs(axis, of(curves, combined=kind), "accuracy", "combination", runs.map(COLOURS).to_dict())
        if not len(runs):
            say_empty(axis, "no combinations")
    last = axes[0, -1]
    for place, kind in enumerate(kinds):
        line = of(by_step, combined=kind).sort_values("step")
        if not len(line):
            continue
        last.step(line["step"], line["share"], **LINES[kind], where="post")
        end, colour = line.iloc[-1], LINES[kind]["color"]
        at = float(end["step"]) * (1.04 + 0.04 * place)  # beside each other, so that the intervals can be told apart
        last.vlines(at, end["low"], end["high"], color=colour, linewidth=1.2)
        last.plot([at], [end["share"]], color=colour, marker="o", markersize=4)
    outer_labels(axes, "step", "accuracy")
    last.set(title="learned up to a step", ylabel="share of combinations", ylim=(-0.03, 1.03))
    shares = [Line2D([], [], label=f"share of {kind}", **LINES[kind]) for kind in kinds]
    legend(figure, [*outcome_handles(found["outcome"]), *shares])
    return figure


def heads_figure(screening: pd.DataFrame, heads: pd.DataFrame, verdicts: pd.DataFrame) -> Figure:
    """Learning curves of heads alone, and how many are good, bad or neither."""
    figure, axes = panels(1, 2, width=3.6, height=2.7)
    curves, bars = axes[0]
    outcome = heads.set_index(["head", "data_seed"])["outcome"]
    plot_runs(curves, screening, "accuracy", ["head", "data_seed"], outcome.map(ALONE).to_dict())
    curves.set_title(f"{len(outcome)} trainings of {heads['head'].nunique()} heads alone")
    curves.set(xlabel="step", ylabel="accuracy", ylim=(-0.03, 1.03))
    counts = verdicts.set_index("verdict")["heads"].reindex(list(VERDICTS)).fillna(0)
    bars.bar(range(len(VERDICTS)), counts, color=[ALONE[name] for name in VERDICTS], alpha=0.8, width=0.6)
    bars.bar_label(bars.containers[0], fmt="%.0f", padding=2)
    bars.set_xticks(range(len(VERDICTS)), VERDICTS)
    bars.set(title="with every data seed", ylabel="heads", ylim=(0, max(1.0, 1.15 * float(counts.max()))))
    bars.grid(False, axis="x")
    legend(figure, outcome_handles(outcome, ALONE))
    return figure


def attention_figure(attention: pd.DataFrame, kinds: Sequence[str]) -> Figure:
    """A map a kind: attention accuracy of each head of each combination at the last evaluation."""
    figure, axes = panels(1, len(kinds), width=2.6, height=2.7)
    for axis, kind in zip(axes[0], kinds, strict=True):
        axis.grid(False)
        here = of(attention, combined=kind)
        axis.set_title(kind)
        if not len(here):
            say_empty(axis, "no combinations")
            axis.set(xticks=[], yticks=[])
            continue
        here = of(here, step=here["step"].max())
        table = here.pivot_table(index="combination", columns="place", values="attention_accuracy").to_numpy()
        table = table[np.argsort(-table.max(1), kind="stable")]
        axis.imshow(table, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        axis.set_xticks(range(table.shape[1]), [str(place + 1) for place in range(table.shape[1])])
        ends = sorted({0, len(table) - 1})
        axis.set_yticks(ends, [str(at + 1) for at in ends])
    outer_labels(axes, "head in the model", "combination, best first")
    if images := [image for axis in axes[0] for image in axis.images]:
        figure.colorbar(images[0], ax=list(axes[0]), label="attention accuracy", shrink=0.9)
    return figure
