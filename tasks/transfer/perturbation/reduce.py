"""From the rows of `perturbation` to tables, figures and sentences, whatever part of the sweep is done."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from orchestrator.experiment import Results, Summary
from tasks.analysis.palette import ENCODERS, GREY
from tasks.analysis.panels import file_name, legend, line_handle, of, outer_labels
from tasks.analysis.runs import costs_by_line
from tasks.analysis.summary import not_finite
from tasks.transfer.diagnostics.reporting import (
    LINE,
    SEEDS,
    SIDES,
    box,
    box_handles,
    dash,
    encoder_handles,
    grid,
    named,
    over_seeds,
    places,
    pretrained_vs_random,
    report,
    shift_handles,
)
from tasks.transfer.perturbation.config import Config

QUARTILES = {"q1": 0.25, "median": 0.5, "q3": 0.75}
LEVEL = ["noise", "std"]
SUMS = ("sentences", "clean_passes", "noisy_passes", "layer_passes", "noise_seconds", "encoder_seconds")
CAPTIONS = {
    "levels": (
        f"Quartiles of the distance over sentences, in each seed. {SEEDS} bound: sqrt(2H). The precision is that of "
        "both passes."
    ),
    "pretrained_vs_random": f"Median distance of pretrained and random encoders, and pretrained / random. {SEEDS}",
    "slopes": (
        "d ln distance / d ln std between neighbouring levels, mean over sentences: 1 where the distance is "
        f"proportional to the noise, 0 where it no longer depends on it. {SEEDS} Sentences whose distance is 0 or NaN "
        "at one of the two levels are left out."
    ),
    "floors": f"Distance that rounding to float32 alone makes: median over sentences. {SEEDS}",
    "distance": (
        "Distance: L2 norm of the difference of the last layer's states at the first token, with and without noise on "
        "all weights. Boxes: quartiles over the sentences of all batches and seeds, as published; whiskers to the last "
        "value within 1.5 times the box, points beyond. Dotted: sqrt(2H), the distance of two unrelated states out of "
        "a LayerNorm of unit gain; a checkpoint's gains make that another number. Dashed: rounding to float32 alone "
        "(median); levels below are computed in float64. Values of 0 and NaN are left out."
    ),
    "amplification": (
        "Geometric mean over sentences of distance / standard deviation of the noise: flat where the network is linear "
        "in the noise, falling where the distance saturates. Mean over seeds, bars: 95 % interval (Student); lines are "
        "offset so that bars can be told apart."
    ),
}
OFFSETS = {"pretrained": -0.14, "random": 0.14}  # of the boxes from their level
BOX = 0.24
UNITS = {"absolute": "std of noise", "relative": "std of noise / rms of tensor"}


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep."""
    rows, floors, costs = (results.table(name) for name in ("distances", "floors", "costs"))
    rows = rows.assign(distance=rows["distance"].astype(float))
    bounds = (2 * costs.groupby("model")["hidden"].max().astype(float)) ** 0.5
    quartiles = levels(rows, bounds)
    tables = {
        "levels": quartiles,
        "pretrained_vs_random": ratios(quartiles),
        "slopes": slopes(rows),
        "floors": floors_over_seeds(floors),
        "costs": costs_by_line(costs, LINE, SUMS),
    }
    drawn = draw(rows, amplification(rows), bounds.to_dict(), tables["floors"])
    return report(results, config, tables, drawn, CAPTIONS, notes(tables, rows, config))


def levels(rows: pd.DataFrame, bounds: pd.Series) -> pd.DataFrame:
    """Quartiles of each seed's distances over sentences, `over_seeds`, and the bound of the model."""
    by = [*LINE, *LEVEL, "precision"]
    if not len(rows):
        return over_seeds(rows, [*LEVEL, "precision", "metric"])
    known = rows.assign(distance=finite(rows["distance"]), bad=~np.isfinite(rows["distance"]))
    quantiles = known.groupby([*by, "seed"])["distance"].quantile([*QUARTILES.values()])
    long = quantiles.rename_axis([*by, "seed", "share"]).rename("value").reset_index()
    long["metric"] = long["share"].map({share: name for name, share in QUARTILES.items()})
    table = over_seeds(long, [*LEVEL, "precision", "metric"])
    bad = known.groupby(by, as_index=False)["bad"].sum()  # of sentences, not of quartiles
    table = table.merge(bad, on=by, how="left")
    return table.assign(not_finite=table["bad"], bound=table["model"].map(bounds)).drop(columns="bad")


def finite(values: pd.Series) -> pd.Series:
    """The values, NaN for what is not finite."""
    return values.where(np.isfinite(values.to_numpy(dtype=float)))


def ratios(quartiles: pd.DataFrame) -> pd.DataFrame:
    """The medians of pretrained and random, and pretrained / random."""
    table = pretrained_vs_random(of(quartiles, metric="median"), [*LEVEL, "precision"])
    return table.assign(ratio=table["mean_pretrained"] / table["mean_random"]).drop(columns="difference")


def logarithms(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with ln(distance) as `log`; NaN where the distance is 0 or not finite."""
    positive = finite(rows["distance"]).where(rows["distance"] > 0)
    return rows.assign(log=np.log(positive.to_numpy(dtype=float)))


def slopes(rows: pd.DataFrame) -> pd.DataFrame:
    """d ln distance / d ln std between neighbouring levels, mean over a seed's sentences, `over_seeds`."""
    known = logarithms(rows)
    key, ends = [*LINE, "seed", "noise", "batch", "sentence"], ["std_low", "std_high"]
    found = [known[key].head(0).assign(**dict.fromkeys([*ends, "value"]))]
    for low, high in pairwise(sorted(rows["std"].unique())):
        sides = (of(known, std=std)[[*key, "log"]] for std in (low, high))
        both = next(sides).merge(next(sides), on=key, suffixes=("", "_high"))
        value = (both["log_high"] - both["log"]) / (np.log(high) - np.log(low))
        found.append(both[key].assign(std_low=low, std_high=high, value=value))
    together = [table for table in found if len(table)] or found[:1]
    return over_seeds(pd.concat(together, ignore_index=True), ["noise", *ends])


def amplification(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean over sentences of ln(distance / std), `over_seeds`; mean, low and high as numbers, not logarithms."""
    known = logarithms(rows)
    table = over_seeds(known.assign(value=known["log"] - np.log(known["std"].astype(float))), LEVEL)
    ends = {name: np.exp(table[name].astype(float)) for name in ("mean", "low", "high")}
    return table.assign(**ends).drop(columns="sd")


def floors_over_seeds(floors: pd.DataFrame) -> pd.DataFrame:
    """Medians over sentences of each seed, `over_seeds`."""
    medians = floors.groupby([*LINE, "seed"], as_index=False)["distance"].median()
    return over_seeds(medians, [], value="distance")


def notes(tables: dict[str, pd.DataFrame], rows: pd.DataFrame, config: Config) -> list[str]:
    """Distances at the largest level and ratios at the smallest, the slope there, and what is not finite."""
    told = []
    for (*line, kind), stds in tables["pretrained_vs_random"].groupby([*LINE[:-1], "noise"]):
        large, small = stds.loc[stds["std"].idxmax()], stds.loc[stds["std"].idxmin()]
        told.append(
            f"{named(*line)}, {kind} noise {large['std']:g}: median distance {large['mean_pretrained']:.3g} "
            f"pretrained, {large['mean_random']:.3g} random; noise {small['std']:g}: pretrained / random = "
            f"{small['ratio']:.3g}."
        )
    small = of(tables["slopes"], std_low=min(config.stds))
    if len(small):
        told.append(
            f"Between the two smallest levels d ln distance / d ln std is {small['mean'].min():.3f} to "
            f"{small['mean'].max():.3f}; 1 is proportional, 0 where dropout or rounding is all that moves the state."
        )
    return [*told, not_finite(rows["distance"], "distances")]


def draw(
    rows: pd.DataFrame, gains: pd.DataFrame, bounds: Mapping[str, float], floors: pd.DataFrame
) -> dict[str, Figure]:
    """The box plots of each model, and how much all models amplify.

    Args:
        rows: of the table distances.
        gains: as `reduce.amplification` makes them.
        bounds: sqrt(2H) of each model.
        floors: as the summary table of that name.
    """
    figures = {}
    for model in dict.fromkeys(rows["model"]):
        heights = bounds.get(model, np.nan), of(floors, model=model)["mean"].median()
        figures[f"distance-{file_name(model)}"] = distance_figure(of(rows, model=model), *heights)
    if np.isfinite(gains["mean"].to_numpy(dtype=float)).any():
        figures["amplification"] = amplification_figure(gains)
    return figures


def distance_figure(rows: pd.DataFrame, bound: float, floor: float) -> Figure:
    """Box plots of one model: a row a kind of noise and shift, a column a task.

    Args:
        bound: sqrt(2H), drawn dotted; NaN: not known.
        floor: what rounding to float32 moves, drawn dashed; NaN: not known.
    """
    rows = rows.assign(distance=rows["distance"].where(rows["distance"] > 0))
    stds = sorted(rows["std"].unique(), reverse=True)
    lines, columns = places(rows, "noise", "shift"), places(rows, "model", "task")
    shape = {"width": 1.2 + 0.55 * len(stds), "sharex": True, "sharey": True}
    figure, axes, cells = grid(rows, lines, columns, "distance", ("model", "task", "shift"), **shape)
    references: dict[str, tuple[float, Any]] = {"rounding to float32": (floor, "--"), "√(2H)": (bound, ":")}
    references = {name: line for name, line in references.items() if np.isfinite(line[0])}
    for axis, here in cells:
        axis.set_yscale("log")
        for encoder in SIDES:
            for at, std in enumerate(stds):
                values = of(here, encoder=encoder, std=std)["distance"].to_numpy(dtype=float)
                box(axis, values[np.isfinite(values)], at + OFFSETS[encoder], encoder, widths=BOX)
        for height, style in references.values():
            axis.axhline(height, color=GREY, linestyle=style, linewidth=1.1)
        axis.set_xticks(range(len(stds)), [f"{std:g}" for std in stds])
        axis.set_xlim(-0.5, len(stds) - 0.5)
    kinds = [line["noise"] for line in lines]
    unit = " or ".join(UNITS[kind] for kind in dict.fromkeys(kinds))
    outer_labels(axes, unit, [f"L2 difference\n({kind} noise)" for kind in kinds])
    greys = [line_handle(name, GREY, linestyle=style) for name, (_, style) in references.items()]
    legend(figure, [*box_handles(), *greys])
    return figure


def amplification_figure(gains: pd.DataFrame) -> Figure:
    """A row a model and kind of noise, a column a task; a line an encoder and shift."""
    shifts = sorted(set(gains["shift"]))
    rows, columns = places(gains, "model", "noise"), places(gains, "task")
    title = ("model", "task", "noise")
    figure, axes, cells = grid(gains, rows, columns, "mean", title, width=3.2, sharex=True, sharey="row")
    for axis, here in cells:
        axis.set_xscale("log")
        axis.set_yscale("log")
        for number, ((encoder, shift), line) in enumerate(here.groupby(["encoder", "shift"], sort=True)):
            line = line.sort_values("std")
            axis.errorbar(
                line["std"] * 1.25**number,  # beside each other, so that the intervals can be told apart
                line["mean"],
                yerr=[line["mean"] - line["low"], line["high"] - line["mean"]],
                color=ENCODERS[encoder],
                linestyle=dash(shifts, shift),
                marker="o",
                capsize=2,
                elinewidth=0.8,
            )
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.yaxis.set_minor_formatter(NullFormatter())
    outer_labels(axes, "std of noise", "L2 difference / std")
    legend(figure, [*encoder_handles(), *shift_handles(shifts)])
    return figure
