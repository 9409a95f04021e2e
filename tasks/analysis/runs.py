"""Means over runs with their intervals, differences of pairs, and costs: the arithmetic of summary tables.

A run is what makes two numbers independent: a seed, an encoder, a network. Values within one run (its sentences, its
heads) share a network and are no sample of networks, so they are averaged within the run first.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from metrics.intervals import student_half


def over_runs(
    rows: pd.DataFrame,
    by: Sequence[str],
    runs: Sequence[str] = (),
    value: str = "value",
    count: str = "seeds",
    **more: tuple[str, str],
) -> pd.DataFrame:
    """Mean of a column for each value of `by`: within each run first, then over runs.

    Args:
        rows: long and tidy.
        by: the columns of the result that tell its rows apart; missing values are values of their own.
        runs: the columns that tell runs apart; none: a row is a run.
        value: the column that is averaged.
        count: what the number of runs is called, such as seeds or networks.
        more: further aggregations of rows as pandas names them, (column, function) by the result's column; with `runs`
            none are possible.

    Returns:
        `by`; `mean`; `low` and `high`, the ends of Student's 95 % interval for the mean (NaN for one run); `sd`, the
        sample standard deviation over runs; `count`; `not_finite`, how many values are NaN or infinite, which are left
        out of all else; `more`.
    """
    columns = [*by, *interval_columns(count), *more]
    if not len(rows):
        return pd.DataFrame(columns=columns)
    values = pd.to_numeric(rows[value]).to_numpy(dtype=float)
    finite = np.isfinite(values)
    known = rows.assign(**{value: np.where(finite, values, np.nan), "not_finite": ~finite})
    if runs:
        within = known.groupby([*by, *runs], dropna=False, observed=True)
        known = within.agg(**{value: (value, "mean"), "not_finite": ("not_finite", "sum")}).reset_index()
    asked = {
        "mean": (value, "mean"),
        "sd": (value, "std"),
        count: (value, "count"),
        "not_finite": ("not_finite", "sum"),
    }
    table = known.groupby([*by], dropna=False, observed=True).agg(**asked, **more).reset_index()
    return with_interval(table, table["sd"], table[count])[columns]


def interval_columns(count: str = "seeds") -> list[str]:
    """The columns that `over_runs` adds to its keys."""
    return ["mean", "low", "high", "sd", count, "not_finite"]


def with_interval(table: pd.DataFrame, sd: pd.Series, n: pd.Series) -> pd.DataFrame:
    """The table with `low` and `high`, Student's 95 % interval of its `mean` of `n` values with the deviation `sd`."""
    half = student_half(np.asarray(sd, dtype=float), np.asarray(n, dtype=float))
    return table.assign(low=table["mean"] - half, high=table["mean"] + half)


def side_by_side(
    table: pd.DataFrame, by: Sequence[str], column: str = "encoder", sides: tuple[str, str] = ("pretrained", "random")
) -> pd.DataFrame:
    """A row for each value of `by` that both sides have: `mean`, `low` and `high` of each, and the means' `difference`.

    The columns are called `mean_pretrained`, `mean_random` and so on; the difference is the first side's mean minus the
    second's.
    """
    parts = [table.loc[table[column] == side, [*by, "mean", "low", "high"]] for side in sides]
    both = parts[0].merge(parts[1], on=list(by), suffixes=tuple(f"_{side}" for side in sides))
    return both.assign(difference=both[f"mean_{sides[0]}"] - both[f"mean_{sides[1]}"])


def costs_by_line(
    costs: pd.DataFrame,
    line: Sequence[str],
    sums: Sequence[str] | Mapping[str, str] = (),
    largest: Sequence[str] | Mapping[str, str] = (),
    jobs: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """What the jobs of each line cost: their number, `sums` added up, of `largest` the most of any job.

    Args:
        costs: rows of jobs, with `job_id`.
        line: the columns that tell lines apart.
        sums: columns; a mapping gives each another name, new to old.
        largest: likewise.
        jobs: one row a job as in jobs.parquet, to add up its `seconds` too; the costs have none of their own then.

    Returns:
        `line`, `jobs`, `seconds` where `jobs` are given, and the columns asked for, in their order.
    """
    asked = {"jobs": ("job_id", "nunique")}
    if jobs is not None:
        costs = costs.merge(jobs[["job_id", "seconds"]], on="job_id", how="left")
        asked["seconds"] = ("seconds", "sum")
    for names, how in ((sums, "sum"), (largest, "max")):
        pairs = names.items() if isinstance(names, Mapping) else zip(names, names, strict=True)
        asked |= {new: (old, how) for new, old in pairs}
    if not len(costs):
        return pd.DataFrame(columns=[*line, *asked])
    return costs.groupby([*line], as_index=False, observed=True).agg(**asked)


COMMON = -1
"""The run of a value without randomness: it goes with every run of what it is paired with."""


def second_of_two_halves(group: np.ndarray) -> np.ndarray:
    """bool [N]: the value's group belongs to the second of two halves of about as many values.

    Groups, the largest first (of equal ones that which comes first), go to the half that has fewer values yet, the
    first half on a tie. Values of one group are alike, so what is chosen on one half must not see them on the other.
    """
    _, first, index, counts = np.unique(group, return_index=True, return_inverse=True, return_counts=True)
    sizes = [0, 0]
    half = np.zeros(len(counts), dtype=bool)
    for g in np.lexsort((first, -counts)):
        half[g] = sizes[1] < sizes[0]
        sizes[int(half[g])] += int(counts[g])
    return half[index]


def best_on_each_half(
    rows: pd.DataFrame,
    group: Sequence[str],
    candidate: Sequence[str],
    halves: tuple[str, str],
    part: str = "part",
    value: str = "value",
) -> pd.DataFrame:
    """For each group and half the candidate with the highest mean there, and its mean on the other half.

    Of equals the first in the order of the candidate's columns is taken. A candidate that lacks a half, or whose mean
    is NaN there, is none.

    Args:
        rows: values of each candidate on both halves; several, such as those of seeds, are averaged.
        group: columns of what a candidate is chosen for.
        candidate: columns that tell candidates apart.
        halves: the two values of `part`; rows of others are not looked at.

    Returns:
        `group`; `chosen_on`, the half; `candidate`; `there`, the mean that it was chosen by (optimistic); `elsewhere`,
        its mean on the other half (not so).
    """
    columns = [*group, "chosen_on", *candidate, "there", "elsewhere"]
    rows = rows[rows[part].isin(halves)]
    if not len(rows):
        return pd.DataFrame(columns=columns)
    means = rows.groupby([*group, *candidate, part], sort=True)[value].mean(skipna=False).reset_index()
    wide = means.pivot_table(index=[*group, *candidate], columns=part, values=value, aggfunc="first")
    wide = wide.reindex(columns=list(halves)).dropna().sort_index().reset_index()
    found = []
    for here, other in (halves, halves[::-1]):
        best = wide.loc[wide.groupby([*group], sort=True)[here].idxmax()].assign(chosen_on=here)
        found.append(best.rename(columns={here: "there", other: "elsewhere"})[columns])
    return pd.concat(found, ignore_index=True).sort_values([*group, "chosen_on"], ignore_index=True)


def paired(
    left: pd.DataFrame, right: pd.DataFrame, on: Sequence[str], suffixes: tuple[str, str], run: str = "seed"
) -> pd.DataFrame:
    """Rows of both tables with equal keys and run; one whose run is COMMON goes with every run of the other table.

    Columns that both have get the suffixes; `run` is the common one.
    """
    both = left.merge(right, on=[*on], suffixes=suffixes)
    names = [f"{run}{suffix}" for suffix in suffixes]
    a, b = (both[name] for name in names)
    both = both.assign(**{run: np.maximum(a, b)})[(a == b) | (a == COMMON) | (b == COMMON)]
    return both.drop(columns=names).reset_index(drop=True)
