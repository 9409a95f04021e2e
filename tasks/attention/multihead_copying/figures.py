"""The figures of `multihead_copying`: combinations by kind, heads alone, where heads of a combination point."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tasks.analysis.panels import GREY, legend, line_handle, of, panels, say_empty
from tasks.attention.copying.colours import COLOURS
from tasks.attention.copying.outcomes import OUTCOMES
from tasks.attention.multihead_copying.tables import OUTCOMES_ALONE, VERDICTS

ALONE = {"good": "#0072B2", "bad": "#D55E00", "undecided": GREY, "neither": GREY}
KINDS = {"bad": "#CC79A7", "good": "#009E73", "random": "#444444"}
DASHES = {"bad": "-", "good": (0, (5, 2)), "random": (0, (1, 1))}


def combinations_figure(
    curves: pd.DataFrame, found: pd.DataFrame, by_step: pd.DataFrame, kinds: Sequence[str]
) -> Figure:
    """Learning curves, a column a kind, and the share that has learned against the step."""
    figure, axes = panels(1, len(kinds) + 1, width=3.0, height=2.7)
    for axis, kind in zip(axes[0], kinds, strict=False):
        runs = of(found, combined=kind).set_index("combination")["outcome"]
        axis.set_title(f"{kind}: {int((runs == 'learned').sum())} of {len(runs)} learned", fontsize=9)
        for number, line in of(curves, combined=kind).groupby("combination"):
            line = line.sort_values("step")
            axis.plot(line["step"], line["accuracy"], color=COLOURS[runs[number]], linewidth=1.1, alpha=0.75)
        if not len(runs):
            say_empty(axis, "no combinations")
        axis.set_ylim(-0.03, 1.03)
        axis.set_xlabel("step")
    axes[0, 0].set_ylabel("accuracy")
    last = axes[0, -1]
    for place, kind in enumerate(kinds):
        line = of(by_step, combined=kind).sort_values("step")
        if not len(line):
            continue
        last.step(line["step"], line["share"], color=KINDS[kind], linestyle=DASHES[kind], linewidth=1.8, where="post")
        end = line.iloc[-1]
        at = float(end["step"]) * (1.04 + 0.04 * place)  # beside each other, so that the intervals can be told apart
        last.vlines(at, end["low"], end["high"], color=KINDS[kind], linewidth=1.2)
        last.plot([at], [end["share"]], color=KINDS[kind], marker="o", markersize=4)
    last.set_title("learned up to a step", fontsize=9)
    last.set_ylim(-0.03, 1.03)
    last.set_xlabel("step")
    last.set_ylabel("share of combinations")
    handles = [line_handle(name, COLOURS[name]) for name in OUTCOMES if (found["outcome"] == name).any()]
    handles += [line_handle(f"share of {kind}", KINDS[kind], linestyle=DASHES[kind]) for kind in kinds]
    legend(figure, handles)
    return figure


def heads_figure(screening: pd.DataFrame, heads: pd.DataFrame, verdicts: pd.DataFrame) -> Figure:
    """Learning curves of heads alone, and how many are good, bad or neither."""
    figure, axes = panels(1, 2, width=3.6, height=2.7)
    curves, bars = axes[0]
    outcome = heads.set_index(["head", "data_seed"])["outcome"]
    for key, line in screening.groupby(["head", "data_seed"]):
        line = line.sort_values("step")
        curves.plot(line["step"], line["accuracy"], color=ALONE[outcome[key]], linewidth=0.9, alpha=0.7)
    curves.set_title(f"{len(outcome)} trainings of {heads['head'].nunique()} heads alone", fontsize=9)
    curves.set_ylim(-0.03, 1.03)
    curves.set_xlabel("step")
    curves.set_ylabel("accuracy")
    counts = verdicts.set_index("verdict")["heads"].reindex(list(VERDICTS)).fillna(0)
    bars.bar(range(len(VERDICTS)), counts, color=[ALONE[name] for name in VERDICTS], alpha=0.8, width=0.6)
    bars.bar_label(bars.containers[0], fmt="%.0f", padding=2)
    bars.set_xticks(range(len(VERDICTS)), VERDICTS)
    bars.set_ylim(0, max(1.0, 1.15 * float(counts.max())))
    bars.set_ylabel("heads")
    bars.set_title("with every data seed", fontsize=9)
    bars.grid(False, axis="x")
    legend(figure, [line_handle(name, ALONE[name]) for name in OUTCOMES_ALONE if (heads["outcome"] == name).any()])
    return figure


def attention_figure(attention: pd.DataFrame, kinds: Sequence[str]) -> Figure:
    """A map a kind: attention accuracy of each head of each combination at the last evaluation."""
    figure, axes = panels(1, len(kinds), width=2.6, height=2.7)
    image = None
    for axis, kind in zip(axes[0], kinds, strict=True):
        axis.grid(False)
        here = of(attention, combined=kind)
        axis.set_title(kind, fontsize=9)
        axis.set_xlabel("head in the model")
        if not len(here):
            say_empty(axis, "no combinations")
            axis.set_xticks([])
            axis.set_yticks([])
            continue
        here = of(here, step=here["step"].max())
        table = here.pivot_table(index="combination", columns="place", values="attention_accuracy").to_numpy()
        table = table[np.argsort(-table.max(1), kind="stable")]
        image = axis.imshow(table, vmin=0, vmax=1, aspect="auto", cmap="viridis", interpolation="nearest")
        axis.set_xticks(range(table.shape[1]), [str(place + 1) for place in range(table.shape[1])])
        axis.set_yticks([0, len(table) - 1] if len(table) > 1 else [0])
        axis.set_yticklabels(["1", str(len(table))] if len(table) > 1 else ["1"])
    axes[0, 0].set_ylabel("combination, best first")
    if image is not None:
        figure.colorbar(image, ax=list(axes[0]), label="attention accuracy", shrink=0.9)
    return figure
