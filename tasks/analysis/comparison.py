"""What is chosen on one half and judged on the other, and values paired by run: comparisons that are not optimistic."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

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
