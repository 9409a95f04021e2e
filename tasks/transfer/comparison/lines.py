"""Lines of the figures of the comparisons on proteins: pairs of encoders, means over seeds with their intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from metrics.intervals import student_half

LINE = ["model", "protein_task", "pair"]
"""The columns that tell one line from another."""
SEEDS = ["encoder_seed", "plus_seed"]
"""What is drawn: of a pair with a random twin its weights, of a small or random PLUS its own."""
INTERVAL = ["mean", "low", "high", "sd", "seeds", "not_finite"]
"""The columns that `over_seeds` adds to its keys."""
COLOURS = {"pretrained-plus": "#1f5fa8", "pretrained-random": "#d1701c", "random-plus": "#2f8f4e"}
NAMES = {"pretrained": "pretrained", "random": "random", "plus": "PLUS"}
"""Sides as figures and notes call them."""


def pair_name(pair: str) -> str:
    """A pair as panels, legends and notes call it."""
    return " and ".join(NAMES[name] for name in pair.split("-"))


def named(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with the pair as one column, `first-second`, and seeds that are there where they play no part (-1)."""
    seeds = {name: pd.to_numeric(table[name]).fillna(-1).astype(int) for name in SEEDS}
    return table.assign(pair=table["first"].astype(str) + "-" + table["second"].astype(str), **seeds)


def over_seeds(rows: pd.DataFrame, keys: Sequence[str], **beside: tuple[str, str]) -> pd.DataFrame:
    """Mean of `value` for each line and `keys` over seeds, with Student's 95 % interval [low, high] (NaN for one).

    Values that are not finite are left out and counted in `not_finite`; `beside` are further aggregations, (column,
    function) by their names.
    """
    columns = [*LINE, *keys, *INTERVAL, *beside]
    if not len(rows):
        return pd.DataFrame(columns=columns)
    values = pd.to_numeric(rows["value"]).to_numpy(dtype=float)
    known = rows.assign(value=np.where(np.isfinite(values), values, np.nan), bad=~np.isfinite(values))
    asked: dict[str, Any] = {"mean": ("value", "mean"), "sd": ("value", "std"), "seeds": ("value", "count")}
    asked |= {"not_finite": ("bad", "sum"), **beside}
    table = known.groupby([*LINE, *keys], dropna=False, observed=True).agg(**asked).reset_index()
    half = student_half(table["sd"], table["seeds"])
    return table.assign(low=table["mean"] - half, high=table["mean"] + half)[columns]


def one_more(mean: Any, high: Any, seeds: Any) -> Any:
    """Half of Student's 95 % prediction interval for one more random twin, t s sqrt(1 + 1 / n), from that of the mean.

    A pretrained encoder is one encoder, and twins differ by their weights: it is judged by their spread, not by how
    well their mean is known.
    """
    return (high - mean) * np.sqrt(seeds + 1)
