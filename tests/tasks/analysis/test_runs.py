"""Means over runs, pairs and costs against plain loops, with missing values and empty tables."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tasks.analysis.runs import costs_by_line, over_runs, side_by_side

VALUES = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.floats(-9, 9)), min_size=1, max_size=24)


@given(VALUES)
def test_means_within_each_run_come_first_and_the_interval_is_over_runs(given_rows):
    rows = pd.DataFrame(given_rows, columns=["line", "seed", "value"])
    table = over_runs(rows, ["line"], ["seed"])
    for row in table.itertuples():
        own = rows[rows["line"] == row.line]
        means = [own.loc[own["seed"] == seed, "value"].mean() for seed in sorted(set(own["seed"]))]
        assert row.mean == pytest.approx(np.mean(means), abs=1e-12)
        assert row.seeds == len(means)
        if len(means) > 1:
            low, high = stats.t.interval(0.95, len(means) - 1, np.mean(means), stats.sem(means) or np.nan)
            if np.isfinite(low):
                assert (row.low, row.high) == pytest.approx((low, high), abs=1e-9)
        else:
            assert np.isnan([row.low, row.high, row.sd]).all()


def test_values_that_are_not_finite_are_counted_and_left_out():
    rows = pd.DataFrame({"line": ["a"] * 4, "seed": [0, 0, 1, 2], "value": [1.0, np.inf, 3.0, np.nan]})
    (row,) = over_runs(rows, ["line"], ["seed"], count="networks").to_dict("records")
    assert (row["mean"], row["networks"], row["not_finite"]) == (2.0, 2, 2)
    assert row["sd"] == pytest.approx(2**0.5)
    half = stats.t.ppf(0.975, 1) * 2**0.5 / 2**0.5
    assert (row["low"], row["high"]) == pytest.approx((2 - half, 2 + half))


def test_missing_keys_are_lines_of_their_own_and_no_rows_give_the_columns():
    rows = pd.DataFrame({"line": ["a", None], "value": [1.0, 2.0], "size": [5, 7]})
    table = over_runs(rows, ["line"], largest=("size", "max"))
    assert list(table.columns) == ["line", "mean", "low", "high", "sd", "seeds", "not_finite", "largest"]
    assert list(table["largest"]) == [5, 7]
    assert list(over_runs(rows[:0], ["line"], largest=("size", "max")).columns) == list(table.columns)


def test_sides_stand_side_by_side_where_both_are_there():
    table = pd.DataFrame(
        {"task": ["x", "x", "y"], "encoder": ["pretrained", "random", "random"], "mean": [3.0, 1.0, 9.0]}
    ).assign(low=0.0, high=1.0)
    (row,) = side_by_side(table, ["task"]).to_dict("records")
    assert (row["task"], row["mean_pretrained"], row["mean_random"], row["difference"]) == ("x", 3.0, 1.0, 2.0)


def test_costs_are_added_up_a_line_and_jobs_counted_once():
    costs = pd.DataFrame({"line": ["a", "a", "b"], "job_id": ["1", "2", "3"], "passes": [2, 3, 4], "bytes": [9, 5, 1]})
    jobs = pd.DataFrame({"job_id": ["1", "2", "3"], "seconds": [1.5, 2.0, 4.0]})
    table = costs_by_line(costs, ["line"], sums=["passes"], largest={"most": "bytes"}, jobs=jobs)
    assert table.to_dict("list") == {
        "line": ["a", "b"], "jobs": [2, 1], "seconds": [3.5, 4.0], "passes": [5, 4], "most": [9, 1],
    }  # fmt: skip
    assert list(costs_by_line(costs[:0], ["line"], sums=["passes"], jobs=jobs)) == ["line", "jobs", "seconds", "passes"]
