"""Means over seeds, their intervals, and pretrained beside random."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tasks.transfer.diagnostics.lines import LINE, beside, over_seeds


def rows(encoder: str, values_by_seed: dict[int, list[float]]) -> pd.DataFrame:
    lines = [
        {"model": "m", "task": "RTE", "shift": 0, "encoder": encoder, "seed": seed, "layer": 1, "value": value}
        for seed, values in values_by_seed.items()
        for value in values
    ]
    return pd.DataFrame(lines)


def test_a_seed_counts_once_however_many_values_it_has():
    (row,) = over_seeds(rows("random", {1: [1.0, 1.0, 1.0], 2: [3.0]}), ["layer"]).to_dict("records")
    assert row["mean"] == 2.0
    assert row["seeds"] == 2
    half = stats.t.ppf(0.975, 1) * np.sqrt(2) / np.sqrt(2)
    assert row["high"] - row["mean"] == pytest.approx(half)


def test_values_that_are_not_finite_are_left_out_and_counted():
    (row,) = over_seeds(rows("random", {1: [1.0, np.inf], 2: [np.nan, 3.0]}), ["layer"]).to_dict("records")
    assert (row["mean"], row["not_finite"]) == (2.0, 2)
    (row,) = over_seeds(rows("random", {1: [np.nan]}), ["layer"]).to_dict("records")
    assert np.isnan(row["mean"])
    assert (row["seeds"], row["not_finite"]) == (0, 1)


def test_pretrained_stands_beside_random():
    both = pd.concat([rows("random", {1: [1.0], 2: [2.0]}), rows("pretrained", {1: [5.0]})])
    (row,) = beside(over_seeds(both, ["layer"]), ["layer"]).to_dict("records")
    assert (row["mean_pretrained"], row["mean_random"], row["difference"]) == (5.0, 1.5, 3.5)


def test_no_rows_give_an_empty_table_with_its_columns():
    empty = over_seeds(pd.DataFrame(columns=[*LINE, "seed", "layer", "value"]), ["layer"])
    assert not len(empty)
    assert not len(beside(empty, ["layer"]))
