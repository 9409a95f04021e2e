"""The figures of `signal_propagation`: all moments through depth, the six published figures, the rule of depth."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, StrMethodFormatter

from tasks.analysis.panels import GREY, legend, line_handle, of, outer_labels, panels, say_empty
from tasks.deepscale.signal_propagation.published import FIGURES, LAYERS, PublishedFigure, drawn_prediction

COLOURS = {"vanilla": "#6a9f3c", "xavier": "#d1701c", "dslm": "#1f5fa8"}
ALPHAS = ("#b2182b", "#d1701c", "#1f5fa8", "#6a9f3c", "#7b4fa3", "#444444")
ROWS = {
    "variance": "variance of the stream",
    "correlation": "correlation of tokens",
    "gradient_variance": "variance of the gradient",
    "gradient_correlation": "correlation of\ntokens' gradients",
    "weight_profile": "norm of weight gradients\n/ last layer's",
}
LOG = ("gradient_variance", "weight_profile")
LEAST = 1e-8  # of what the rule of depth draws
THEORY = {
    "theory": ("theory, from measured ends", {"color": "black", "linestyle": (0, (5, 2)), "linewidth": 1.3}),
    "theory_free": ("theory, no measurement", {"color": "black", "linestyle": (0, (1, 1.2)), "linewidth": 1.5}),
    "theory_published": (
        "with the published gradient",
        {"color": GREY, "linestyle": (0, (4, 1, 1, 1)), "linewidth": 1},
    ),
}


def signals_figure(table: pd.DataFrame) -> Figure:
    """All moments of one depth and source: a row a quantity, a column a norm and scheme."""
    variants = [
        (norm, scheme)
        for norm in ("pre", "post")
        for scheme in COLOURS
        if len(of(table, norm=norm, scheme=scheme))  # only what was asked for
    ]
    figure, axes = panels(len(ROWS), len(variants), width=2.5, height=1.9, sharex=True)
    for row, quantity in enumerate(ROWS):
        for column, (norm, scheme) in enumerate(variants):
            axis, here = axes[row, column], of(table, norm=norm, scheme=scheme, quantity=quantity)
            if row == 0:
                axis.set_title(f"{norm}-LN, {scheme}", fontsize=10)
            if quantity in LOG:
                axis.set_yscale("log")
            forms = ["theory", "theory_free"]
            if quantity.startswith("gradient"):
                forms.append("theory_published")
            _measured(axis, here, COLOURS[scheme])
            for form in forms:
                axis.plot(here["layer"], here[form], **THEORY[form][1])
            if quantity == "variance":
                axis.set_ylim(bottom=0, top=max(1.3 * float(np.nanmax([*here["mean"], *here["theory"], 0.0])), 1e-9))
    outer_labels(axes, "layer", list(ROWS.values()))
    legend(figure, [*_schemes(variants), *_theories(tuple(THEORY))])
    return figure


def published_figure(table: pd.DataFrame, *, at_setting: bool) -> Figure:
    """The six published figures for one depth and source; with what was read off where the setting is theirs."""
    figure, axes = panels(2, 3, width=3.6, height=2.6)
    for axis, one in zip(axes.flat, FIGURES, strict=True):
        here = of(table, norm=one.norm, scheme=one.scheme, quantity=one.quantity).query("layer >= 1")
        what = "variance" if one.quantity == "variance" else "weight gradients"
        axis.set_title(f"{one.norm}-LN, {one.scheme}: {what}", fontsize=10)
        if one.log:
            axis.set_yscale("log")
        if not np.isfinite(here["mean"].to_numpy(dtype=float)).any():
            say_empty(axis)
            continue
        _measured(axis, here, COLOURS[one.scheme])
        profile = of(table, norm=one.norm, scheme=one.scheme, quantity="weight_profile")
        for form in ("theory", "theory_free"):
            axis.plot(here["layer"], _predicted(one, here, profile, form), **THEORY[form][1])
        drawn = drawn_prediction(one, here["mean"].to_numpy(dtype=float))
        if drawn is not None:
            axis.plot(here["layer"], drawn, color=GREY, linewidth=1.0)
        if at_setting:
            values = np.exp(one.read_off) if one.log else one.read_off
            axis.plot(LAYERS, values, ".", color="#c44", markersize=3, alpha=0.6)
        if not one.log:
            highest = np.nanmax([*here["mean"], *here["high"], *(one.read_off if at_setting else [0.0])])
            axis.set_ylim(0, (2.0 if one.scheme == "dslm" else 1.05) * float(highest))
    outer_labels(axes, "layer", ["variance, or norm of\nclipped gradient x 0.0316"] * 2)
    handles = [*_schemes([("", "xavier"), ("", "dslm")]), *_theories(("theory", "theory_free"))]
    handles.append(line_handle("drawn in the published figure", GREY, linewidth=1.0))
    if at_setting:
        handles.append(line_handle("read off the published figure", "#c44", linestyle="", marker="."))
    legend(figure, handles)
    return figure


def depth_rule_figure(rule: pd.DataFrame) -> Figure:
    """The largest k: a row a dropout; gradients for each kind of top, weight gradients, branches' share."""
    rule = of(rule, k=rule["k"].max())
    rule = of(rule, correlation=rule["correlation"].iloc[0])
    dropouts, tops = sorted(set(rule["dropout"])), sorted(set(rule["top_rg"]))
    columns = [("gradient_gain", top) for top in tops] + [("profile_min", tops[0]), ("branch_share", tops[0])]
    names = {
        "profile_min": "least weight-gradient norm\n/ last layer's",
        "branch_share": "branches' share of the stream",
    }
    figure, axes = panels(len(dropouts), len(columns), width=3.1, height=2.4, sharex=True, sharey="col")
    alphas = sorted(set(rule["alpha"]))
    for row, dropout in enumerate(dropouts):
        for column, (quantity, top) in enumerate(columns):
            axis = axes[row, column]
            title = names.get(quantity, f"gradient variance, input / top\n(top correlation {top:g})")
            axis.set_title(f"{title}" if row == 0 else "", fontsize=9)
            axis.set_xscale("log")
            axis.set_yscale("log")
            for number, alpha in enumerate(alphas):
                for norm, style in (("pre", "-"), ("post", ":")):
                    line = of(rule, dropout=dropout, top_rg=top, alpha=alpha, norm=norm).sort_values("layers")
                    values = line[quantity].where(line[quantity] >= LEAST)
                    axis.plot(line["layers"], values, style, color=ALPHAS[number % len(ALPHAS)], linewidth=1.4)
            axis.xaxis.set_major_locator(FixedLocator(sorted(set(rule["layers"]))))
            axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.xaxis.set_minor_locator(NullLocator())
            axis.tick_params(axis="x", labelsize=8)
            axis.yaxis.set_minor_formatter(NullFormatter())
    outer_labels(axes, "layers", [f"dropout {dropout:g}" for dropout in dropouts])
    handles = [line_handle(f"alpha = {a:g}", ALPHAS[i % len(ALPHAS)]) for i, a in enumerate(alphas)]
    legend(figure, [*handles, line_handle("pre-LN", GREY), line_handle("post-LN", GREY, linestyle=":")])
    return figure


def _measured(axis: Axes, here: pd.DataFrame, colour: str) -> None:
    if not np.isfinite(here["mean"].to_numpy(dtype=float)).any():
        say_empty(axis)
        return
    axis.plot(here["layer"], here["mean"], color=colour, linewidth=1.8, alpha=0.9)
    axis.fill_between(here["layer"], here["low"], here["high"], color=colour, alpha=0.22, linewidth=0)


def _predicted(one: PublishedFigure, here: pd.DataFrame, profile: pd.DataFrame, form: str) -> np.ndarray:
    """The theory of a panel; of norms, whose level clipping sets, brought to the measured geometric mean."""
    if one.quantity == "variance":
        return here[form].to_numpy(dtype=float)
    shape, mean = profile[form].to_numpy(dtype=float), here["mean"].to_numpy(dtype=float)
    return shape * np.exp(np.nanmean(np.log(mean / shape)))


def _schemes(variants: list[tuple[str, str]]) -> list:
    seen = dict.fromkeys(scheme for _, scheme in variants)
    return [line_handle(f"{scheme}, measured", COLOURS[scheme]) for scheme in seen]


def _theories(forms: tuple[str, ...]) -> list:
    found = []
    for form in forms:
        label, style = THEORY[form]
        found.append(line_handle(label, **{("colour" if k == "color" else k): v for k, v in style.items()}))
    return found
