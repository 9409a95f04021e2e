"""The figures of `attention_matching`, drawn from its summary tables."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from tasks.analysis.palette import GREY, RANDOM
from tasks.analysis.panels import curve, file_name, legend, line_handle, of, panels, say_empty, short
from tasks.transfer.comparison.reporting import COLOURS, NAMES, pair_name

COST = (
    "A cost is the mean over query tokens of the L1 distance between two heads' attention, from 0 (equal) to 2 "
    "(nowhere alike); padding is left out (with --legacy-padding it is a sum that is mostly padding). "
)
CAPTIONS = {
    "matched_cost": f"{COST}Solid: mean over proteins of the cost of matched heads, each protein with the one-to-one "
    "matching that is best for it; band: ±1 standard deviation over proteins, mean over seeds. Dashed: the expected "
    "cost of shuffled heads; band: ±1 standard deviation of a shuffle of one protein's heads. Dotted: matched by the "
    "other half of the proteins. The solid line lies below the dashed one for any two encoders, being the best of all "
    "matchings; the dotted one does so only where heads correspond on proteins that did not choose the matching. "
    "Right: how much less than shuffled heads that costs; band: Student's 95 % interval over seeds, where there are "
    "several.",
    "matched_heads": "Share of the proteins in whose best matching two heads are a pair, all tokens; the lowest seeds. "
    "Rows are heads of the second encoder; columns, of the first, stand in the order of the one matching that is best "
    "for all proteins (its pairs are framed). A head that is matched with the same partner on every protein has a "
    "share of 1 there; chance level is one over the number of heads.",
}
TOKENS = {"all": "all tokens", "residues": "residues alone"}
FRAME = RANDOM  # against blues
LINES: dict[str, dict[str, Any]] = {
    "best for each protein": {"marker": "o"},
    "matched by the other half": {"linestyle": ":"},
    "shuffled heads": {"linestyle": "--"},
}


def draw(by_layer: pd.DataFrame, heads: pd.DataFrame, unit: str) -> dict[str, Figure]:
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
            table = of(by_layer, pair=pair, tokens=kind)
            axis.sharey(row[0])
            axis.set_title(pair_name(pair))
            _cost_lines(axis, table, COLOURS[pair])
            curve(row[-1], of(table, metric="saved_crossfit"), "layer", COLOURS[pair], marker="o")
        row[-1].axhline(0, color=GREY, linewidth=1.0)
        row[-1].yaxis.set_major_formatter(PercentFormatter(1.0))
        row[-1].set_title("saved by the other half")
        row[-1].set_ylabel("share of the shuffled cost")
        row[0].set_ylabel(f"L1 cost {unit},\n{TOKENS[kind]}")
        row[0].set_ylim(bottom=0)
        row[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    for axis in axes[-1]:
        axis.set_xlabel("layer")
    figure.suptitle(title)
    handles = [line_handle(pair_name(pair), COLOURS[pair]) for pair in pairs]
    legend(figure, handles + [line_handle(label, GREY, **style) for label, style in LINES.items()])
    return figure


def _cost_lines(axis: Axes, table: pd.DataFrame, colour: str) -> None:
    wide = table.pivot_table(index="layer", columns="metric", values="mean", dropna=False)
    if not np.isfinite(wide["unmatched_mean"]).any():
        say_empty(axis, "no finite values")
        return
    x = wide.index.to_numpy(dtype=float)
    colours = {"matched_mean": colour, "crossfit": colour, "unmatched_mean": GREY}
    for (metric, shade), style in zip(colours.items(), LINES.values(), strict=True):
        axis.plot(x, wide[metric], color=shade, **style)
    for centre, sd in (("unmatched_mean", "shuffled_sd"), ("matched_mean", "matched_sd")):
        low, high = wide[centre] - wide[sd], wide[centre] + wide[sd]
        axis.fill_between(x, low, high, color=colours[centre], alpha=0.2, linewidth=0)


def heads_figure(heads: pd.DataFrame, title: str) -> Figure:
    """Shares of matches, heads of the second by heads of the first: a row a pair of encoders, a column a layer."""
    pairs = [pair for pair in COLOURS if (heads["pair"] == pair).any()]
    deepest = int(heads["layer"].max())
    side = 2.0 if deepest > 4 else 2.6
    figure, axes = panels(len(pairs), deepest, width=side, height=side + 0.2)
    image: Any = None
    for row, pair in zip(axes, pairs, strict=True):
        first, second = (NAMES[name] for name in pair.split("-"))
        for layer, axis in enumerate(row, start=1):
            table = of(heads, pair=pair, layer=layer)
            if not len(table):  # this pair has fewer layers than another
                axis.set_axis_off()
                continue
            image = _share_map(axis, table)
            axis.set_title(f"layer {layer}")
            axis.set_xlabel(f"head, {first}")
        row[0].set_ylabel(f"head, {second}")
    figure.colorbar(image, ax=list(axes.flat), shrink=0.8, label="share of proteins in which they are matched")
    figure.suptitle(title)
    return figure


def _share_map(axis: Axes, table: pd.DataFrame) -> Any:
    share = table.pivot_table(index="head_second", columns="head_first", values="share", dropna=False)
    chosen = table[table["in_matching"].astype(bool)].sort_values("head_second")
    order = chosen["head_first"].astype(int).tolist()
    order += [head for head in share.columns if head not in order]
    values = share[order].to_numpy(dtype=float)
    axis.grid(False)
    image = axis.imshow(values, vmin=0, vmax=1, cmap="Blues", aspect="equal")
    for place, head in enumerate(chosen["head_second"].astype(int)):
        corner = (place - 0.5, list(share.index).index(head) - 0.5)
        axis.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=FRAME, linewidth=1.0))
    if values.size <= 36:
        for (i, j), value in np.ndenumerate(values):
            axis.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=7, color="w" if value > 0.6 else "k")
    axis.set_xticks(range(len(order)), [str(head) for head in order], fontsize=7)
    axis.set_yticks(range(len(share)), [str(head) for head in share.index], fontsize=7)
    return image
