"""The figures of `bert_pretraining`, drawn from its table `curves`."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tasks.analysis.palette import CYCLE, GREY
from tasks.analysis.panels import legend, line_handle, of, outer_labels, panels, say_empty

METRICS = ("mlm_loss", "gradient_norm", "learning_rate")
COLOURS = dict(zip(("dslm", "vanilla", "xavier"), CYCLE, strict=False))
DASHES = {"pre": "--", "post": "-"}
CROSS = {"marker": "x", "markersize": 9, "markeredgewidth": 2.2, "linestyle": "none", "zorder": 5}
UNIGRAM = {"linewidth": 1.0, "linestyle": (0, (6, 3))}
CAPTIONS = {
    "loss_curves": "Training loss (nats a masked token), mean over the steps since the previous point: a line a run, a "
    "panel a number of layers. Cross: the run diverged at that step; it stands at the last finite loss. Dashed grey: "
    "the entropy of the training tokens, about what token frequencies alone cost. The axis ends at 1.5 times the "
    "highest first point.",
    "optimisation": "Total gradient norm before clipping, mean over the steps since the previous point, and learning "
    "rate. Cross: the last finite gradient norm of a run that diverged.",
}


def draw(curves: pd.DataFrame, unigram: float) -> dict[str, Figure]:
    """Both figures, where there are points.

    Args:
        curves: as `reduce.curves` makes them.
        unigram: entropy of the training tokens; NaN: not drawn.
    """
    if not len(curves):
        return {}
    return {"loss_curves": loss_figure(curves, unigram), "optimisation": optimisation_figure(curves)}


def loss_figure(curves: pd.DataFrame, unigram: float) -> Figure:
    """Loss against steps, a panel a number of layers and width, all variants together."""
    depths = _depths(curves)
    losses = of(curves, metric="mlm_loss")
    figure, axes = panels(1, len(depths), width=5.4 if len(depths) == 1 else 4.0, height=3.4, sharey=True)
    for axis, (layers, width) in zip(axes[0], depths, strict=True):
        axis.set_title(f"{layers} layers, width {width}")
        draw_runs(axis, of(losses, layers=layers, width=width))
        if np.isfinite(unigram):
            axis.axhline(unigram, color=GREY, **UNIGRAM)
    _limits(axes[0, 0], losses, unigram)
    outer_labels(axes, "training steps", "loss (nats a masked token)")
    extra = [line_handle("token frequencies alone", GREY, **UNIGRAM)] if np.isfinite(unigram) else []
    legend(figure, [*handles(curves), *extra])
    return figure


def optimisation_figure(curves: pd.DataFrame) -> Figure:
    """Gradient norms (log axis), a panel a number of layers and width, and the learning rate."""
    depths = _depths(curves)
    figure, axes = panels(1, len(depths) + 1, height=3.0)
    for axis, (layers, width) in zip(axes[0], depths, strict=False):
        axis.set_title(f"{layers} layers, width {width}")
        draw_runs(axis, of(curves, metric="gradient_norm", layers=layers, width=width))
        axis.set_yscale("log")
        for ticks in (axis.yaxis.set_major_formatter, axis.yaxis.set_minor_formatter):
            ticks(FuncFormatter(lambda value, _: f"{value:g}"))
    axes[0, 0].set_ylabel("gradient norm before clipping")
    last = axes[0, -1]
    rates = of(curves, metric="learning_rate")[["step", "value"]].drop_duplicates().sort_values("step")
    last.plot(rates["step"], rates["value"], color=GREY)
    last.set_ylabel("learning rate")
    last.set_ylim(bottom=0)
    for axis in axes[0]:
        axis.set_xlabel("training steps")
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    legend(figure, list(handles(curves)))
    return figure


def draw_runs(axis: Axes, curves: pd.DataFrame) -> None:
    """A line a run up to its last finite value, with a cross there if it diverged."""
    for (norm, scheme, _), run in curves.groupby(["norm", "scheme", "seed"], sort=True):
        finite = run[np.isfinite(run["value"])]
        if not len(finite):
            continue
        colour, at = COLOURS[scheme], run["diverged_at"].iloc[0]
        axis.plot(finite["step"], finite["value"], DASHES[norm], color=colour)
        if not pd.isna(at):
            axis.plot([int(at)], [finite["value"].iloc[-1]], color=colour, clip_on=False, **CROSS)
    if not axis.has_data():
        say_empty(axis)


def handles(curves: pd.DataFrame) -> Iterator[object]:
    """Entries of the legend: the variants, and the cross where there is one."""
    found = curves[["norm", "scheme"]].drop_duplicates().sort_values(["norm", "scheme"])
    for norm, scheme in found.itertuples(index=False):
        yield line_handle(f"{norm}-LN, {scheme}", COLOURS[scheme], linestyle=DASHES[norm])
    if curves["diverged_at"].notna().any():
        yield line_handle("diverged", GREY, **CROSS)


def _depths(curves: pd.DataFrame) -> list[tuple[int, int]]:
    return sorted(set(zip(curves["layers"].tolist(), curves["width"].tolist(), strict=True)))


def _limits(axis: Axes, losses: pd.DataFrame, unigram: float) -> None:
    """Room for all losses but those of a run on its way to infinity."""
    values = losses["value"][np.isfinite(losses["value"])]
    if len(values):
        lowest = min(values.min(), unigram) if np.isfinite(unigram) else values.min()
        first = losses.sort_values("step").groupby(["norm", "scheme", "layers", "width", "seed"])["value"].first()
        highest = min(values.max(), 1.5 * first[np.isfinite(first)].max())
        axis.set_ylim(lowest - 0.05 * (highest - lowest), highest + 0.05 * (highest - lowest))
