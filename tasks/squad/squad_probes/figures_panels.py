"""What the figures of `squad_probes` share: colours and names of encoders, panels, bands, legends, scales of level."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from tasks.analysis.panels import of
from tasks.squad.squad_probes.reduce_notes import WORDS, shown_decoder

COLOURS = {"finetuned": "#c2451e", "pretrained": "#1f5fa8", "random": "#6f6f6f"}
MODEL_COLOURS = ("#1f5fa8", "#c2451e", "#2e8b57", "#8a4fa3", "#b8860b", "#16808a", "#444444")
MARKERS = ("o", "s", "^", "D", "v", "P")
METRICS = {"f1": "F1 (%)", "has_f1": "F1 of answerable (%)", "no_exact": "unanswerable, left so (%)"}
SEPARATE_METRICS = {
    "forced_has_f1": "F1 of answerable,\nan answer forced (%)",
    "null_average_precision": "finding the unanswerable,\naverage precision (%)",
}


def models_of(table: pd.DataFrame) -> list[str]:
    return sorted(table["model"].astype(str).unique())


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the decoder that figures tell of (proper, if it is there) and of one mode (proper, if it is there)."""
    rows = of(table, decoder=shown_decoder(table))
    modes = sorted(rows["mode"].astype(str).unique(), key=lambda mode: mode != "proper")
    return of(rows, mode=modes[0]) if modes else rows


def encoder_lines(rows: pd.DataFrame) -> list[tuple[str, str, str, str, pd.DataFrame]]:
    """(encoder, checkpoint, label, marker, rows) of each encoder in a panel; several checkpoints have own markers."""
    found = []
    for kind in COLOURS:
        own = rows[rows["encoder"] == kind]
        for n, checkpoint in enumerate(sorted(own["checkpoint"].astype(str).unique())):
            label = WORDS[kind] + (f" ({n + 1})" if n else "")
            found.append((kind, checkpoint, label, MARKERS[n % len(MARKERS)], of(own, checkpoint=checkpoint)))
    return found


def curve(
    axis: Axes, rows: pd.DataFrame, x: Any, colour: str, style: str = "-", band: bool = True, **more: Any
) -> None:
    """Mean against x and a translucent band where there is an interval; rows are in the order of x."""
    axis.plot(np.asarray(x, dtype=float), rows["mean"].to_numpy(dtype=float), style, color=colour, lw=1.5, **more)
    if not band:
        return
    low, high = (rows[name].to_numpy(dtype=float) for name in ("low", "high"))
    axis.fill_between(np.asarray(x, dtype=float), low, high, color=colour, alpha=0.16, linewidth=0)


def null_line(axis: Axes, value: float) -> None:
    """The score of never answering."""
    if not np.isnan(value):
        axis.axhline(value, color="k", linewidth=0.9, linestyle=(0, (5, 3)), zorder=1)


def null_handle() -> Line2D:
    return Line2D([], [], color="k", linewidth=0.9, linestyle=(0, (5, 3)), label="never answering")


def percent_limits(axis: Axes) -> None:
    """Scores lie between 0 and 100: the interval of two runs may go far beyond, which need not be seen."""
    low, high = axis.get_ylim()
    axis.set_ylim(max(low, -3.0), min(high, 103.0))


def level_axis(axis: Axes, label: str = "layer (0: embedding output)") -> None:
    axis.set_xlabel(label)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def level_bar(figure: Figure, mapping: ScalarMappable, axes: Any) -> None:
    """The colour bar of levels, with whole numbers."""
    ticks = MaxNLocator(integer=True, min_n_ticks=1)
    figure.colorbar(mapping, ax=list(axes.flat), label="layer (0: embedding output)", shrink=0.9, ticks=ticks)


def level_colours(levels: Sequence[int]) -> tuple[Any, ScalarMappable]:
    """A colour for each level, light to dark, and what a colour bar of them needs."""
    scale = Normalize(min(levels, default=0), max(max(levels, default=1), 1))
    mapping = ScalarMappable(scale, matplotlib.colormaps["viridis_r"])
    return mapping.to_rgba, mapping
