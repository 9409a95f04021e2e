"""Choosing a learning rate by the median over seeds; diverged runs; choosing on one half of the dev set."""

import numpy as np
import pandas as pd
import pytest

from tasks.deepscale.bert_finetuning.figures import median_of_runs
from tasks.deepscale.bert_finetuning.reduce import best_rates, best_table, rate_table


def final(values, task="RTE", split="dev", part="all"):
    """Rows of one part: learning rate to the accuracies of its seeds."""
    return pd.DataFrame(
        {"task": task, "model": "m", "split": split, "part": part, "learning_rate": rate, "value": value}
        for rate, accuracies in values.items()
        for value in accuracies
    )


def test_the_median_decides_and_not_the_mean_or_the_best_run():
    rates = rate_table(final({1e-5: [0.9, 0.2, 0.2], 2e-5: [0.6, 0.6, 0.1], 3e-5: [0.5, 0.5, 0.5]}))
    assert best_rates(rates).to_dict() == {("RTE", "m"): 2e-5}


def test_of_equal_medians_the_higher_mean_then_the_smaller_rate():
    assert best_rates(rate_table(final({1e-5: [0.5, 0.6, 0.6], 2e-5: [0.6, 0.6, 0.7]})))["RTE", "m"] == 2e-5
    assert best_rates(rate_table(final({2e-5: [0.6, 0.6], 1e-5: [0.6, 0.6]})))["RTE", "m"] == 1e-5


def test_diverged_runs_are_the_worst_of_the_median_and_left_out_of_the_mean():
    values = pd.Series([0.9, np.nan, 0.7])
    assert median_of_runs(values) == 0.7
    assert np.isnan(median_of_runs(pd.Series([0.9, np.nan, np.nan])))
    assert np.isnan(median_of_runs(pd.Series([0.9, np.nan])))
    (found,) = rate_table(final({1e-5: values})).to_dict("records")
    assert (found["median"], found["mean"], found["runs"], found["diverged"]) == (0.7, pytest.approx(0.8), 3, 1)
    assert (found["lowest"], found["highest"]) == (0.7, 0.9)
    # The median of the first rate falls on a diverged run.
    rates = rate_table(final({1e-5: [0.9, np.nan, np.nan], 2e-5: [0.3, 0.3, 0.3]}))
    assert best_rates(rates)["RTE", "m"] == 2e-5
    rates = rate_table(final({1e-5: [np.nan, np.nan, np.nan], 2e-5: [0.3, np.nan, np.nan]}))
    assert best_rates(rates)["RTE", "m"] == 2e-5


def test_mnli_is_chosen_on_matched_and_reported_on_both():
    matched = final({1e-5: [0.7], 2e-5: [0.8]}, "MNLI", "dev_matched")
    mismatched = final({1e-5: [0.9], 2e-5: [0.6]}, "MNLI", "dev_mismatched")
    table = best_table(rate_table(pd.concat([matched, mismatched])))
    assert dict(zip(table["split"], table["median"], strict=True)) == {"dev_matched": 0.8, "dev_mismatched": 0.6}
    assert set(table["learning_rate"]) == {2e-5}


def test_the_cross_chosen_median_is_measured_where_it_was_not_chosen():
    parts = [
        final({1e-5: [0.70], 2e-5: [0.60]}),
        final({1e-5: [0.80], 2e-5: [0.50]}, part="half_a"),  # chooses 1e-5, of which half b has 0.60
        final({1e-5: [0.60], 2e-5: [0.70]}, part="half_b"),  # chooses 2e-5, of which half a has 0.50
    ]
    (row,) = best_table(rate_table(pd.concat(parts))).to_dict("records")
    assert row["median"] == 0.70
    assert row["cross_median"] == pytest.approx(0.55)
