"""Lines of the figures of the four diagnostics, and means over seeds with their intervals.

A line is a network on a task: model, task, shift, encoder. A seed draws the sentences' order, noise and heads, and all
weights of a random encoder: intervals are over seeds, so over networks for random encoders, and over samples of
sentences for a pretrained one. Values within one seed share a network and are no sample of networks.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from metrics.intervals import student_half

LINE = ["model", "task", "shift", "encoder"]
"""The columns that tell one line from another."""
ENCODERS = ("pretrained", "random")
COLOURS = {"pretrained": "#1f5fa8", "random": "#d1701c"}
INTERVAL = ["mean", "low", "high", "sd", "seeds", "not_finite"]
"""The columns that `over_seeds` adds to its keys."""


def over_seeds(rows: pd.DataFrame, keys: Sequence[str], value: str = "value") -> pd.DataFrame:
    """Mean of a column for each line and `keys`: within each seed first, then over seeds.

    `low` and `high` are the ends of Student's 95 % interval over `seeds` seeds (NaN for one), `sd` their sample
    standard deviation. Values that are not finite are left out and counted in `not_finite`.
    """
    by = [*LINE, *keys]
    if not len(rows):
        return pd.DataFrame(columns=[*by, *INTERVAL])
    values = rows[value].to_numpy(dtype=float)
    known = rows[[*by, "seed"]].assign(value=np.where(np.isfinite(values), values, np.nan), bad=~np.isfinite(values))
    inner = known.groupby([*by, "seed"], dropna=False, observed=True).agg(value=("value", "mean"), bad=("bad", "sum"))
    table = (
        inner.reset_index()
        .groupby(by, dropna=False, observed=True)
        .agg(mean=("value", "mean"), sd=("value", "std"), seeds=("value", "count"), not_finite=("bad", "sum"))
        .reset_index()
    )
    half = student_half(table["sd"], table["seeds"])
    return table.assign(low=table["mean"] - half, high=table["mean"] + half)[[*by, *INTERVAL]]


def beside(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """A row for each model, task, shift and `keys` that both encoders have: their means, and pretrained - random."""
    by = [*LINE[:-1], *keys]
    sides = [table.loc[table["encoder"] == name, [*by, "mean", "low", "high"]] for name in ENCODERS]
    both = sides[0].merge(sides[1], on=by, suffixes=("_pretrained", "_random"))
    return both.assign(difference=both["mean_pretrained"] - both["mean_random"])


def shift_label(shift: int) -> str:
    """What a panel's title says of the token shift."""
    return "tokens as they are" if shift == 0 else f"tokens shifted by {shift}"
