"""From values of level pairs to maps and tables: means over seeds, and what is above the nulls."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import of, short
from tasks.analysis.runs import costs_by_line, interval_columns, over_runs
from tasks.analysis.summary import interval, not_finite, summary
from tasks.transfer.comparison.reporting import LINE, missing_pairs, named, one_more
from tasks.transfer.representation_similarity import figures
from tasks.transfer.representation_similarity.config import Config

SEEDS_SAID = (
    "Means over seeds of the random weights (of a pair without a random twin there may be one), with Student's 95 % "
    "interval for the mean (low, high; none for one seed). "
)
CAPTIONS = {
    "last_levels": f"The deepest levels compared of each pair, by every metric. {SEEDS_SAID}{figures.NULLS}",
    "closer_to_plus": "The question of the paper: is the pretrained text encoder closer to PLUS than its random twin? "
    "Last levels. clear: the pretrained encoder's value is outside the 95 % prediction interval for one more random "
    "twin (Student).",
    "closest_levels": "The levels of each pair whose similarity by each metric is farthest above the higher of the two "
    "nulls. It is the largest of many, so its own value is too high on average.",
    "levels": f"Every pair of levels by every metric. {SEEDS_SAID}{figures.NULLS}",
    "costs": "Seconds, layer applications to one protein as counted while running, and the bytes of the moments, which "
    "do not grow with the rows.",
}
ENOUGH = 10
"""Rows for each feature, below which a similarity is mostly that of independent data (README 5)."""
ALIKE = 0.8
"""Part of a value that shuffled positions reach, above which that is said."""


def with_nulls(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Means over seeds; beside them the means of the nulls (of `null_max` the largest), rows and widths, and what is
    above the nulls: `above_null` and `above_shuffled`."""
    nulls: dict[str, Any] = {name: (name, "mean") for name in ("null_mean", "null_max", "shuffled")}
    nulls["null_max"] = ("null_max", "max")
    sizes: dict[str, Any] = {
        "n_rows": ("n_rows", "min"),
        "dim_first": ("dim_first", "max"),
        "dim_second": ("dim_second", "max"),
    }
    by = [*LINE, *keys]
    table = over_runs(rows, by, **nulls, **sizes)
    above = {"above_null": table["mean"] - table["null_mean"], "above_shuffled": table["mean"] - table["shuffled"]}
    return table.assign(**above)[[*by, *interval_columns(), *nulls, *above, *sizes]]


def last_levels(levels: pd.DataFrame) -> pd.DataFrame:
    """The rows of the deepest levels that were compared of each line: those of the published figure."""
    if not len(levels):
        return levels
    deepest = levels.groupby(LINE, observed=True)[["level_first", "level_second"]].transform("max")
    return levels[(levels[["level_first", "level_second"]] == deepest).all(axis=1)].reset_index(drop=True)


def closest(levels: pd.DataFrame) -> pd.DataFrame:
    """The pair of levels of each line and metric that is farthest above the higher of its two nulls."""
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
    columns = [*by, "mean", "low", "high", "shuffled", "seeds"]
    sides = [last.loc[last["pair"] == f"{name}-plus", columns] for name in ("pretrained", "random")]
    both = sides[0].merge(sides[1], on=by, suffixes=("_pretrained", "_random"))
    difference = both["mean_pretrained"] - both["mean_random"]
    half = one_more(both["mean_random"], both["high_random"], both["seeds_random"])
    return both.assign(difference=difference, clear=difference.abs() > half)


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep, whatever part of it is done."""
    rows, costs = named(results.table("similarity")), named(results.table("costs"))
    levels = with_nulls(rows, ["level_first", "level_second", "metric"])
    last = last_levels(levels)
    largest = {"proteins": "n_proteins", "rows": "n_rows"}
    largest |= {name: name for name in ("level_pairs", "data_passes", "moment_bytes")}
    spent = ["encoder_seconds", "moment_seconds", "compare_seconds", "layer_passes"]
    tables = {
        "last_levels": last,
        "closer_to_plus": closer(last),
        "closest_levels": closest(levels),
        "levels": levels,
        "costs": costs_by_line(costs, LINE, sums=spent, largest=largest),
    }
    notes = notes_of(tables, config) + ([not_finite(rows["value"], "similarities")] if len(rows) else [])
    return summary(tables, figures.draw(levels, last), CAPTIONS | figures.CAPTIONS, notes)


def notes_of(tables: Mapping[str, pd.DataFrame], config: Config) -> list[str]:
    """Sentences: pretrained against random, how far above the nulls, too few rows, what is missing."""
    last, shown = tables["last_levels"], tables["closer_to_plus"]["metric"].isin([*figures.METRICS])
    notes = [_closer(row) for row in tables["closer_to_plus"][shown].itertuples()]
    pwcca = of(last, metric="pwcca_mean")
    for row in pwcca.itertuples():
        notes.append(
            f"{row.protein_task}, {short(row.model)}, {row.pair}: PWCCA of the last levels is {row.mean:.3f} "
            f"({interval(row.low, row.high)}), of independent data {row.null_mean:.3f}, of shuffled positions "
            f"{row.shuffled:.3f}, {row.n_rows:,} rows."
        )
    notes += _few_rows(pwcca) + _alike(pwcca)
    return notes + missing_pairs(last, config)


def _closer(row: Any) -> str:
    relation = "closer to PLUS than" if row.difference > 0 else "farther from PLUS than"
    if row.seeds_random > 1:
        doubt = "" if row.clear else "; not clear of what another random twin may have"
    else:
        doubt = "; one random twin, so no interval"
    return (
        f"{row.protein_task}, {short(row.model)}: by {figures.METRICS[row.metric]} of the last levels the pretrained "
        f"encoder is {relation} its random twin is, by {abs(row.difference):.3f} ({row.mean_pretrained:.3f} against "
        f"{row.mean_random:.3f}; shuffled positions {row.shuffled_pretrained:.3f} and {row.shuffled_random:.3f}"
        f"{doubt})."
    )


def _alike(pwcca: pd.DataFrame) -> list[str]:
    """Where proteins are so alike that rows repeat, the independent null is far too low."""
    alike = pwcca[pwcca["shuffled"] > ALIKE * pwcca["mean"]]
    return [
        f"{task}: shuffled positions come to {group['shuffled'].mean():.3f} on average where the PWCCA is "
        f"{group['mean'].mean():.3f}: many rows repeat each other, as in proteins of one family, so that the number of "
        "rows says too much and the independent null is too low; compare with the shuffled one."
        for task, group in alike.groupby("protein_task", observed=True)
    ]


def _few_rows(pwcca: pd.DataFrame) -> list[str]:
    """What the null is where there are few rows for the features."""
    notes = []
    for (task, rows), group in pwcca.groupby(["protein_task", "n_rows"], observed=True):
        width = int(group[["dim_first", "dim_second"]].max().max())
        if rows < ENOUGH * width:
            extent = f"fewer than the {width} features" if rows <= width else f"{rows / width:.1f} for each feature"
            null, highest = group["null_mean"].mean(), group["null_max"].max()
            notes.append(
                f"{task}: {rows:,} rows, {extent}, are few: PWCCA of independent data is {null:.3f} there (at most "
                f"{highest:.3f}), so only what is above it means anything; give more --proteins or --rows."
            )
    return notes
