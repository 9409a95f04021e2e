"""The figures of `attention_matching`, drawn from its summary tables."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from tasks.analysis.panels import file_name, legend, line_handle, of, panels, say_empty, short
from tasks.transfer.comparison.lines import COLOURS, NAMES, pair_name

TOKENS = {"all": "all tokens", "residues": "residues alone"}


def draw(by_layer: pd.DataFrame, heads: pd.DataFrame, unit: str = "a query token") -> dict[str, Figure]:
    """All figures by name: for each model and protein task the costs against layer, and the pairs of heads."""
    found = {}
    for (model, task), table in by_layer.groupby(["model", "protein_task"], sort=True):
        name, title = file_name(f"{model}_{task}"), f"{short(str(model))}, {task} proteins"
        found[f"matched_cost-{name}"] = cost_figure(table, title, unit)
        pairs = of(heads, model=model, protein_task=task, tokens="all")
        if len(pairs):
            found[f"matched_heads-{name}"] = heads_figure(pairs, title)
    return found


def cost_figure(by_layer: pd.DataFrame, title: str, unit: str) -> Figure:
    """Against layer: in a column a pair of encoders the costs; in the last the share of the shuffled cost that the
    matching by the other half saves. A row all tokens, and one residues alone."""
    pairs = [pair for pair in COLOURS if (by_layer["pair"] == pair).any()]
    kinds = [kind for kind in TOKENS if (by_layer["tokens"] == kind).any()]
    figure, axes = panels(len(kinds), len(pairs) + 1, width=3.2, height=2.8, sharex="all")
    for row, kind in zip(axes, kinds, strict=True):
        for axis, pair in zip(row, pairs, strict=False):
            axis.sharey(row[0])
            _cost_lines(axis, of(by_layer, pair=pair, tokens=kind), COLOURS[pair])
            axis.set_title(pair_name(pair), fontsize=10)
        for pair in pairs:
            _saved_line(row[-1], of(by_layer, pair=pair, tokens=kind, metric="saved_crossfit"), COLOURS[pair])
        row[-1].axhline(0, color="0.5", linewidth=1.0)
        row[-1].yaxis.set_major_formatter(PercentFormatter(1.0))
        row[-1].set_title("saved by the other half", fontsize=10)
        row[-1].set_ylabel("share of the shuffled cost")
        row[0].set_ylabel(f"L1 cost {unit},\n{TOKENS[kind]}")
        row[0].set_ylim(bottom=0)
        row[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    for axis in axes[-1]:
        axis.set_xlabel("layer")
    figure.suptitle(title, fontsize=11)
    legend(
        figure,
        [
            *(line_handle(pair_name(pair), COLOURS[pair]) for pair in pairs),
            line_handle("best for each protein", "0.3", marker="o", markersize=4),
            line_handle("matched by the other half", "0.3", linestyle=":"),
            line_handle("shuffled heads", "0.3", linestyle="--"),
        ],
    )
    return figure


def _cost_lines(axis: Axes, table: pd.DataFrame, colour: str) -> None:
    wide = table.pivot_table(index="layer", columns="metric", values="mean", dropna=False)
    if not np.isfinite(wide["unmatched_mean"]).any():
        say_empty(axis, "no finite values")
        return
    x = wide.index.to_numpy(dtype=float)
    axis.plot(x, wide["matched_mean"], "-o", color=colour, markersize=4, linewidth=1.6)
    axis.plot(x, wide["crossfit"], ":", color=colour, linewidth=1.8)
    axis.plot(x, wide["unmatched_mean"], "--", color="0.3", linewidth=1.3)
    for centre, sd, shade, alpha in (
        ("unmatched_mean", "shuffled_sd", "0.3", 0.12),
        ("matched_mean", "matched_sd", colour, 0.25),
    ):
        low, high = wide[centre] - wide[sd], wide[centre] + wide[sd]
        axis.fill_between(x, low, high, color=shade, alpha=alpha, linewidth=0)


def _saved_line(axis: Axes, table: pd.DataFrame, colour: str) -> None:
    table = table.sort_values("layer")
    axis.plot(table["layer"], table["mean"], "-o", color=colour, markersize=4, linewidth=1.6)
    axis.fill_between(table["layer"], table["low"], table["high"], color=colour, alpha=0.18, linewidth=0)


def heads_figure(heads: pd.DataFrame, title: str) -> Figure:
    """Shares of matches, heads of the second by heads of the first: a row a pair of encoders, a column a layer."""
    pairs = [pair for pair in COLOURS if (heads["pair"] == pair).any()]
    deepest = int(heads["layer"].max())
    side = 2.0 if deepest > 4 else 2.6
    figure = Figure(figsize=(1.6 + side * deepest, 0.6 + (side + 0.5) * len(pairs)), layout="constrained")
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
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of proteins in which they are matched")  # pyright: ignore[reportArgumentType]
    figure.suptitle(title, fontsize=11)
    return figure


def _share_map(axis: Axes, table: pd.DataFrame):
    share = table.pivot_table(index="head_second", columns="head_first", values="share", dropna=False)
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
