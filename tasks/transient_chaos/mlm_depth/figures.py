"""The figure of `mlm_depth`, drawn from its summary tables."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

COLOURS = {
    ("pretrained", ""): "#1f5fa8",
    ("random", "hf_default"): "#d1701c",
    ("random", "keras"): "#2f8f4e",
    ("random", "glue_legacy"): "#8b4fa3",
    ("random", "mlm_legacy"): "#b03a48",
    ("random", "dump_legacy"): "#6b6b6b",
}
DASHES = {"trained": "-", "new": "--", "zero_shot": ":"}
MARKERS = {"trained": "o", "new": "s", "zero_shot": "^"}
PANELS = {"accuracy": "accuracy (share of masked tokens)", "perplexity": "perplexity (exp of nats a token)"}
GUESSES = {
    "accuracy": ("guess_accuracy", "most frequent token"),
    "perplexity": ("unigram_perplexity", "token frequencies"),
}


def depth_figure(curves: pd.DataFrame, guesses: pd.DataFrame, nominal: int | None) -> Figure:
    """Two panels, accuracy and perplexity (log axis) against depth: a line an encoder and readout, band = interval.

    The axes leave room for the means; the interval of two or three runs may go beyond them.

    Args:
        curves: as `reduce.depth_curves` makes them.
        guesses: rows of metric and value, drawn as level lines.
        nominal: the depth that the pretrained model was made with, drawn upright; None: not known.
    """
    figure = Figure(figsize=(10.6, 4.9), layout="constrained")
    axes: list[Axes] = list(figure.subplots(1, 2))
    for axis, (metric, label) in zip(axes, PANELS.items(), strict=True):
        for key, line in curves[curves["metric"] == metric].groupby(["encoder", "init_style", "readout"], sort=True):
            encoder, style, readout = (str(part) for part in key)
            line = line.sort_values("depth")
            colour = COLOURS[encoder, style]
            name = encoder if style in ("", "hf_default") else f"{encoder} ({style})"
            axis.plot(
                line["depth"],
                line["mean"],
                DASHES[readout],
                color=colour,
                marker=MARKERS[readout],
                markersize=3.5,
                linewidth=1.4,
                label=f"{name}, {readout.replace('_', '-')} readout",
            )
            axis.fill_between(line["depth"], line["ci_low"], line["ci_high"], color=colour, alpha=0.15, lw=0)
        _guess(axis, guesses, metric, dashed=metric == "perplexity")
        if nominal is not None and nominal <= curves["depth"].max():
            axis.axvline(nominal, color="0.35", linewidth=0.9, linestyle="-.", label="nominal depth")
        _limits(axis, curves[curves["metric"] == metric], metric)
        axis.set_xlabel("layers")
        axis.set_ylabel(label)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(True, which="major", linestyle="--", linewidth=0.5, alpha=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    handles = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def _guess(axis: Axes, guesses: pd.DataFrame, metric: str, dashed: bool) -> None:
    name, label = GUESSES[metric]
    values = guesses.loc[guesses["metric"] == name, "value"]
    if len(values):
        style = (0, (6, 2)) if dashed else "-"
        axis.axhline(float(values.mean()), color="0.5", linewidth=1.0, linestyle=style, label=f"guessing: {label}")


def _limits(axis: Axes, own: pd.DataFrame, metric: str) -> None:
    """Room for the means alone."""
    means = own["mean"].replace([np.inf, -np.inf], np.nan).dropna()
    if not len(means):
        axis.text(0.5, 0.5, "all values are NaN", ha="center", va="center", transform=axis.transAxes)
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
