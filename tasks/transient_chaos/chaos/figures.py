"""What the figures of `chaos` share: colours, panels, bands, legends. The figures are in `figures_*`."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from tasks.analysis.panels import GREY

COLOURS = {
    "pretrained": "#1f5fa8",
    "random, hf_default": "#d1701c",
    "random, keras": "#2e8b57",
    "random, glue_legacy": "#8a4fa3",
    "random, mlm_legacy": "#c2314a",
    "random, dump_legacy": "#7d6608",
}
MASKS = {"none": "no mask", "padding": "padding masked"}


def masks_of(table: pd.DataFrame) -> list[str]:
    """The mask modes in a table, `none` first."""
    return sorted(table["mask_mode"].astype(str).unique())


def lines_of(table: pd.DataFrame) -> list[str]:
    """The lines in a table, pretrained first."""
    return sorted(table["line"].astype(str).unique())


def colour(line: str) -> str:
    return COLOURS.get(line, GREY)


def line_handles(lines: Iterable[str]) -> list[Line2D]:
    """A legend's entry for each line's colour."""
    return [Line2D([], [], color=colour(line), linewidth=2, label=line) for line in lines]


def dash_handles(dashes: Mapping[str, str]) -> list[Line2D]:
    """A legend's entry for each kind of dash, by its label."""
    return [Line2D([], [], color=GREY, linestyle=dash, linewidth=1.3, label=label) for label, dash in dashes.items()]  # pyright: ignore[reportArgumentType]


def band(axis: Axes, x: Any, low: Any, high: Any, line: str, **more: Any) -> None:
    """A translucent band in the line's colour; it is absent where an end is NaN."""
    axis.fill_between(
        np.asarray(x, dtype=float),
        np.asarray(low, dtype=float),
        np.asarray(high, dtype=float),
        color=colour(line),
        alpha=0.16,
        linewidth=0,
        **more,
    )


def log_y(axes: np.ndarray) -> None:
    """A logarithmic y axis for a row of axes that share it, unless none has a value above 0 (matplotlib refuses)."""
    values = [np.asarray(line.get_ydata(), dtype=float) for axis in axes.flat for line in axis.lines]
    if any((own[np.isfinite(own)] > 0).any() for own in values):
        axes.flat[0].set_yscale("log")


def spread_of(curve: pd.DataFrame) -> pd.Series:
    """The standard deviation that a band shows: over networks where there are several, else over sentences."""
    return curve["sd_networks"].where(curve["over"] == "networks", curve["sd_sentences"])


def zero_line(axis: Axes) -> None:
    """Between growth and decay."""
    axis.axhline(0.0, color="k", linewidth=0.8, zorder=1)
