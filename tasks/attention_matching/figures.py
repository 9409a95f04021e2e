"""The figures of `attention_matching`, drawn from its summary tables."""

# pandas annotates the keys of groupby and the rows of itertuples as anything hashable, so these rules say nothing here:
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportGeneralTypeIssues=false
# pyright: reportIndexIssue=false, reportReturnType=false

import re

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from tasks.panels import legend, line_handle, of, outer_labels, panels, say_empty, short

COLOURS = {"pretrained-plus": "#1f5fa8", "pretrained-random": "#d1701c", "random-plus": "#2f8f4e"}
NAMES = {"pretrained": "pretrained", "random": "random", "plus": "PLUS"}
TOKENS = {"all": "all tokens", "residues": "residues alone"}


def draw(by_layer: pd.DataFrame, heads: pd.DataFrame) -> dict[str, Figure]:
    """All figures by name: the costs, and for each model and protein task the pairs of heads."""
    found = {"matched_cost": cost_figure(by_layer)}
    for (model, task), table in of(heads, tokens="all").groupby(["model", "protein_task"], sort=True):
        found[f"matched_heads-{_file_name(f'{model}_{task}')}"] = heads_figure(table, f"{short(str(model))}, {task}")
    return found


def cost_figure(by_layer: pd.DataFrame) -> Figure:
    """Costs against layer: a column a model and protein task, a row all tokens or residues, a colour a pair."""
    lines = by_layer[["model", "protein_task"]].drop_duplicates().sort_values(["model", "protein_task"])
    kinds = [kind for kind in TOKENS if (by_layer["tokens"] == kind).any()]
    figure, axes = panels(len(kinds), len(lines), width=4.4, height=3.0, sharex="col", sharey="row")
    for row, kind in zip(axes, kinds, strict=True):
        for axis, (model, task) in zip(row, lines.itertuples(index=False), strict=True):
            table = of(by_layer, model=model, protein_task=task, tokens=kind)
            for pair, colour in COLOURS.items():
                _cost_lines(axis, of(table, pair=pair), colour)
            if not np.isfinite(table["mean"]).any():
                say_empty(axis)
            axis.set_title(f"{task}, {short(str(model))}; {TOKENS[kind]}", fontsize=10)
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    outer_labels(axes, "layer", "L1 cost of matched heads, mean a query token")
    for row in axes:
        row[0].set_ylim(bottom=0)
    drawn = [pair for pair in COLOURS if (by_layer["pair"] == pair).any()]
    legend(
        figure,
        [
            *(line_handle(_pair_name(pair), COLOURS[pair]) for pair in drawn),
            line_handle("best matching of each protein", "0.3", marker="o", markersize=4),
            line_handle("matched by the other half", "0.3", linestyle=":"),
            line_handle("shuffled heads", "0.3", linestyle="--"),
        ],
    )
    return figure


def _cost_lines(axis: Axes, table: pd.DataFrame, colour: str) -> None:
    wide = table.pivot_table(index="layer", columns="metric", values="mean", dropna=False)
    if not {"matched_mean", "crossfit", "unmatched_mean"} <= set(wide.columns):
        return  # nothing finite
    x = wide.index.to_numpy(dtype=float)
    axis.plot(x, wide["matched_mean"], "-o", color=colour, markersize=4, linewidth=1.6)
    axis.plot(x, wide["crossfit"], ":", color=colour, linewidth=1.6)
    axis.plot(x, wide["unmatched_mean"], "--", color=colour, linewidth=1.2)
    for centre, sd, alpha in (("matched_mean", "matched_sd", 0.22), ("unmatched_mean", "shuffled_sd", 0.10)):
        low, high = wide[centre] - wide[sd], wide[centre] + wide[sd]
        axis.fill_between(x, low, high, color=colour, alpha=alpha, linewidth=0)


def heads_figure(heads: pd.DataFrame, title: str) -> Figure:
    """Shares of matches, heads of the second by heads of the first: a row a pair of encoders, a column a layer."""
    pairs = [pair for pair in COLOURS if (heads["pair"] == pair).any()]
    deepest = int(heads["layer"].max())
    side = 2.0 if deepest > 4 else 2.6
    figure = Figure(figsize=(1.4 + side * deepest, 0.9 + (side + 0.5) * len(pairs)), layout="constrained")
    axes = figure.subplots(len(pairs), deepest, squeeze=False)
    image = None
    for row, pair in zip(axes, pairs, strict=True):
        first, second = (NAMES[name] for name in pair.split("-"))
        for layer, axis in enumerate(row, start=1):
            table = of(heads, pair=pair, layer=layer)
            if not len(table):  # this pair has fewer layers than another
                axis.set_axis_off()
                continue
            image = _share_map(axis, table)
            axis.set_title(f"layer {layer}", fontsize=10)
            axis.set_xlabel(f"head, {first}", fontsize=9)
        row[0].set_ylabel(f"head, {second}", fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of proteins in which they are matched")
    figure.suptitle(title, fontsize=11)
    return figure


def _share_map(axis: Axes, table: pd.DataFrame):
    share = table.pivot_table(index="head_second", columns="head_first", values="share", dropna=False).sort_index()
    chosen = table[table["in_matching"].astype(bool)].sort_values("head_second")
    order = chosen["head_first"].astype(int).tolist()
    order += [head for head in share.columns if head not in order]
    values = share[order].to_numpy(dtype=float)
    image = axis.imshow(values, vmin=0, vmax=1, cmap="Blues", aspect="equal")
    for place, head in enumerate(chosen["head_second"].astype(int)):
        corner = (place - 0.5, list(share.index).index(head) - 0.5)
        axis.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor="#d1701c", linewidth=1.0))
    if values.size <= 36:
        for (i, j), value in np.ndenumerate(values):
            axis.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=7, color="w" if value > 0.6 else "k")
    axis.set_xticks(range(len(order)), [str(head) for head in order], fontsize=7)
    axis.set_yticks(range(len(share)), [str(head) for head in share.index], fontsize=7)
    return image


def _pair_name(pair: str) -> str:
    first, second = (NAMES[name] for name in pair.split("-"))
    return f"{first} and {second}"


def _file_name(text: str) -> str:
    """A model's name as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9_.]+", "_", text)[-80:]
