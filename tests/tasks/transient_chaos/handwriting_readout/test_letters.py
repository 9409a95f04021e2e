"""The curves of the letters, and the letters that labels choose."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.transient_chaos.handwriting_readout.letters import (
    STROKES,
    S,
    U,
    drawn,
    letter_shares,
    pen_position,
    stroke_curve,
)

points = st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=2, max_size=30)


def test_the_letters_stay_in_the_square_and_have_a_few_dozen_even_steps():
    for letter in STROKES:
        steps = np.linalg.norm(np.diff(letter, axis=0), axis=1)
        assert 24 <= len(letter) <= 60
        assert np.min(letter) >= 0
        assert np.max(letter) <= 1
        assert steps.max() < 1.1 * steps.min()
    assert min(U[0][1], U[-1][1]) > 0.9  # both ends of U are up, S runs from the upper right to the lower left
    assert S[0][0] > 0.7
    assert S[-1][0] < 0.3
    assert S[-1][1] < 0.3


@given(points)
def test_the_pen_passes_through_the_points_and_goes_on_straight_outside(given_points):
    array = np.array(given_points)
    knots = np.linspace(0, 1, len(array))
    np.testing.assert_allclose(pen_position(given_points, knots), array, atol=1e-12)
    out = pen_position(given_points, np.array([-knots[1], 1 + knots[1]]))
    np.testing.assert_allclose(out, [2 * array[0] - array[1], 2 * array[-1] - array[-2]], atol=1e-11)


@given(points, st.integers(1, 60))
def test_positions_are_the_running_sums_of_velocities(given_points, n):
    velocity, position = (stroke_curve(given_points, n, mode) for mode in ("velocity", "position"))
    assert velocity.shape == (n, 2)
    np.testing.assert_array_equal(position, np.cumsum(velocity, axis=0))
    np.testing.assert_allclose(drawn(velocity, "velocity"), drawn(position, "position"))


def test_a_straight_stroke_has_one_velocity_and_ends_of_a_letter_have_that_of_their_piece():
    np.testing.assert_allclose(stroke_curve([(0, 0), (1, 2), (2, 4)], 7, "velocity"), [[2, 4]] * 7, atol=1e-9)
    velocity = stroke_curve(U, 10, "velocity")
    np.testing.assert_allclose(velocity[0], (np.array(U[1]) - U[0]) * (len(U) - 1), atol=1e-9)
    np.testing.assert_allclose(velocity[-1], (np.array(U[-1]) - U[-2]) * (len(U) - 1), atol=1e-9)


@pytest.mark.parametrize("letter", STROKES)
def test_a_long_drawing_is_the_letter(letter):
    way = drawn(stroke_curve(letter, 2000, "velocity"), "velocity")
    np.testing.assert_allclose(way, pen_position(letter, np.linspace(0, 1, 2000)) - letter[0], atol=5e-3)


@given(st.lists(st.floats(0, 5), min_size=1, max_size=30))
def test_scores_mix_the_letters_truncated_only_as_published(scores):
    kept, share = letter_shares("STS-B", np.array(scores))
    np.testing.assert_array_equal(kept, np.arange(len(scores)))
    np.testing.assert_array_equal(share, np.array(scores) / 5)
    np.testing.assert_array_equal(
        letter_shares("STS-B", np.array(scores), legacy=True)[1], [int(s) / 5 for s in scores]
    )


def test_thresholds_keep_both_ends():
    kept, share = letter_shares("STS-B", np.array([1.0, 4.0, 2.5, 0.2, 5.0, 3.9]), low=1, high=4)
    assert kept.tolist() == [0, 1, 3, 4]
    assert share.tolist() == [0, 1, 0, 1]


def test_classes_are_the_letters():
    kept, share = letter_shares("QQP", np.array([0, 1, 1]))
    assert (kept.tolist(), share.tolist()) == ([0, 1, 2], [0, 1, 1])
    assert letter_shares("similarity", np.array([0.25]))[1].tolist() == [0.25]


@pytest.mark.parametrize(
    ("task", "labels", "options", "message"),
    [
        ("STS-B", [], {}, "dev of STS-B is empty"),
        ("QQP", [0, -1], {}, "example 1 has the label -1.0; the readout needs the classes 0 and 1"),
        ("QQP", [0, 0.5], {}, "example 1 has the label 0.5"),
        ("STS-B", [float("nan")], {}, "example 0 has the label nan; the readout needs scores from 0 to 5"),
        ("STS-B", [5.5], {}, "scores from 0 to 5"),
        ("STS-B", [2.0, 3.0], {"low": 1.0, "high": 4.0}, "dev of STS-B has no score up to 1"),
        ("STS-B", [0.5, 3.0], {"low": 1.0, "high": 4.0}, "dev of STS-B has no score from 4 on"),
    ],
)
def test_labels_that_no_letter_belongs_to_are_refused(task, labels, options, message):
    with pytest.raises(ValueError, match=message):
        letter_shares(task, np.array(labels, dtype=float), split="dev", **options)
