"""What figures of all experiments share: grids of panels, legends, choosing rows."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tasks.analysis.palette import GREY


def panels(
    rows: int, columns: int, width: float = 4.0, height: float = 2.7, **shared: Any
) -> tuple[Figure, np.ndarray]:
    """A figure with a grid [rows, columns] of axes, sized by its panels in inches."""
    figure = Figure(figsize=(1.0 + width * columns, 1.0 + height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **shared)


def outer_labels(axes: np.ndarray, x: str | Sequence[str], y: str | Sequence[str]) -> None:
    """Label the lowest axes with x and the leftmost with y; a text for each column or row, or one for all."""
    rows, columns = axes.shape
    for axis, text in zip(axes[-1], [x] * columns if isinstance(x, str) else x, strict=True):
        axis.set_xlabel(text)
    for axis, text in zip(axes[:, 0], [y] * rows if isinstance(y, str) else y, strict=True):
        axis.set_ylabel(text)


def legend(figure: Figure, handles: Sequence[Any] | Mapping[str, Any]) -> None:
    """One legend below all panels, with as many columns as its longest text leaves room for."""
    entries = list(handles.values()) if isinstance(handles, Mapping) else list(handles)
    if entries:
        longest = max(len(str(entry.get_label())) for entry in entries)
        columns = int(figure.get_figwidth() / (0.6 + 0.075 * longest))  # inches: a handle, and a character of 10 pt
        columns = max(1, min(len(entries), columns))
        figure.legend(handles=entries, loc="outside lower center", ncols=columns, frameon=False)


def line_handle(label: str, colour: str, **style: Any) -> Line2D:
    """A legend's entry for a line."""
    return Line2D([], [], color=colour, label=label, **{"linewidth": 1.6, **style})


def say_empty(axis: Axes, text: str = "no values") -> None:
    """In place of a curve."""
    axis.text(0.5, 0.5, text, ha="center", va="center", transform=axis.transAxes, color=GREY)


def short(model: str) -> str:
    """A model without its owner."""
    return model.rsplit("/", 1)[-1]


def file_name(model: str) -> str:
    """A model's name as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9_.]+", "_", model)[-80:]


def of(table: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """The rows in which these columns have these values."""
    keep = np.ones(len(table), dtype=bool)
    for name, value in values.items():
        keep &= (table[name] == value).to_numpy(dtype=bool)
    return table.loc[keep]


def curve(axis: Axes, table: pd.DataFrame, x: str, colour: str, y: str = "mean", **style: Any) -> None:
    """A line of `y` against `x`, with a translucent band from `low` to `high`, which is absent where these are NaN."""
    table = table.sort_values(x)
    at = table[x].to_numpy(dtype=float)
    axis.plot(at, table[y].to_numpy(dtype=float), color=colour, **style)
    ends = (table[name].to_numpy(dtype=float) for name in ("low", "high"))
    axis.fill_between(at, *ends, color=colour, alpha=0.15, linewidth=0)
