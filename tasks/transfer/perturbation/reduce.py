"""From the rows of `perturbation` to tables, figures and sentences, whatever part of the sweep is done."""

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import file_name, of, short
from tasks.transfer.diagnostics.lines import INTERVAL, LINE, beside, over_seeds, shift_label
from tasks.transfer.perturbation.captions import CAPTIONS
from tasks.transfer.perturbation.config import Config
from tasks.transfer.perturbation.figures import amplification_figure, distance_figure

QUARTILES = {"q1": 0.25, "median": 0.5, "q3": 0.75}
LEVEL = ["noise", "std"]


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences; an empty table stays away, and the notes say what is missing."""
    rows, floors, costs = (results.table(name) for name in ("distances", "floors", "costs"))
    rows = rows.assign(distance=rows["distance"].astype(float))
    bounds = costs.groupby("model")["hidden"].max().map(lambda hidden: float(np.sqrt(2 * hidden)))
    quartiles = levels(rows, bounds)
    pretraining = results.table("pretraining")
    tables = {
        "levels": quartiles,
        "beside": ratios(quartiles),
        "slopes": slopes(rows),
        "floors": floors_over_seeds(floors),
        "costs": costs_by_line(costs),
        "pretraining": pretraining[~pretraining["metric"].isin(["loss", "learning_rate"])],
    }
    figures = draw(rows, tables, bounds)
    told = notes(tables, rows, results, config)
    tables = {name: table for name, table in tables.items() if len(table)}
    captions = {name: text for name, text in CAPTIONS.items() if name in tables or name in figures}
    for name in figures:  # one figure a model: the caption is the kind's
        captions.setdefault(name, CAPTIONS[name.partition("-")[0]])
    return Summary(tables=tables, figures=figures, captions=captions, notes=told)


def draw(rows: pd.DataFrame, tables: dict[str, pd.DataFrame], bounds: pd.Series) -> dict[str, Figure]:
    """The box plots of each model, and how much all models amplify."""
    figures = {}
    for model in dict.fromkeys(rows["model"]):
        floor = of(tables["floors"], model=model)["mean"].median()
        figures[f"distance-{file_name(model)}"] = distance_figure(
            of(rows, model=model), bounds.get(model, np.nan), floor
        )
    gains = amplification(rows)
    if np.isfinite(gains["mean"].to_numpy(dtype=float)).any():
        figures["amplification"] = amplification_figure(gains)
    return figures


def levels(rows: pd.DataFrame, bounds: pd.Series) -> pd.DataFrame:
    """Quartiles of each seed's distances over sentences, `over_seeds`, and the bound of the model."""
    if not len(rows):
        return pd.DataFrame(columns=[*LINE, *LEVEL, "precision", "metric", *INTERVAL, "bound"])
    key = [*LINE, "seed", *LEVEL, "precision"]
    known = rows.assign(distance=finite(rows["distance"]))
    parts = [
        known.groupby(key)["distance"].quantile(share).rename("value").reset_index().assign(metric=name)
        for name, share in QUARTILES.items()
    ]
    table = over_seeds(pd.concat(parts, ignore_index=True), [*LEVEL, "precision", "metric"])
    bad = known["distance"].isna().groupby([known[name] for name in [*LINE, *LEVEL]]).sum().rename("bad").reset_index()
    table = table.merge(bad, on=[*LINE, *LEVEL], how="left")
    return table.assign(not_finite=table["bad"], bound=table["model"].map(bounds)).drop(columns="bad")


def finite(values: pd.Series) -> pd.Series:
    """The values, NaN for what is not finite."""
    return values.where(np.isfinite(values.to_numpy(dtype=float)))


def ratios(quartiles: pd.DataFrame) -> pd.DataFrame:
    """The medians of pretrained and random, and pretrained / random."""
    table = beside(of(quartiles, metric="median"), [*LEVEL, "precision"])
    return table.assign(ratio=table["mean_pretrained"] / table["mean_random"]).drop(columns="difference")


def logarithms(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with ln(distance) as `log`; NaN where the distance is 0 or not finite."""
    positive = finite(rows["distance"]).where(rows["distance"] > 0)
    return rows.assign(log=np.log(positive.to_numpy(dtype=float)))


def slopes(rows: pd.DataFrame) -> pd.DataFrame:
    """d ln distance / d ln std between neighbouring levels, mean over a seed's sentences, `over_seeds`."""
    known, found = logarithms(rows), []
    stds = sorted(rows["std"].unique())
    key = [*LINE, "seed", "noise", "batch", "sentence"]
    for low, high in pairwise(stds):
        both = of(known, std=low)[[*key, "log"]].merge(
            of(known, std=high)[[*key, "log"]], on=key, suffixes=("", "_high")
        )
        value = (both["log_high"] - both["log"]) / (np.log(high) - np.log(low))
        found.append(both[key].assign(std_low=low, std_high=high, value=value))
    columns = ["noise", "std_low", "std_high"]
    if not found:
        return over_seeds(pd.DataFrame(columns=[*key, *columns, "value"]), columns)
    return over_seeds(pd.concat(found, ignore_index=True), columns)


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


def costs_by_line(costs: pd.DataFrame) -> pd.DataFrame:
    """What the jobs of each line cost, added up."""
    return costs.groupby(LINE, as_index=False).agg(
        jobs=("job_id", "nunique"),
        sentences=("sentences", "sum"),
        clean_passes=("clean_passes", "sum"),
        noisy_passes=("noisy_passes", "sum"),
        layer_passes=("layer_passes", "sum"),
        noise_seconds=("noise_seconds", "sum"),
        encoder_seconds=("encoder_seconds", "sum"),
    )


def notes(tables: dict[str, pd.DataFrame], rows: pd.DataFrame, results: Results, config: Config) -> list[str]:
    """What came out, what is missing, and what is not finite."""
    told = []
    for (model, task, shift, kind), line in tables["beside"].groupby([*LINE[:-1], "noise"]):
        large, small = line.loc[line["std"].idxmax()], line.loc[line["std"].idxmin()]
        told.append(
            f"{short(model)}, {task}, {shift_label(shift)}, {kind} noise {large['std']:g}: median distance "
            f"{large['mean_pretrained']:.3g} pretrained, {large['mean_random']:.3g} random; noise {small['std']:g}: "
            f"pretrained / random = {small['ratio']:.3g}."
        )
    small = of(tables["slopes"], std_low=min(config.stds))
    if len(small) and not config.legacy_dropout:
        told.append(
            f"Between the two smallest levels d ln distance / d ln std is {small['mean'].min():.3f} to "
            f"{small['mean'].max():.3f}; 1 is proportional."
        )
    if config.legacy_dropout:
        told.append(
            "Dropout was on, as published: with and without noise the masks differ, so the distance is mostly "
            "dropout's and hardly depends on the noise."
        )
    planned = len(config.models) * len(config.tasks) * len(config.encoders) * len(config.seeds) * len(config.shifts)
    done = results.table("costs")["job_id"].nunique()
    if done < planned:
        told.append(f"{planned - done} of {planned} networks and tasks are missing.")
    bad = int((~np.isfinite(rows["distance"].to_numpy(dtype=float))).sum())
    told.append(f"{bad:,} of {len(rows):,} distances are not finite" + (", and left out." if bad else "."))
    cost = tables["costs"]
    if len(cost):
        seconds = cost["noise_seconds"].sum() + cost["encoder_seconds"].sum()
        told.append(f"{cost['layer_passes'].sum():,} layer passes in {seconds:,.0f} seconds of work.")
    return told
