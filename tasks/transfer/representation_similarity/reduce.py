"""From values of level pairs to maps and tables: means over seeds, and what is above the nulls."""

from collections.abc import Sequence

import pandas as pd

from orchestrator.experiment import Results, Summary
from tasks.transfer.comparison.lines import INTERVAL, LINE, named, one_more, over_seeds
from tasks.transfer.representation_similarity.captions import CAPTIONS
from tasks.transfer.representation_similarity.config import Config
from tasks.transfer.representation_similarity.figures import draw
from tasks.transfer.representation_similarity.notes import notes_of

BESIDE = ["null_mean", "null_max", "shuffled"]


def with_nulls(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """`over_seeds`, and beside it the means of the nulls (of `null_max` the largest), rows and ranks, and what is above
    the nulls: `above_null` and `above_shuffled`."""
    table = over_seeds(
        rows,
        keys,
        null_mean=("null_mean", "mean"),
        null_max=("null_max", "max"),
        shuffled=("shuffled", "mean"),
        n_rows=("n_rows", "min"),
        dim_first=("dim_first", "max"),
        dim_second=("dim_second", "max"),
    )
    above = {"above_null": table["mean"] - table["null_mean"], "above_shuffled": table["mean"] - table["shuffled"]}
    order = [*LINE, *keys, *INTERVAL, *BESIDE, *above, "n_rows", "dim_first", "dim_second"]
    return table.assign(**above)[order]


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
    encoder's value is outside Student's 95 % prediction interval for one more random twin.
    """
    by = ["model", "protein_task", "metric"]
    sides = [
        last.loc[last["pair"] == f"{name}-plus", [*by, "mean", "low", "high", "shuffled", "seeds"]]
        for name in ("pretrained", "random")
    ]
    both = sides[0].merge(sides[1], on=by, suffixes=("_pretrained", "_random"))
    difference = both["mean_pretrained"] - both["mean_random"]
    half = one_more(both["mean_random"], both["high_random"], both["seeds_random"])
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
    levels = with_nulls(rows, ["level_first", "level_second", "metric"])
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
