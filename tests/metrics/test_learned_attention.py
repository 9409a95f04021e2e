"""The dictionary of statistics from numbers that show each rule."""

import numpy as np
import pytest

from metrics.learned_attention import Curve, Found, first_crossing, largest_at, learned_attention

STEPS = (0, 10, 50, 100)
HALF_WAY = float(np.mean([0.7, 0.9]))
"""Mean performance at step 50."""


def curve(judged, chosen=None):
    judged = np.array(judged)
    return Curve(
        judged=judged, chosen=judged if chosen is None else np.array(chosen), baseline=np.array([0.1, 0.2, 0.3, 0.4])
    )


def found(**curves):
    return learned_attention(
        STEPS,
        best=Found(0.9, 100),
        attention=np.array([[0.1, 0.3, 0.5, 0.7], [0.1, 0.3, 0.7, 0.9]]),
        attention_baseline=np.array([[0.05, 0.05, 0.05, 0.05], [0.05, 0.05, 0.05, 0.13]]),
        performance=np.array([[0.5, 0.6, 0.7, 0.8], [0.5, 0.6, 0.9, 0.8]]),
        curves=curves,
    )


def test_means_over_runs_and_the_first_crossing():
    told = found(unif=curve([0.1, 0.4, 0.2, 0.4]))
    assert [one.value for one in told["alpha_corrs"]] == pytest.approx([0.1, 0.3, 0.6, 0.8])
    assert [one.value for one in told["alpha_perfs"]] == pytest.approx([0.5, 0.6, 0.8, 0.8])
    assert [one.step for one in told["alpha_corrs"]] == list(STEPS)
    assert told["agr_unif"] == [Found(0.4, 10)]  # the first of two equal ones
    assert told["baseline_unif"] == [Found(0.2, 10)]
    assert told["xi_unif"] == [Found(HALF_WAY, 50)]
    (baseline,) = told["baseline"]
    assert (baseline.value, baseline.step) == (pytest.approx(0.06), None)
    assert told["best_perf"] == [Found(0.9, 100)]


def test_a_level_must_be_passed_not_met():
    attention, performance = np.array([0.25, 0.5, 0.75]), np.array([1.0, 2.0, 3.0])
    assert first_crossing((0, 1, 2), attention, 0.5, performance) == Found(3.0, 2)
    assert first_crossing((0, 1, 2), attention, 0.75, performance) == Found(None, None)
    assert first_crossing((0, 1, 2), np.array([np.nan, 0.5, 0.75]), 0.1, performance) == Found(2.0, 1)


def test_held_out_takes_the_value_where_the_other_half_is_largest():
    told = found(px=curve(judged=[0.2, 0.35, 0.9, 0.1], chosen=[0.1, 0.8, 0.3, 0.2]))
    assert told["agr_px"] == [Found(0.35, 10)]
    assert told["xi_px"] == [Found(HALF_WAY, 50)]


def test_what_is_nan_is_neither_largest_nor_reached():
    assert largest_at(np.array([np.nan, 0.1, 0.3, np.nan])) == 2
    told = found(grad=curve([np.nan] * 4), unif=curve([np.nan, 0.3, np.nan, 0.1]))
    assert np.isnan(told["agr_grad"][0].value or 0.0)
    assert told["xi_grad"] == [Found(None, None)]
    assert told["agr_unif"] == [Found(0.3, 10)]


def test_shapes_that_do_not_go_together_are_named():
    with pytest.raises(ValueError, match=r"curve px of shape \(2,\); expected \[4\]"):
        found(px=Curve(judged=np.zeros(2), chosen=np.zeros(2), baseline=np.zeros(2)))
    with pytest.raises(ValueError, match=r"performance of shape \(1, 2\)"):
        learned_attention(
            STEPS,
            best=Found(1.0, 0),
            attention=np.zeros((2, 4)),
            attention_baseline=np.zeros((2, 4)),
            performance=np.zeros((1, 2)),
            curves={},
        )
