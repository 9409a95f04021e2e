"""From the rows of `perturbation` to tables, figures and sentences, whatever part of the sweep is done."""

from itertools import pairwise

import numpy as np
import pandas as pd

from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import of
from tasks.analysis.runs import costs_by_line
from tasks.analysis.summary import not_finite
from tasks.transfer.diagnostics.reporting import LINE, SEEDS, named, over_seeds, pretrained_vs_random, report
from tasks.transfer.perturbation import figures
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
}


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
    drawn = figures.draw(rows, amplification(rows), bounds.to_dict(), tables["floors"])
    return report(results, config, tables, drawn, CAPTIONS | figures.CAPTIONS, notes(tables, rows, config))


def levels(rows: pd.DataFrame, bounds: pd.Series) -> pd.DataFrame:
    """Quartiles of each seed's distances over sentences, `over_seeds`, and the bound of the model."""
    by = [*LINE, *LEVEL, "precision"]
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
