"""Attention maps as small multiples."""

import numpy as np
import pandas as pd
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tasks.analysis.panels import of
from tasks.transient_chaos.chaos.figures import MASKS, lines_of, masks_of
from tasks.transient_chaos.chaos.figures_sample import first_shown


def attention_figure(rows: pd.DataFrame) -> Figure:
    """Maps of one head, layers in columns, lines and mask modes in rows, one colour scale (square root) for all.

    `rows` are those of `attention` with their lines. Of each line the first network and its first sentence are drawn.
    """
    head = rows["head"].min()
    rows = of(rows, head=head)
    layers = sorted(int(layer) for layer in rows["layer"].unique())
    grid = [(mask, line) for mask in masks_of(rows) for line in lines_of(rows)]
    grid = [(mask, line) for mask, line in grid if len(of(rows, mask_mode=mask, line=line))]
    figure = Figure(figsize=(2.0 + 1.5 * len(layers), 0.7 + 1.55 * len(grid)), layout="constrained")
    axes = figure.subplots(len(grid), len(layers), squeeze=False, sharex="row", sharey="row")
    highest = rows["probability"].max()
    norm = PowerNorm(0.5, vmin=0, vmax=highest if np.isfinite(highest) and highest > 0 else 1)
    image = None
    for i, (mask, line) in enumerate(grid):
        own, name = first_shown(of(rows, mask_mode=mask, line=line))
        for j, layer in enumerate(layers):
            axis = axes[i, j]
            matrix = of(own, layer=layer).pivot_table(index="query", columns="key", values="probability")
            if matrix.size:
                image = axis.imshow(matrix.to_numpy(dtype=float), cmap="magma", norm=norm, interpolation="nearest")
            else:
                axis.text(0.5, 0.5, "none", ha="center", va="center", transform=axis.transAxes)
            axis.xaxis.set_major_locator(MaxNLocator(3, integer=True))
            axis.yaxis.set_major_locator(MaxNLocator(3, integer=True))
            axis.tick_params(labelsize=7)
            if i == 0:
                axis.set_title(f"layer {layer}", fontsize=10)
            if i == len(grid) - 1:
                axis.set_xlabel("key (position)", fontsize=8)
        label = f"{line}{name}".replace(", ", ",\n").replace(" (", "\n(")
        axes[i, 0].set_ylabel(f"{label}\n{MASKS.get(mask, mask)}\nquery (position)", fontsize=8)
    if image is not None:
        figure.colorbar(image, ax=axes, shrink=0.7, label=f"attention probability, head {int(head)}")
    return figure
