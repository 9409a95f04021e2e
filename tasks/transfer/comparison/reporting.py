"""Pairs of encoders in the tables and figures of the comparisons on proteins: their names, colours and seeds."""

from typing import Any

import numpy as np
import pandas as pd

from tasks.analysis.palette import PRETRAINED, RANDOM, SKY
from tasks.analysis.summary import missing
from tasks.transfer.comparison.options import ProteinOptions

LINE = ["model", "protein_task", "pair"]
"""The columns that tell one line from another."""
SEEDS = ["encoder_seed", "plus_seed"]
"""What is drawn: of a pair with a random twin its weights, of a small or random PLUS its own."""
COLOURS = {"pretrained-plus": PRETRAINED, "pretrained-random": SKY, "random-plus": RANDOM}
NAMES = {"pretrained": "pretrained", "random": "random", "plus": "PLUS"}
"""Sides as figures and notes call them."""


def pair_name(pair: str) -> str:
    """A pair as panels, legends and notes call it."""
    return " and ".join(NAMES[name] for name in pair.split("-"))


def named(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with the pair as one column, `first-second`, and seeds that are there where they play no part (-1)."""
    seeds = {name: pd.to_numeric(table[name]).fillna(-1).astype(int) for name in SEEDS}
    return table.assign(pair=table["first"].astype(str) + "-" + table["second"].astype(str), **seeds)


def missing_pairs(table: pd.DataFrame, options: ProteinOptions) -> list[str]:
    """How many pairs of encoders have no row in a table yet."""
    planned = len(options.pairs) * len(options.models) * len(options.protein_tasks)
    return missing(len(table[LINE].drop_duplicates()), planned, "pairs of encoders and protein tasks")


def one_more(mean: Any, high: Any, seeds: Any) -> Any:
    """Half of Student's 95 % prediction interval for one more random twin, t s sqrt(1 + 1 / n), from that of the mean.

    A pretrained encoder is one encoder, and twins differ by their weights: it is judged by their spread, not by how
    well their mean is known.
    """
    return (high - mean) * np.sqrt(seeds + 1)
