"""Scores against level: the selected probes, both decoders of the same probes, ours beside the published."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tasks.analysis.panels import GREY, legend, of, panels, say_empty, short
from tasks.squad.squad_probes.figures_panels import (
    COLOURS,
    METRICS,
    curve,
    encoder_lines,
    level_axis,
    models_of,
    null_handle,
    null_line,
    percent_limits,
    shown,
)
from tasks.squad.squad_probes.reduce_published import nearest_to_published


def level_figure(selected: pd.DataFrame, always_null: float, metrics: Mapping[str, str] = METRICS) -> Figure | None:
    """The metrics against level, a row each (F1, that of answerable and of unanswerable questions); a column a model, a
    line an encoder."""
    rows = shown(selected).dropna(subset="mean")
    rows = rows[rows["metric"].isin(metrics)]
    if not len(rows):
        return None
    models, handles = models_of(rows), {}
    figure, axes = panels(len(metrics), len(models), sharey="row", sharex="col")
    for column, model in zip(axes.T, models, strict=True):
        column[0].set_title(short(model), fontsize=11)
        for axis, metric in zip(column, metrics, strict=True):
            _lines(axis, of(rows, model=model, metric=metric), handles)
            if metric == "f1":
                null_line(axis, always_null)
        level_axis(column[-1])
    _label_rows(axes, list(metrics.values()))
    if "f1" in metrics:
        handles["null"] = null_handle()
    legend(figure, handles)
    return figure


def decoder_figure(layers: pd.DataFrame, always_null: float) -> Figure | None:
    """F1 of the same probes decoded both ways: those nearest to the published configuration."""
    configuration = nearest_to_published(layers)
    rows = of(layers, configuration=configuration).dropna(subset="mean")
    metrics = {name: METRICS[name] for name in ("f1", "has_f1", "no_exact")}
    if rows["decoder"].nunique() < 2:
        return None
    styles = {"proper": "-", "legacy": "--"}
    modes = sorted(rows["mode"].astype(str).unique(), key=lambda mode: mode != "proper")
    rows = of(rows, mode=modes[0])
    models, handles = models_of(rows), {}
    figure, axes = panels(len(metrics), len(models), sharey="row", sharex="col")
    for column, model in zip(axes.T, models, strict=True):
        column[0].set_title(short(model), fontsize=11)
        for axis, metric in zip(column, metrics, strict=True):
            for decoder, style in styles.items():
                _lines(axis, of(rows, model=model, metric=metric, decoder=decoder), handles, style, band=False)
            if metric == "f1":
                null_line(axis, always_null)
        level_axis(column[-1])
    _label_rows(axes, list(metrics.values()))
    figure.suptitle(f"probes: {configuration}", fontsize=11)
    for decoder, style in styles.items():
        handles[decoder] = Line2D([], [], color=GREY, linestyle=style, label=f"{decoder} decoder")  # pyright: ignore[reportArgumentType]
    handles["null"] = null_handle()
    legend(figure, handles)
    return figure


def published_figure(layers: pd.DataFrame, beside: pd.DataFrame, always_null: float) -> Figure | None:
    """Ours and the published F1 of the same weights; the rows made most alike, as `published_beside` sorts them."""
    rows = beside[beside["metric"].isin(METRICS)].dropna(subset="mean")
    if not len(rows):
        return None
    first = rows.iloc[0]
    alike = {name: first[name] for name in ("mode", "decoder", "configuration")}
    rows, ours = of(rows, **alike), of(layers, **alike)
    models, handles = models_of(rows), {}
    figure, axes = panels(len(METRICS), len(models), sharey="row", sharex="col")
    for column, model in zip(axes.T, models, strict=True):
        column[0].set_title(short(model), fontsize=11)
        for axis, metric in zip(column, METRICS, strict=True):
            here = of(rows, model=model, metric=metric)
            known = set(here["encoder"])
            own = of(ours, model=model, metric=metric)
            _lines(axis, own[own["encoder"].isin(known)], handles)
            for encoder, line in here.groupby("encoder", sort=True):
                line = line.sort_values("level")
                axis.plot(line["level"], line["published"], "--", color=COLOURS[str(encoder)], lw=1.1, marker="x", ms=4)
            if metric == "f1":
                null_line(axis, always_null)
        level_axis(column[-1])
    _label_rows(axes, list(METRICS.values()))
    figure.suptitle(f"ours: {alike['configuration']}, {alike['decoder']} decoder, {alike['mode']} mode", fontsize=11)
    handles["published"] = Line2D([], [], color=GREY, linestyle="--", marker="x", ms=4, label="published")
    handles["null"] = null_handle()
    legend(figure, handles)
    return figure


def _lines(axis, rows: pd.DataFrame, handles: dict, style: str = "-", band: bool = True) -> None:
    """A line an encoder; remembers what the legend must show."""
    if not len(rows) and not axis.lines:
        say_empty(axis)
    for encoder, _, label, marker, line in encoder_lines(rows):
        line = line.sort_values("level")
        colour = COLOURS[encoder]
        curve(axis, line, line["level"], colour, style, band, marker=marker, markersize=3.5)
        handles.setdefault(label, Line2D([], [], color=colour, marker=marker, ms=4, lw=1.5, label=label))


def _label_rows(axes, labels: list[str]) -> None:
    for axis, text in zip(axes[:, 0], labels, strict=True):
        axis.set_ylabel(text)
        percent_limits(axis)
