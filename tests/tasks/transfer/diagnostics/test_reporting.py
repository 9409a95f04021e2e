"""What the reports of the diagnostics share: means over seeds, pretrained beside random, panels."""

import numpy as np
import pandas as pd

from tasks.transfer.diagnostics.reporting import grid, over_seeds, places, pretrained_vs_random


def rows(encoder: str, values_by_seed: dict[int, list[float]]) -> pd.DataFrame:
    lines = [
        {"model": "a/m", "task": "RTE", "shift": 0, "encoder": encoder, "seed": seed, "layer": 1, "value": value}
        for seed, values in values_by_seed.items()
        for value in values
    ]
    return pd.DataFrame(lines)


def test_a_seed_counts_once_however_many_values_it_has():
    (row,) = over_seeds(rows("random", {1: [1.0, 1.0, np.nan], 2: [3.0]}), ["layer"]).to_dict("records")
    assert (row["mean"], row["seeds"], row["not_finite"]) == (2.0, 2, 1)


def test_pretrained_stands_beside_random():
    both = pd.concat([rows("random", {1: [1.0], 2: [2.0]}), rows("pretrained", {1: [5.0]})])
    (row,) = pretrained_vs_random(over_seeds(both, ["layer"]), ["layer"]).to_dict("records")
    assert (row["mean_pretrained"], row["mean_random"], row["difference"]) == (5.0, 1.5, 3.5)


def test_a_panel_has_its_rows_and_says_where_there_are_none():
    table = pd.concat([rows("random", {1: [1.0], 2: [np.nan]}), rows("pretrained", {1: [5.0]})])
    assert places(table, "encoder", "seed")[0] == {"encoder": "pretrained", "seed": 1}
    figure, axes, cells = grid(table, places(table, "seed"), places(table, "model", "task", "shift"), "value")
    assert axes.shape == (2, 1)
    assert [len(here) for _, here in cells] == [2, 1]
    assert [axis.get_title() for axis in figure.axes] == ["m, RTE", "m, RTE"]
    assert [len(axis.texts) for axis in figure.axes] == [0, 1]
