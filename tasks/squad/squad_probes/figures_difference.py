"""What fine-tuning changed, against level, with the level from which on it matters."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tasks.analysis.panels import GREY, legend, of, panels, say_empty, short
from tasks.squad.squad_probes.figures_panels import MODEL_COLOURS, curve, level_axis, shown
from tasks.squad.squad_probes.reduce_differences import MARGIN, differences, published_pairs

PANELS = {"f1": "difference in F1 (points)", "has_f1": "difference in answerable F1 (points)"}


def difference_figure(table: pd.DataFrame, onset: pd.DataFrame) -> Figure | None:
    """Fine-tuned minus before against level, of the selected probes; a line a model and checkpoint.

    The levels are relative (l/L) where models of different depth share the panels.
    """
    rows = shown(of(table, configuration="selected")).dropna(subset="mean")
    rows = rows[rows["metric"].isin(PANELS)]
    if not len(rows):
        return None
    names = list(rows[["model", "checkpoint"]].drop_duplicates().itertuples(index=False, name=None))
    depths = {name: int(of(rows, model=name[0], checkpoint=name[1])["level"].max()) for name in names}
    relative = len(set(depths.values())) > 1
    onset = shown(of(onset, source="ours", configuration="selected"))
    published = differences(published_pairs())
    figure, axes = panels(1, len(PANELS), width=4.6, height=3.4)
    for axis, (metric, label) in zip(axes[0], PANELS.items(), strict=True):
        here = of(rows, metric=metric)
        if not len(here):
            say_empty(axis)
        for n, name in enumerate(names):
            scale = depths[name] if relative else 1
            line = of(here, model=name[0], checkpoint=name[1]).sort_values("level")
            colour = MODEL_COLOURS[n % len(MODEL_COLOURS)]
            curve(axis, line, line["level"] / scale, colour, marker="o", markersize=3.5)
            _mark(axis, of(onset, model=name[0], checkpoint=name[1], metric=metric), scale, colour, n)
            other = of(published, metric=metric)
            other = other[[short(m) == short(name[0]) for m in other["model"]]].sort_values("level")
            # A level is comparable only between models of the same depth.
            if len(other) and other["level"].max() == depths[name]:
                axis.plot(other["level"] / scale, other["mean"], ":", color=colour, linewidth=1.2)
        bottom, top = axis.get_ylim()
        axis.set_ylim(bottom, top + (0.06 + 0.05 * len(names)) * (top - bottom))  # room for the triangles
        axis.axhline(0.0, color="k", linewidth=0.8, zorder=1)
        axis.axhline(MARGIN, color=GREY, linewidth=1.0, linestyle="-.", zorder=1)
        axis.set_ylabel(label)
        level_axis(axis, "relative depth (layer / layers)" if relative else "layer (0: embedding output)")
        if relative:
            axis.set_xticks(np.linspace(0, 1, 5))
    handles = [
        Line2D([], [], color=MODEL_COLOURS[n % len(MODEL_COLOURS)], marker="o", ms=4, label=_label(*name, names))  # pyright: ignore[reportCallIssue]
        for n, name in enumerate(names)
    ]
    if any(len(of(published, model=m)) for m in published["model"] if short(m) in {short(name[0]) for name in names}):
        handles.append(Line2D([], [], color=GREY, linestyle=":", label="published"))
    handles.append(Line2D([], [], color=GREY, linestyle="-.", label=f"margin, {MARGIN:g} point"))
    handles.append(Line2D([], [], color=GREY, marker="v", linestyle="", label="from here on above the margin"))
    legend(figure, handles)
    return figure


def _mark(axis: Axes, onset: pd.DataFrame, scale: float, colour: str, n: int) -> None:
    """A triangle at the mean onset with its interval, at the top of the panel, a row a model."""
    for row in onset.itertuples():
        if row.reached:
            y = 0.965 - 0.045 * n
            transform = axis.get_xaxis_transform()
            axis.plot([row.mean / scale], [y], "v", color=colour, transform=transform, markersize=7, clip_on=False)
            if not np.isnan(row.low):
                axis.plot([row.low / scale, row.high / scale], [y, y], color=colour, transform=transform, linewidth=1.5)


def _label(model: str, checkpoint: str, names: list[tuple[str, str]]) -> str:
    """The model, with its checkpoint where there are several of it."""
    several = sum(short(name) == short(model) for name, _ in names) > 1
    return f"{short(model)} ({checkpoint or 'fine-tuned here'})" if several else short(model)
