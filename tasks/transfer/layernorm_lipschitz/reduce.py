"""From the rows of `layernorm_lipschitz` to tables, figures and sentences, whatever part of the sweep is done."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from orchestrator.experiment import Results, Summary
from tasks.analysis.palette import ENCODERS, GREY
from tasks.analysis.panels import legend, line_handle, of, outer_labels
from tasks.analysis.runs import costs_by_line
from tasks.transfer.diagnostics.reporting import (
    LINE,
    REFERENCE,
    SEEDS,
    SIDES,
    encoder_handles,
    grid,
    named,
    over_seeds,
    places,
    pretrained_vs_random,
    report,
)
from tasks.transfer.layernorm_lipschitz.config import Config
from tasks.transfer.layernorm_lipschitz.stages import COSTS

KEYS = ["site", "name", "layer", "place", "kind", "positions", "metric"]
OFFSETS = {"pretrained": -0.06, "random": 0.06}  # of the markers from their layer, so that bars do not hide each other
_SIGMA = "sigma is the spread over features of a LayerNorm's input, sqrt(biased variance + its eps)."
_BARS = "bars: 95 % interval (Student) over seeds."
_BAND = f"band: mean of the standard deviation over positions; {_BARS}"
CAPTIONS = {
    "sites": (
        f"1/sigma and gain of each LayerNorm over positions. {_SIGMA} unbiased: 1 over the unbiased standard "
        f"deviation, as published. {SEEDS} Positions whose 1/sigma is not finite are left out."
    ),
    "inverse_sigma": (
        f"1/sigma against the layer. {_SIGMA} Mean over positions and seeds, {_BAND} Padding is left out. Below the "
        "dashed line (1) a LayerNorm shrinks its input."
    ),
    "inverse_sigma_published": (
        "As published: 1 over the unbiased standard deviation over features, mean over all positions, padding "
        f"included; {_BAND}"
    ),
    "gain": (
        "Gain of a LayerNorm for the centred features: mean over features of |gamma|/sigma, and the largest, "
        f"max|gamma|/sigma, which bounds the norm of its derivative. {_SIGMA} Mean over positions and seeds; {_BARS} "
        "Random encoders have gamma = 1, so both are 1/sigma."
    ),
}


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep."""
    sites, costs = over_seeds(results.table("sites"), KEYS), results.table("costs")
    sums = [name for name in COSTS.schema.names if name != "n_sites"]
    tables = {
        "pretrained_vs_random": pretrained_vs_random(sites, KEYS),
        "sites": sites,
        "costs": costs_by_line(costs, LINE, sums, largest=["n_sites"]),
    }
    return report(results, config, tables, draw(sites, config), CAPTIONS, notes(tables["pretrained_vs_random"], costs))


def notes(both: pd.DataFrame, costs: pd.DataFrame) -> list[str]:
    """The ranges of what came out over layers, and how many positions are padding or not finite."""
    told = []
    inner = both[(both["layer"] > 0) & (both["positions"] == "valid")]
    for line, rows in inner.groupby(LINE[:-1], sort=False):
        sigma, gain = (of(rows, metric=metric) for metric in ("mean_inverse_sigma", "mean_gain"))
        told.append(
            f"{named(*line)}: mean 1/sigma of the layers' LayerNorms {_range(sigma['mean_pretrained'])} "
            f"pretrained (gain {_range(gain['mean_pretrained'])}), {_range(sigma['mean_random'])} random."
        )
    if len(costs):
        share = 1 - costs["n_tokens"].sum() / costs["n_positions"].sum()
        told.append(f"{share:.0%} of all positions are padding, which only the rows of positions all count.")
    bad = int(costs["n_not_finite"].sum())
    return [*told, f"{bad:,} values of 1/sigma are not finite" + (", and left out." if bad else ".")]


def _range(values: pd.Series) -> str:
    return f"{values.min():.3f} to {values.max():.3f}"


def draw(sites: pd.DataFrame, config: Config) -> dict[str, Figure]:
    """For each shift 1/sigma and the gains of the layers; where padding counts, 1/sigma as published too."""
    figures = {}
    for shift in sorted(sites["shift"].unique()):
        here = of(sites[sites["layer"] > 0], shift=shift)
        valid, everywhere = of(here, positions="valid"), of(here, positions="all")
        figures[f"inverse_sigma-shift_{shift}"] = spread_figure(valid, "inverse_sigma")
        if config.legacy_padding:
            figures[f"inverse_sigma_published-shift_{shift}"] = spread_figure(everywhere, "unbiased")
        figures[f"gain-shift_{shift}"] = gain_figure(valid)
    return figures


def spread_figure(sites: pd.DataFrame, metric: str) -> Figure:
    """One shift: a row a kind of LayerNorm, a column a model and task; line the mean, band the sd over positions."""
    keys = ["model", "task", "encoder", "site", "kind", "layer"]
    spread = of(sites, metric=f"sd_{metric}")[[*keys, "mean"]].rename(columns={"mean": "spread"})
    figure, axes, cells, kinds = _panels(of(sites, metric=f"mean_{metric}").merge(spread, on=keys))
    for axis, here in cells:
        for encoder in SIDES:
            line = of(here, encoder=encoder).sort_values("site")
            _line(axis, line, encoder, "-")
            ends = line["mean"] - line["spread"], line["mean"] + line["spread"]
            axis.fill_between(line["layer"] + OFFSETS[encoder], *ends, color=ENCODERS[encoder], alpha=0.15, lw=0)
    outer_labels(axes, "layer", [f"1/σ\n({kind})" for kind in kinds])
    _finish(figure, axes, [Patch(facecolor=GREY, alpha=0.25, label="± sd over positions")])
    return figure


def gain_figure(sites: pd.DataFrame) -> Figure:
    """One shift: the same panels; solid the mean gain, dotted the largest over features."""
    styles = {"mean_gain": "-", "mean_bound": ":"}
    figure, axes, cells, kinds = _panels(sites[sites["metric"].isin([*styles])])
    for axis, here in cells:
        for encoder in SIDES:
            for metric, style in styles.items():
                _line(axis, of(here, encoder=encoder, metric=metric).sort_values("site"), encoder, style)
    outer_labels(axes, "layer", [f"gain\n({kind})" for kind in kinds])
    _finish(figure, axes, [line_handle("mean |γ|/σ", GREY), line_handle("max |γ|/σ", GREY, linestyle=":")])
    return figure


def _panels(table: pd.DataFrame) -> tuple[Figure, np.ndarray, list[tuple[Axes, pd.DataFrame]], list[str]]:
    kinds = [str(kind) for kind in dict.fromkeys(table.sort_values("site")["kind"])]
    rows, columns = [{"kind": kind} for kind in kinds], places(table, "model", "task")
    shape = {"width": 3.3, "height": 2.3, "sharex": "col", "sharey": "row"}
    figure, axes, cells = grid(table, rows, columns, "mean", **shape)
    for axis, _ in cells:
        axis.axhline(1, **REFERENCE)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure, axes, cells, kinds


def _finish(figure: Figure, axes: np.ndarray, handles: list[Any]) -> None:
    """Legend, and axes from 0 once everything is drawn: before, the upper end would stay where it was."""
    for axis in axes[:, 0]:
        axis.set_ylim(bottom=0)
    legend(figure, [*encoder_handles(marker="o", markersize=3.5), *handles, line_handle("1", GREY, linestyle="--")])


def _line(axis: Axes, line: pd.DataFrame, encoder: str, style: str) -> None:
    half = np.nan_to_num((line["high"] - line["mean"]).to_numpy(dtype=float))  # of one seed there is no interval
    at = line["layer"] + OFFSETS[encoder]
    axis.errorbar(at, line["mean"], yerr=half, color=ENCODERS[encoder], linestyle=style, marker="o", capsize=2.5)
