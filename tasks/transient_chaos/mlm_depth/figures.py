"""The figure of `mlm_depth`, drawn from its summary tables."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from tasks.analysis.palette import GREY, INIT_STYLES
from tasks.analysis.panels import curve, legend, of, panels, say_empty

CAPTIONS = {
    "mlm_by_depth": "Accuracy and perplexity on the masked tokens of the test part against the number of layers: mean "
    "over runs, band = 95 % interval for the mean.",
}
STYLES = {
    "trained": {"linestyle": "-", "marker": "o"},
    "new": {"linestyle": "--", "marker": "s"},
    "zero_shot": {"linestyle": ":", "marker": "^"},
}
PANELS = {
    "accuracy": ("accuracy (share of masked tokens)", "guess_accuracy", "most frequent token", "-"),
    "perplexity": ("perplexity (exp of nats per token)", "unigram_perplexity", "token frequencies", (0, (6, 2))),
}
"""Of each metric the axis label, and the guess that is a level line: its metric, name and dash."""


def depth_figure(curves: pd.DataFrame, guesses: pd.DataFrame, nominal: int | None) -> Figure:
    """Two panels, accuracy and perplexity (log axis) against depth: a line an encoder and readout, band = interval.

    The axes leave room for the means; the interval of two or three runs may go beyond them.

    Args:
        curves: as `reduce.depth_curves` makes them.
        guesses: rows of metric and value, drawn as level lines.
        nominal: the depth that the pretrained model was made with, drawn upright; None: not known.
    """
    curves = curves.rename(columns={"ci_low": "low", "ci_high": "high"})
    figure, axes = panels(1, len(PANELS), width=4.8, height=3.9)
    for axis, (metric, (label, guess, name, dash)) in zip(axes.flat, PANELS.items(), strict=True):
        own = of(curves, metric=metric)
        for (encoder, style, readout), line in own.groupby(["encoder", "init_style", "readout"], sort=True):
            who = encoder if style in ("", "hf_default") else f"{encoder} ({style})"
            shown = f"{who}, {readout.replace('_', '-')} readout"
            curve(axis, line, "depth", INIT_STYLES[style], label=shown, **STYLES[readout])
        level = of(guesses, metric=guess)["value"]
        if len(level):
            axis.axhline(float(level.mean()), color=GREY, linewidth=1.0, linestyle=dash, label=f"guessing: {name}")
        if nominal is not None and nominal <= curves["depth"].max():
            axis.axvline(nominal, color=GREY, linewidth=0.9, linestyle="-.", label="nominal depth")
        _limits(axis, own["mean"], metric)
        axis.set_xlabel("layers")
        axis.set_ylabel(label)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(figure, {label: h for axis in axes.flat for h, label in zip(*axis.get_legend_handles_labels(), strict=True)})
    return figure


def _limits(axis: Axes, means: pd.Series, metric: str) -> None:
    """Leave room for the means alone."""
    means = means[np.isfinite(means)]
    if not len(means):
        say_empty(axis, "all values are NaN")
        return
    if metric == "accuracy":
        axis.set_ylim(0, None if means.max() <= 0 else 1.15 * means.max())
        return
    axis.set_yscale("log")
    # Zero-shot readouts far from the nominal depth go up to e^20; beyond a thousand times the best nothing is read off.
    axis.set_ylim(means.min() / 1.3, min(1.3 * means.max(), 1e3 * means.min()))
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axis.yaxis.set_minor_formatter(NullFormatter())
