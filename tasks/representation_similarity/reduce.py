"""From values of level pairs to maps and tables: means over seeds, and what is above the nulls."""

# pandas annotates the keys of groupby and the rows of itertuples as anything hashable, so these rules say nothing here:
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportGeneralTypeIssues=false
# pyright: reportIndexIssue=false, reportReturnType=false

from collections.abc import Sequence

import numpy as np
import pandas as pd

from metrics.intervals import student_half
from orchestrator.experiment import Results, Summary
from tasks.representation_similarity.captions import CAPTIONS
from tasks.representation_similarity.config import Config
from tasks.representation_similarity.figures import draw
from tasks.representation_similarity.notes import notes_of

LINE = ["model", "protein_task", "pair"]
"""The columns that tell one line from another."""
SEEDS = ["encoder_seed", "plus_seed"]
"""What is drawn: of a pair with a random twin its weights, of a small or random PLUS its own."""
INTERVAL = ["mean", "low", "high", "sd", "seeds", "not_finite"]
BESIDE = ["null_mean", "null_max", "shuffled"]


def named(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with the pair as one column, `first-second`, and seeds that are there where they play no part (-1)."""
    seeds = {name: pd.to_numeric(table[name]).fillna(-1).astype(int) for name in SEEDS}
    return table.assign(pair=table["first"].astype(str) + "-" + table["second"].astype(str), **seeds)


def over_seeds(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Mean of `value` for each line and `keys` over seeds, with Student's 95 % interval [low, high] (NaN for one).

    Beside it the means of the nulls (of `null_max` the largest), the same rows and ranks, and what is above the nulls:
    `above_null` and `above_shuffled`. Values that are not finite are left out and counted in `not_finite`.
    """
    by = [*LINE, *keys]
    columns = [*by, *INTERVAL, *BESIDE, "above_null", "above_shuffled", "n_rows", "dim_first", "dim_second"]
    if not len(rows):
        return pd.DataFrame(columns=columns)
    values = pd.to_numeric(rows["value"]).to_numpy(dtype=float)
    known = rows.assign(value=np.where(np.isfinite(values), values, np.nan), bad=~np.isfinite(values))
    table = (
        known.groupby(by, dropna=False, observed=True)
        .agg(
            mean=("value", "mean"),
            sd=("value", "std"),
            seeds=("value", "count"),
            not_finite=("bad", "sum"),
            null_mean=("null_mean", "mean"),
            null_max=("null_max", "max"),
            shuffled=("shuffled", "mean"),
            n_rows=("n_rows", "min"),
            dim_first=("dim_first", "max"),
            dim_second=("dim_second", "max"),
        )
        .reset_index()
    )
    half = student_half(table["sd"], table["seeds"])
    above = {"above_null": table["mean"] - table["null_mean"], "above_shuffled": table["mean"] - table["shuffled"]}
    return table.assign(low=table["mean"] - half, high=table["mean"] + half, **above)[columns]


def last_levels(levels: pd.DataFrame) -> pd.DataFrame:
    """The rows of the deepest levels that were compared of each line: those of the published figure."""
    if not len(levels):
        return levels
    deepest = levels.groupby(LINE, observed=True)[["level_first", "level_second"]].transform("max")
    return levels[(levels[["level_first", "level_second"]] == deepest).all(axis=1)].reset_index(drop=True)


def closest(levels: pd.DataFrame) -> pd.DataFrame:
    """Of each line and metric the pair of levels that is farthest above the higher of its two nulls."""
    nulls = levels[["null_mean", "shuffled"]].max(axis=1)
    above = levels.assign(above=levels["mean"] - nulls).dropna(subset=["above"])
    if not len(above):
        return above
    best = above.loc[above.groupby([*LINE, "metric"], observed=True)["above"].idxmax()]
    return best[[*LINE, "metric", "level_first", "level_second", "mean", "null_mean", "shuffled", "above"]]


def closer(last: pd.DataFrame) -> pd.DataFrame:
    """The question of the paper: last levels of PLUS with the pretrained encoder's, and with its random twin's.

    A row a model, protein task and metric that has both; `difference` is pretrained - random. `clear`: the pretrained
    encoder's value is outside Student's 95 % prediction interval for one more random twin, t s sqrt(1 + 1 / n): it is
    one encoder, and twins differ by their weights.
    """
    by = ["model", "protein_task", "metric"]
    sides = [
        last.loc[last["pair"] == f"{name}-plus", [*by, "mean", "low", "high", "shuffled", "seeds"]]
        for name in ("pretrained", "random")
    ]
    both = sides[0].merge(sides[1], on=by, suffixes=("_pretrained", "_random"))
    difference = both["mean_pretrained"] - both["mean_random"]
    half = (both["high_random"] - both["mean_random"]) * np.sqrt(both["seeds_random"] + 1)
    return both.assign(difference=difference, clear=difference.abs() > half)


def costs_by_line(costs: pd.DataFrame) -> pd.DataFrame:
    """Jobs, seconds, layer passes and memory of each line."""
    return costs.groupby(LINE, as_index=False, observed=True).agg(
        jobs=("job_id", "nunique"),
        proteins=("n_proteins", "max"),
        rows=("n_rows", "max"),
        level_pairs=("level_pairs", "max"),
        data_passes=("data_passes", "max"),
        encoder_seconds=("encoder_seconds", "sum"),
        moment_seconds=("moment_seconds", "sum"),
        compare_seconds=("compare_seconds", "sum"),
        layer_passes=("layer_passes", "sum"),
        moment_bytes=("moment_bytes", "max"),
    )


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep, whatever part of it is done."""
    rows, costs = named(results.table("similarity")), named(results.table("costs"))
    levels = over_seeds(rows, ["level_first", "level_second", "metric"])
    last = last_levels(levels)
    tables = {
        "last_levels": last,
        "closer_to_plus": closer(last),
        "closest_levels": closest(levels),
        "levels": levels,
        "costs": costs_by_line(costs),
    }
    figures = draw(levels, last) if len(levels) else {}
    captions = {name: CAPTIONS[name] for name in tables} | {name: CAPTIONS[name.split("-")[0]] for name in figures}
    return Summary(tables=tables, figures=figures, captions=captions, notes=notes_of(tables, config))
