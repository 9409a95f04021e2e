"""From rows to summary tables: every number against a plain recomputation."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from metrics.intervals import mean_interval
from tasks.transient_chaos.glue_depth.config import Config
from tasks.transient_chaos.glue_depth.reduce import (
    depth_curves,
    nan_counts,
    peaks,
    summarise,
    task_correlations,
    task_metric,
)


def scores(values, task="RTE", metric="accuracy", encoder="random", training="frozen"):
    """Rows from {depth: [value of seed 0, of seed 1, ...]}."""
    return pd.DataFrame(
        [
            {
                "task": task,
                "encoder": encoder,
                "training": training,
                "depth": depth,
                "seed": seed,
                "metric": metric,
                "value": value,
            }
            for depth, by_seed in values.items()
            for seed, value in enumerate(by_seed)
        ]
    )


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=8))
def test_interval_is_students(values):
    mean, low, high = mean_interval(values)
    spread = stats.sem(values)
    assert mean == pytest.approx(np.mean(values))
    if spread > 0:
        expected = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=spread)
        assert (low, high) == pytest.approx(expected)
    assert low <= mean + 1e-12
    assert mean <= high + 1e-12


def test_interval_of_one_value_and_of_none():
    assert mean_interval([0.5])[0] == 0.5
    assert np.isnan(mean_interval([0.5])[1:]).all()
    assert np.isnan(mean_interval([np.nan])).all()


def test_curves_count_nan_and_leave_it_out_of_the_mean():
    curves = depth_curves(scores({1: [0.2, np.nan, 0.4], 2: [np.nan] * 3}, task="STS-B", metric="corr"))
    first, second = curves.to_dict("records")
    assert (first["mean"], first["seeds"], first["nan"]) == (pytest.approx(0.3), 3, 1)
    assert np.isnan(second["mean"])
    assert second["nan"] == 3


def test_peak_is_the_shallowest_of_equals_and_seeds_have_their_own():
    table = scores({1: [0.5, 0.7], 2: [0.7, 0.5], 3: [0.1, 0.1]})
    [peak] = peaks(table, depth_curves(table)).to_dict("records")
    assert peak["peak_depth"] == 1
    assert (peak["first_seed_peak"], peak["last_seed_peak"]) == (1, 2)


def test_correlation_is_spearmans_over_common_depths():
    a = scores({1: [0.1], 2: [0.3], 3: [0.2], 4: [0.9]})
    b = scores({1: [-0.1], 2: [0.0], 3: [0.4], 5: [0.9]}, task="CoLA", metric="matthews")
    [row] = task_correlations(depth_curves(pd.concat([a, b]))).to_dict("records")
    assert row["depths"] == 3
    assert row["spearman"] == pytest.approx(stats.spearmanr([0.1, 0.3, 0.2], [-0.1, 0.0, 0.4])[0])


def test_correlation_with_a_constant_curve_is_nan_without_a_warning(recwarn):
    a = scores({d: [0.501484] for d in range(1, 13)})
    b = scores({d: [0.1 * d] for d in range(1, 13)}, task="CoLA", metric="matthews")
    [row] = task_correlations(depth_curves(pd.concat([a, b]))).to_dict("records")
    assert np.isnan(row["spearman"])
    assert not recwarn.list


def test_mnli_is_judged_by_the_matched_set():
    assert task_metric("MNLI") == "accuracy_matched"
    assert task_metric("MRPC") == "accuracy_and_f1"


def test_nan_counts_by_metric():
    table = nan_counts(scores({1: [np.nan, 0.1]}, task="STS-B", metric="corr"))
    assert table.to_dict("records") == [
        {"task": "STS-B", "encoder": "random", "training": "frozen", "metric": "corr", "nan": 1, "of": 2}
    ]


class FakeResults:
    """The `Results` interface over given frames."""

    def __init__(self, frames):
        self._frames = frames

    def table(self, name):
        return self._frames[name]

    @property
    def jobs(self):
        return self._frames["jobs"]


COSTS = ["task", "encoder", "training", "encoder_seconds", "head_seconds", "layer_passes", "job_id"]


def test_summary_of_nothing_says_so():
    empty = {
        "scores": scores({1: [0.1]}).iloc[:0],
        "costs": pd.DataFrame(columns=COSTS),
        "jobs": pd.DataFrame(columns=["job_id", "seconds"]),
    }
    summary = summarise(FakeResults(empty), Config())
    assert not summary.figures
    assert summary.notes == ["0 of 0 scores are NaN."]


def test_summary_has_a_panel_a_task_and_a_line_an_encoder_and_training():
    table = pd.concat(
        [
            scores({1: [0.5, 0.6], 2: [0.7, 0.8]}),
            scores({1: [0.4, 0.5], 2: [0.3, 0.8]}, training="finetuned", encoder="pretrained"),
            scores({1: [0.0, np.nan], 2: [0.1, 0.2]}, task="STS-B", metric="corr"),
        ]
    )
    frames = {
        "scores": table,
        "costs": pd.DataFrame([["RTE", "random", "frozen", 1.0, 2.0, 300, "a"]], columns=COSTS),
        "jobs": pd.DataFrame([["a", 3.5]], columns=["job_id", "seconds"]),
    }
    summary = summarise(FakeResults(frames), Config(tasks=("RTE", "STS-B")))
    axes = [axis for axis in summary.figures["score_by_depth"].axes if axis.get_visible()]
    assert [axis.get_title() for axis in axes] == ["RTE", "STS-B"]
    assert [len(axis.lines) for axis in axes] == [2, 1]
    assert "1 of 12 scores are NaN (see nan_counts)." in summary.notes
    assert summary.tables["costs"].to_dict("records")[0]["seconds"] == 3.5


def test_means_that_only_rounding_tells_apart_are_ties():
    nearly = {1: [0.1, 0.2, 0.3], 2: [0.2, 0.2, 0.2], 3: [0.3, 0.2, 0.1], 4: [0.5, 0.6, 0.7], 5: [0.7, 0.6, 0.5]}
    whole = {1: [1, 1, 1], 2: [2, 2, 2], 3: [3, 3, 3], 4: [4, 4, 4], 5: [5, 5, 5]}
    rows = pd.concat([scores(nearly), scores(whole, task="CoLA", metric=task_metric("CoLA"))], ignore_index=True)
    curves = depth_curves(rows)
    (row,) = task_correlations(curves).itertuples()
    assert row.spearman == pytest.approx(stats.spearmanr([1, 1, 1, 2, 2], [1, 2, 3, 4, 5])[0])
    assert peaks(rows, curves).set_index("task").loc["RTE", "peak_depth"] == 4  # the shallowest of equals
