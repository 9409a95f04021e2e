import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.transient_chaos.handwriting_readout.strokes import (
    STROKES,
    S,
    U,
    drawn,
    pen_position,
    stroke_curve,
    stroke_points,
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


@pytest.mark.parametrize(
    ("given_points", "message"),
    [
        ([(0, 0)], "has 1 points; a curve needs at least 2"),
        ([], r"has the shape \(0,\)"),
        ([(0, 0, 0), (1, 1, 1)], "has the shape"),
        ([(0, 0), (1,)], "no list of pairs"),
        ([(0, 0), (1, float("nan"))], "point 1 is"),
    ],
)
def test_what_is_no_stroke_is_refused(given_points, message):
    with pytest.raises(ValueError, match=message):
        stroke_points(given_points)


def test_a_curve_needs_a_point_and_a_known_mode():
    with pytest.raises(ValueError, match="0 points"):
        stroke_curve(U, 0, "velocity")
    with pytest.raises(ValueError, match="write_mode is 'speed'"):
        stroke_curve(U, 5, "speed")  # pyright: ignore[reportArgumentType]
