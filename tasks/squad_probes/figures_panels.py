"""What the figures of `squad_probes` share: colours and names of encoders, panels, bands, legends, scales of level."""

# pandas annotates the keys of groupby and the rows of itertuples as anything hashable, so these rules say nothing here:
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportGeneralTypeIssues=false
# pyright: reportIndexIssue=false, reportReturnType=false

from collections.abc import Mapping, Sequence
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

from tasks.squad_probes.reduce_notes import WORDS, shown_decoder
from tasks.squad_probes.reduce_rows import of

COLOURS = {"finetuned": "#c2451e", "pretrained": "#1f5fa8", "random": "#6f6f6f"}
MODEL_COLOURS = ("#1f5fa8", "#c2451e", "#2e8b57", "#8a4fa3", "#b8860b", "#16808a", "#444444")
MARKERS = ("o", "s", "^", "D", "v", "P")
METRICS = {"f1": "F1 (%)", "has_f1": "F1 of answerable (%)", "no_exact": "unanswerable, left so (%)"}
SEPARATE_METRICS = {
    "forced_has_f1": "F1 of answerable,\nan answer forced (%)",
    "null_average_precision": "finding the unanswerable,\naverage precision (%)",
}
GREY = "#666666"


def panels(rows: int, columns: int, width: float = 3.6, height: float = 2.5, **shared: Any) -> tuple[Figure, Any]:
    """A figure with a grid [rows, columns] of axes, sized by its panels in inches."""
    figure = Figure(figsize=(0.9 + width * columns, 1.0 + height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **shared)
    for axis in axes.flat:
        axis.grid(True, linestyle="--", linewidth=0.5, alpha=0.6)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def short(model: str) -> str:
    """A model without its owner."""
    return model.rsplit("/", 1)[-1]


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


def say_empty(axis: Axes, text: str = "no values") -> None:
    axis.text(0.5, 0.5, text, ha="center", va="center", transform=axis.transAxes, color=GREY)


def level_bar(figure: Figure, mapping: ScalarMappable, axes: Any) -> None:
    """The colour bar of levels, with whole numbers."""
    ticks = MaxNLocator(integer=True, min_n_ticks=1)
    figure.colorbar(mapping, ax=list(axes.flat), label="layer (0: embedding output)", shrink=0.9, ticks=ticks)


def legend(figure: Figure, handles: Sequence[Line2D] | Mapping[str, Line2D]) -> None:
    """One legend below all panels, with as many columns as its longest text leaves room for."""
    entries = list(handles.values()) if isinstance(handles, Mapping) else list(handles)
    if entries:
        longest = max(len(str(entry.get_label())) for entry in entries)
        columns = int(figure.get_figwidth() / (0.6 + 0.075 * longest))  # inches: a handle, and a character of 10 pt
        columns = max(1, min(len(entries), columns))
        figure.legend(handles=entries, loc="outside lower center", ncols=columns, frameon=False)


def level_colours(levels: Sequence[int]) -> tuple[Any, ScalarMappable]:
    """A colour for each level, light to dark, and what a colour bar of them needs."""
    scale = Normalize(min(levels, default=0), max(max(levels, default=1), 1))
    mapping = ScalarMappable(scale, matplotlib.colormaps["viridis_r"])
    return mapping.to_rgba, mapping
