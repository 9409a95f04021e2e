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
