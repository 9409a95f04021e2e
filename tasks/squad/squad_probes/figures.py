"""The figures of `squad_probes`: scores against level, and what fine-tuning changed."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tasks.analysis.palette import CYCLE, ENCODERS, GREY
from tasks.analysis.panels import curve, file_name, legend, line_handle, of, panels, say_empty, short
from tasks.squad.scores import Metric, shown_in
from tasks.squad.squad_probes.differences import MARGIN, differences, published_pairs
from tasks.squad.squad_probes.figures_convergence import (
    LEVEL,
    convergence_figure,
    heat_map,
    level_axis,
    null_line,
    training_figure,
)
from tasks.squad.squad_probes.published import nearest_to_published
from tasks.squad.squad_probes.rows import RUNS, SELECTED, WORDS, shown

CAPTIONS = {
    "by_level": f"Scores in percent against level. {SELECTED} {RUNS} Dashed: never answering.",
    "separated": "What F1 mixes, apart: F1 of the answerable questions where an answer is always given, and how well "
    "the null odds tell which questions have none (their share is the chance level). " + SELECTED,
    "difference": "Fine-tuned minus before, in points, paired by seeds (selected configurations). Before: pretrained, "
    "or for models from scratch the random weights that the fine-tuning began at. Triangle: the level from which on "
    "the difference exceeds the margin, mean and interval over the runs that reach it; published tables (dotted) where "
    "the model is the same.",
    "heat_map": "Exact match and F1 in percent, rounded; white is the score of never answering. " + SELECTED,
    "decoders": "The same probes, decoded as published (dashed) and exhaustively with text cut from the context "
    "(solid). Means over runs.",
    "beside_published": "Ours (with band) and the published tables (dashed, one seed) for the same weights; the "
    "configuration and decoder nearest to the published ones. Another dev set than the 6,078 questions of CS224N gives "
    "other numbers.",
    "convergence": "F1 of all dev questions against learning rate (last epoch), epoch, and L2 strength: where a line "
    "still rises, the probe is not at its optimum, and layers are compared by how fast they learn. Colour: level. "
    "Dashed: never answering. Each row of panels has a scale of its own.",
    "training_curves": "Training loss of the probes (Adam), mean of both heads' cross entropies in nats, mean over "
    "seeds. Colour: level.",
}
MARKERS = ("o", "s", "^", "D", "v", "P")
"""One for each of several fine-tuned checkpoints of a model."""
Handles = dict[str, Any]


def draw(tables: Mapping[str, pd.DataFrame], curves: pd.DataFrame, always_null: float) -> dict[str, Figure]:
    """The figures that these tables have rows for, by name.

    Args:
        tables: as `reduce.summarise` makes them.
        curves: prepared rows of training curves.
        always_null: score of never answering, percent; NaN: not known.
    """
    selected = tables["selected"]
    found = {
        "by_level": level_figure(selected, always_null, shown_in("by_level")),
        "separated": level_figure(selected, always_null, shown_in("separated")),
        "difference": difference_figure(tables["differences"], tables["onset"]),
        "heat_map": heat_map(selected, always_null),
        "decoders": decoder_figure(tables["layers"], always_null),
        "beside_published": published_figure(tables["layers"], tables["published_beside"], always_null),
    }
    for model, own in tables["by_epoch"].groupby("model", sort=True):
        found[f"convergence-{file_name(str(model))}"] = convergence_figure(own, always_null)
    for model, own in curves.groupby("model", sort=True):
        found[f"training_curves-{file_name(str(model))}"] = training_figure(own)
    return {name: figure for name, figure in found.items() if figure is not None}


def level_figure(selected: pd.DataFrame, always_null: float, metrics: Mapping[str, Metric]) -> Figure | None:
    """The metrics against level, a row each; a column a model, a line an encoder."""
    rows = shown(selected[selected["metric"].isin(metrics)]).dropna(subset="mean")
    if not len(rows):
        return None
    handles: Handles = {}
    return _grid(rows, metrics, always_null, lambda axis, own: _lines(axis, own, handles), handles)


def decoder_figure(layers: pd.DataFrame, always_null: float) -> Figure | None:
    """F1 of the same probes decoded both ways: those nearest to the published configuration."""
    configuration = nearest_to_published(layers)
    rows = of(layers, configuration=configuration).dropna(subset="mean")
    if rows["decoder"].nunique() < 2:
        return None
    rows = of(rows, mode=min(rows["mode"].astype(str), key=lambda mode: mode != "proper"))
    styles = {"proper": "-", "legacy": "--"}
    handles: Handles = {}

    def both(axis: Axes, own: pd.DataFrame) -> None:
        for decoder, style in styles.items():
            _lines(axis, of(own, decoder=decoder).assign(low=np.nan, high=np.nan), handles, linestyle=style)

    after = {name: line_handle(f"{name} decoder", GREY, linestyle=style) for name, style in styles.items()}
    return _grid(rows, shown_in("by_level"), always_null, both, handles, f"probes: {configuration}", after)


def published_figure(layers: pd.DataFrame, beside: pd.DataFrame, always_null: float) -> Figure | None:
    """Ours and the published F1 of the same weights; the rows made most alike, as `published_beside` sorts them."""
    rows = beside[beside["metric"].isin(shown_in("by_level"))].dropna(subset="mean")
    if not len(rows):
        return None
    alike = {name: rows.iloc[0][name] for name in ("mode", "decoder", "configuration")}
    rows, ours = of(rows, **alike), of(layers, **alike)
    handles: Handles = {}

    def ours_and_theirs(axis: Axes, theirs: pd.DataFrame) -> None:
        own = of(ours, model=theirs["model"].iloc[0], metric=theirs["metric"].iloc[0])
        _lines(axis, own[own["encoder"].isin(theirs["encoder"])], handles)
        for encoder, line in theirs.groupby("encoder", sort=True):
            line = line.sort_values("level")
            axis.plot(line["level"], line["published"], "--x", color=ENCODERS[str(encoder)], linewidth=1.1)

    after = {"published": line_handle("published", GREY, linestyle="--", marker="x")}
    title = f"ours: {alike['configuration']}, {alike['decoder']} decoder, {alike['mode']} mode"
    return _grid(rows, shown_in("by_level"), always_null, ours_and_theirs, handles, title, after)


def _grid(
    rows: pd.DataFrame,
    metrics: Mapping[str, Metric],
    always_null: float,
    draw_panel: Callable[[Axes, pd.DataFrame], None],
    handles: Handles,
    title: str = "",
    after: Handles | None = None,
) -> Figure:
    """A row a metric, a column a model; `draw_panel` draws the rows of one and remembers what the legend must show."""
    models = sorted(rows["model"].astype(str).unique())
    figure, axes = panels(len(metrics), len(models), sharey="row", sharex="col")
    for column, model in zip(axes.T, models, strict=True):
        column[0].set_title(short(model))
        for axis, name in zip(column, metrics, strict=True):
            own = of(rows, model=model, metric=name)
            if len(own):
                draw_panel(axis, own)
            else:
                say_empty(axis)
            if name == "f1":
                handles |= {"null": null_line(axis, always_null)}
        level_axis(column[-1])
    for axis, metric in zip(axes[:, 0], metrics.values(), strict=True):
        axis.set_ylabel(f"{metric.label} ({metric.unit})")
        low, high = axis.get_ylim()  # the interval of two runs may go far beyond 0 to 100, which need not be seen
        axis.set_ylim(max(low, -3.0), min(high, 103.0))
    if title:
        figure.suptitle(title, fontsize=11)
    null = handles.pop("null", None)
    legend(figure, handles | (after or {}) | ({"null": null} if null is not None else {}))
    return figure


def _lines(axis: Axes, rows: pd.DataFrame, handles: Handles, **style: Any) -> None:
    """A line an encoder, of several checkpoints one each with a marker of its own."""
    for encoder, colour in ENCODERS.items():
        own = of(rows, encoder=encoder)
        for n, (_, line) in enumerate(own.groupby("checkpoint", sort=True)):
            label, marker = WORDS[encoder] + (f" ({n + 1})" if n else ""), MARKERS[n % len(MARKERS)]
            curve(axis, line, "level", colour, marker=marker, **style)
            handles.setdefault(label, line_handle(label, colour, marker=marker))


def difference_figure(table: pd.DataFrame, onset: pd.DataFrame) -> Figure | None:
    """Fine-tuned minus before against level, of the selected probes; a line a model and checkpoint.

    The levels are relative (l/L) where models of different depth share the panels.
    """
    metrics = shown_in("onset")
    rows = shown(of(table, configuration="selected")).dropna(subset="mean")
    rows = rows[rows["metric"].isin(metrics)]
    if not len(rows):
        return None
    lines = dict(iter(rows.groupby(["model", "checkpoint"], sort=True)))
    depths = {name: int(own["level"].max()) for name, own in lines.items()}
    relative = len(set(depths.values())) > 1
    onset = shown(of(onset, source="ours", configuration="selected"))
    theirs = differences(published_pairs())
    handles: Handles = {}
    figure, axes = panels(1, len(metrics), width=4.6, height=3.4)
    for axis, (metric, told) in zip(axes[0], metrics.items(), strict=True):
        for n, ((model, checkpoint), line) in enumerate(lines.items()):
            depth, colour = depths[model, checkpoint], CYCLE[n % len(CYCLE)]
            scale = depth if relative else 1
            curve(axis, _scaled(of(line, metric=metric), scale), "level", colour, marker="o")
            _mark(axis, of(onset, model=model, checkpoint=checkpoint, metric=metric), scale, colour, n)
            several = sum(short(name) == short(model) for name, _ in lines) > 1
            label = f"{short(model)} ({checkpoint or 'fine-tuned here'})" if several else short(model)
            handles[label] = line_handle(label, colour, marker="o")
            other = of(theirs, metric=metric)
            other = other[[short(m) == short(model) for m in other["model"]]]
            # A level is comparable only between models of the same depth.
            if len(other) and other["level"].max() == depth:
                curve(axis, _scaled(other, scale), "level", colour, linestyle=":")
                handles["published"] = line_handle("published", GREY, linestyle=":")
        bottom, top = axis.get_ylim()
        axis.set_ylim(bottom, top + (0.06 + 0.05 * len(lines)) * (top - bottom))  # room for the triangles
        axis.axhline(0.0, color=GREY, linewidth=0.8, zorder=1)
        axis.axhline(MARGIN, color=GREY, linewidth=1.0, linestyle="-.", zorder=1)
        axis.set_ylabel(f"difference in {told.label} (points)")
        level_axis(axis, "relative depth (layer / layers)" if relative else LEVEL)
        if relative:
            axis.set_xticks(np.linspace(0, 1, 5))
    handles["margin"] = line_handle(f"margin, {MARGIN:g} point", GREY, linestyle="-.")
    handles["onset"] = line_handle("from here on above the margin", GREY, linestyle="", marker="v")
    legend(figure, {"published": handles.pop("published")} | handles if "published" in handles else handles)
    return figure


def _scaled(line: pd.DataFrame, scale: float) -> pd.DataFrame:
    return line.assign(level=line["level"] / scale)


def _mark(axis: Axes, onset: pd.DataFrame, scale: float, colour: str, n: int) -> None:
    """A triangle at the mean onset with its interval, at the top of the panel, a row a model."""
    for row in onset[onset["reached"] > 0].itertuples():
        y, transform = 0.965 - 0.045 * n, axis.get_xaxis_transform()
        axis.plot([row.mean / scale], [y], "v", color=colour, transform=transform, markersize=7, clip_on=False)
        axis.plot([row.low / scale, row.high / scale], [y, y], color=colour, transform=transform, linewidth=1.5)
