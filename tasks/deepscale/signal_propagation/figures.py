"""The figures of `signal_propagation`: all moments through depth, the six published figures, the rule of depth."""

from collections.abc import Iterable, Sequence
from typing import Any, get_args

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, StrMethodFormatter

from tasks.analysis.palette import CYCLE, GREY, PUBLISHED, THEORY
from tasks.analysis.panels import curve, legend, line_handle, of, outer_labels, panels, say_empty
from tasks.deepscale.deep_bert.params import Norm, Scheme
from tasks.deepscale.signal_propagation.config import Config
from tasks.deepscale.signal_propagation.published import FIGURES, LAYERS, SETTING, PublishedFigure, drawn_prediction
from tasks.deepscale.signal_propagation.stages import THEORIES

SEEDS = (
    "Mean over seeds, band: Student's 95 % interval; a seed draws weights, sequences, masked tokens and dropout. Means "
    "of gradients and norms are geometric. Values that are not finite are left out and counted in the table."
)
_THEORY = (
    "Dashed: the recursion of moments from the measured variance and correlation of the embeddings and of the gradient "
    "at the top. Dotted: the same from the weights' standard deviations and the shares of equal tokens and segments."
)
CAPTIONS = {
    "signals": (
        f"The residual stream behind each layer and the loss's gradient there, in one pass in training mode. {SEEDS} "
        f"{_THEORY} Dash-dotted: with the published gradient of attention, without its path through queries and keys. "
        "Theory is for wide networks: at a width H a network's variances scatter by about sqrt(2/H). It is of means: "
        "where gradients shrink layer by layer (post-LN Xavier), a typical narrow network's shrink faster than means."
    ),
    "published": (
        "The quantities of the six published figures. Weight gradients: norm of the five matrices' gradient of a layer "
        f"as it stands in Adam's state after one step with clipping at 1. {SEEDS} {_THEORY} Of norms the theory has "
        "the shape alone: it is brought to the measured geometric mean. Thin: the curve that the published code draws "
        "through the measured last value (variance) or first value (norms). Points, where depth, heads, dropout and "
        "activation are the published ones: read off the published figures, whose width is 1,024, one seed."
    ),
    "depth_rule": (
        "Theory alone, DeepScaleLM with beta^2 = k / layers^alpha at the largest k and first correlation asked for. "
        "With dropout gradients stay bounded through depth from alpha = 1 on; below, they vanish, and above, branches "
        "write ever less of the stream. Points with beta^2 of 1 or more are left out; values below 1e-8 are not drawn."
    ),
}
COLOURS: dict[str, str] = dict(zip(("dslm", "xavier", "vanilla"), CYCLE, strict=False))
ROWS = {
    "variance": "variance of the stream",
    "correlation": "correlation of tokens",
    "gradient_variance": "variance of the gradient",
    "gradient_correlation": "correlation of\ntokens' gradients",
    "weight_profile": "norm of weight gradients\n/ last layer's",
}
LOG = ("gradient_variance", "weight_profile")
LEAST = 1e-8  # of what the rule of depth draws
STYLES: dict[str, dict[str, Any]] = {
    "theory": {"color": THEORY, "linestyle": (0, (5, 2)), "linewidth": 1.3},
    "theory_free": {"color": THEORY, "linestyle": (0, (1, 1.2)), "linewidth": 1.5},
    "theory_published": {"color": PUBLISHED, "linestyle": (0, (4, 1, 1, 1)), "linewidth": 1},
    "drawn": {"color": PUBLISHED, "linewidth": 1},
    "read off": {"color": PUBLISHED, "linestyle": "", "marker": ".", "alpha": 0.8},
}
LABELS = {
    "theory": "theory, from measured ends",
    "theory_free": "theory, no measurement",
    "theory_published": "with the published gradient",
    "drawn": "drawn in the published figure",
    "read off": "read off the published figure",
}


def draw(curves: pd.DataFrame, rule: pd.DataFrame, config: Config) -> dict[str, Figure]:
    """Two figures a depth and source, and the rule of depth."""
    figures: dict[str, Figure] = {}
    for (layers, source), group in curves.groupby(["layers", "source"]):
        set_as_published = {name: getattr(config, name) for name in SETTING if name != "layers"} | {"layers": layers}
        figures[f"signals-{layers}-{source}"] = signals_figure(group)
        if {"xavier", "dslm"} & set(group["scheme"]):
            figures[f"published-{layers}-{source}"] = published_figure(group, at_setting=set_as_published == SETTING)
    if len(rule):
        figures["depth_rule"] = depth_rule_figure(rule)
    return figures


def signals_figure(table: pd.DataFrame) -> Figure:
    """All moments of one depth and source: a row a quantity, a column a norm and scheme."""
    there = set(zip(table["norm"], table["scheme"], strict=True))
    variants = [(n, s) for n in get_args(Norm) for s in get_args(Scheme) if (n, s) in there]
    figure, axes = panels(len(ROWS), len(variants), width=2.5, height=1.9, sharex=True)
    for (row, column), axis in np.ndenumerate(axes):
        quantity, (norm, scheme) = list(ROWS)[row], variants[column]
        here = of(table, norm=norm, scheme=scheme, quantity=quantity)
        axis.set_title("" if row else f"{norm}-LN, {scheme}")
        if quantity in LOG:
            axis.set_yscale("log")
        _measured(axis, here, scheme)
        for form in THEORIES if quantity.startswith("gradient") else THEORIES[:2]:
            axis.plot(here["layer"], here[form], **STYLES[form])
        if quantity == "variance":
            axis.set_ylim(bottom=0, top=max(1.3 * float(np.nanmax([*here["mean"], *here["theory"], 0.0])), 1e-9))
    outer_labels(axes, "layer", list(ROWS.values()))
    legend(figure, [*_schemes(scheme for _, scheme in variants), *_lines(THEORIES)])
    return figure


def published_figure(table: pd.DataFrame, *, at_setting: bool) -> Figure:
    """The six published figures for one depth and source; with what was read off where the setting is theirs."""
    figure, axes = panels(2, 3, width=3.6, height=2.6)
    for axis, one in zip(axes.flat, FIGURES, strict=True):
        here = of(table, norm=one.norm, scheme=one.scheme, quantity=one.quantity).query("layer >= 1")
        what = "variance" if one.quantity == "variance" else "weight gradients"
        axis.set_title(f"{one.norm}-LN, {one.scheme}: {what}")
        if one.log:
            axis.set_yscale("log")
        if not _measured(axis, here, one.scheme):
            continue
        profile = of(table, norm=one.norm, scheme=one.scheme, quantity="weight_profile")
        for form in THEORIES[:2]:
            axis.plot(here["layer"], _predicted(one, here, profile, form), **STYLES[form])
        drawn = drawn_prediction(one, here["mean"].to_numpy(dtype=float))
        if drawn is not None:
            axis.plot(here["layer"], drawn, **STYLES["drawn"])
        read_off = np.exp(one.read_off) if one.log else one.read_off
        if at_setting:
            axis.plot(LAYERS, read_off, **STYLES["read off"])
        if not one.log:
            highest = np.nanmax([*here["mean"], *here["high"], *(read_off if at_setting else [0.0])])
            axis.set_ylim(0, (2.0 if one.scheme == "dslm" else 1.05) * float(highest))
    outer_labels(axes, "layer", "variance, or norm of\nclipped gradient x 0.0316")
    names = [*THEORIES[:2], "drawn", *(["read off"] if at_setting else [])]
    legend(figure, [*_schemes(("xavier", "dslm")), *_lines(names)])
    return figure


def depth_rule_figure(rule: pd.DataFrame) -> Figure:
    """The largest k: a row a dropout; gradients for each kind of top, weight gradients, branches' share."""
    rule = of(rule, k=rule["k"].max())
    rule = of(rule, correlation=rule["correlation"].iloc[0])
    dropouts, tops, alphas = (sorted(set(rule[name])) for name in ("dropout", "top_rg", "alpha"))
    columns = [("gradient_gain", top, f"gradient variance, input / top\n(top correlation {top:g})") for top in tops]
    columns.append(("profile_min", tops[0], "least weight-gradient norm\n/ last layer's"))
    columns.append(("branch_share", tops[0], "branches' share of the stream"))
    colours = {alpha: CYCLE[number % len(CYCLE)] for number, alpha in enumerate(alphas)}
    figure, axes = panels(len(dropouts), len(columns), width=3.1, height=2.4, sharex=True, sharey="col")
    for (row, column), axis in np.ndenumerate(axes):
        quantity, top, title = columns[column]
        axis.set_title("" if row else title)
        axis.set_xscale("log")
        axis.set_yscale("log")
        here = of(rule, dropout=dropouts[row], top_rg=top).sort_values("layers")
        for (alpha, norm), line in here.groupby(["alpha", "norm"]):
            values = line[quantity].where(line[quantity] >= LEAST)
            axis.plot(line["layers"], values, ":" if norm == "post" else "-", color=colours[alpha])
        axis.xaxis.set_major_locator(FixedLocator(sorted(set(rule["layers"]))))
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.tick_params(axis="x", labelsize=8)
        axis.yaxis.set_minor_formatter(NullFormatter())
    outer_labels(axes, "layers", [f"dropout {dropout:g}" for dropout in dropouts])
    handles = [line_handle(f"alpha = {alpha:g}", colour) for alpha, colour in colours.items()]
    legend(figure, [*handles, line_handle("pre-LN", GREY), line_handle("post-LN", GREY, linestyle=":")])
    return figure


def _measured(axis: Axes, here: pd.DataFrame, scheme: str) -> bool:
    """Draw the measured curve; whether it has a finite value."""
    finite = bool(np.isfinite(here["mean"].to_numpy(dtype=float)).any())
    if finite:
        curve(axis, here, "layer", COLOURS[scheme], linewidth=1.8)
    else:
        say_empty(axis)
    return finite


def _predicted(one: PublishedFigure, here: pd.DataFrame, profile: pd.DataFrame, form: str) -> np.ndarray:
    """The theory of a panel; of norms, whose level clipping sets, brought to the measured geometric mean."""
    if one.quantity == "variance":
        return here[form].to_numpy(dtype=float)
    shape, mean = profile[form].to_numpy(dtype=float), here["mean"].to_numpy(dtype=float)
    return shape * np.exp(np.nanmean(np.log(mean / shape)))


def _schemes(schemes: Iterable[str]) -> list[Line2D]:
    return [line_handle(f"{scheme}, measured", COLOURS[scheme]) for scheme in dict.fromkeys(schemes)]


def _lines(names: Sequence[str]) -> list[Line2D]:
    return [Line2D([], [], label=LABELS[name], **STYLES[name]) for name in names]
