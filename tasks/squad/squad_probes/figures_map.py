"""The heat map as published: rows encoders, columns levels, cells rounded scores."""

import numpy as np
import pandas as pd
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from tasks.analysis.panels import of, short
from tasks.squad.squad_probes.figures_panels import COLOURS, shown
from tasks.squad.squad_probes.reduce_notes import WORDS
from tasks.squad.squad_probes.reduce_rows import LINE

SCORES = {"exact": "exact match (%)", "f1": "F1 (%)"}


def heat_map(selected: pd.DataFrame, always_null: float) -> Figure | None:
    """Exact match and F1 of each encoder and level, on one diverging scale centred at the score of never answering."""
    rows = shown(selected)
    rows = rows[rows["metric"].isin(SCORES)].dropna(subset="mean")
    if not len(rows):
        return None
    order = {kind: n for n, kind in enumerate(COLOURS)}
    names = sorted(
        rows[LINE].drop_duplicates().itertuples(index=False, name=None),
        key=lambda name: (name[0], order.get(name[2], 9), name[1]),
    )
    levels = range(int(rows["level"].max()) + 1)
    scale = _scale(rows["mean"].to_numpy(dtype=float), always_null)
    figure = Figure(figsize=(3.4 + 0.52 * len(levels), 1.4 + 2 * (0.6 + 0.34 * len(names))), layout="constrained")
    axes, image = figure.subplots(len(SCORES), 1, squeeze=False)[:, 0], None
    for axis, (metric, title) in zip(axes, SCORES.items(), strict=True):
        cells = np.full((len(names), len(levels)), np.nan)
        for n, name in enumerate(names):
            line = of(rows, metric=metric, **dict(zip(LINE, name, strict=True)))
            cells[n, line["level"].to_numpy(dtype=int)] = line["mean"].to_numpy(dtype=float)
        image = axis.imshow(cells, cmap="RdBu_r", norm=scale, aspect="auto")
        for (row, column), value in np.ndenumerate(cells):
            if not np.isnan(value):
                strong = abs(float(scale(value)) - 0.5) > 0.33
                axis.text(
                    *(column, row, f"{value:.0f}"), ha="center", va="center", fontsize=9, color="w" if strong else "k"
                )
        axis.set_title(title, fontsize=11)
        axis.set_xticks(range(len(levels)), [str(level) for level in levels])
        axis.set_yticks(range(len(names)), [_label(name, names) for name in names])
        axis.set_xlabel("layer (0: embedding output)")
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    if image is not None:
        bar = figure.colorbar(image, ax=list(axes), shrink=0.8, label="score (%)")
        if not np.isnan(always_null):
            bar.ax.axhline(always_null, color="k", linewidth=1)
    return figure


def _label(name: tuple, names: list[tuple]) -> str:
    """Model and encoder, with the checkpoint where there are several of it."""
    several = sum((other[0], other[2]) == (name[0], name[2]) for other in names) > 1
    return f"{short(name[0])}, {WORDS.get(name[2], name[2])}" + (f"\n{name[1] or 'here'}" if several else "")


def _scale(values: np.ndarray, centre: float) -> TwoSlopeNorm:
    """As far below the centre as above it, so that equal distances look equal; at least five points."""
    if np.isnan(centre):
        centre = float(np.median(values))
    reach = max(5.0, float(np.abs(values - centre).max()))
    return TwoSlopeNorm(centre, centre - reach, centre + reach)
