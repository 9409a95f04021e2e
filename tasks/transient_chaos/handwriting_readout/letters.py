"""The two letters that the readout writes, the curves made of them, and which letter a label chooses (README 8).

A stroke is a list of points (x, y) in the order in which the pen meets them, here drawn in the unit square by hand and
ruler; the published point lists were never released. P(q), q in [0, 1], passes through the points at equally spaced q
with straight lines between. A window of n layers writes n points of it, as velocities or as positions.

Dimensions: P points of a stroke, n points of a curve (the window's length), C curves, K = 2 coordinates, N examples.
"""

from collections.abc import Sequence

import numpy as np

from tasks.data.examples import task_info
from tasks.transient_chaos.handwriting_readout.config import TOP_SCORES, WriteMode

STEP = 5e-6  # half the interval of the central difference, in q

U = (
    (0.130, 0.970), (0.133, 0.898), (0.135, 0.827), (0.138, 0.755), (0.140, 0.683), (0.143, 0.611),
    (0.145, 0.540), (0.148, 0.468), (0.150, 0.396), (0.154, 0.325), (0.172, 0.255), (0.202, 0.191),
    (0.245, 0.133), (0.299, 0.086), (0.361, 0.050), (0.429, 0.028), (0.500, 0.020), (0.571, 0.028),
    (0.639, 0.050), (0.701, 0.086), (0.755, 0.133), (0.798, 0.191), (0.828, 0.255), (0.846, 0.325),
    (0.850, 0.396), (0.852, 0.468), (0.855, 0.540), (0.857, 0.611), (0.860, 0.683), (0.862, 0.755),
    (0.865, 0.827), (0.867, 0.898), (0.870, 0.970),
)  # fmt: skip
S = (
    (0.772, 0.861), (0.723, 0.909), (0.665, 0.945), (0.600, 0.968), (0.533, 0.979), (0.464, 0.978),
    (0.397, 0.967), (0.332, 0.943), (0.274, 0.907), (0.226, 0.858), (0.197, 0.797), (0.191, 0.729),
    (0.213, 0.664), (0.254, 0.610), (0.309, 0.569), (0.372, 0.541), (0.438, 0.525), (0.507, 0.520),
    (0.575, 0.514), (0.642, 0.499), (0.705, 0.473), (0.762, 0.435), (0.810, 0.386), (0.841, 0.325),
    (0.850, 0.258), (0.832, 0.192), (0.794, 0.135), (0.743, 0.090), (0.683, 0.057), (0.618, 0.035),
    (0.550, 0.023), (0.482, 0.020), (0.414, 0.028), (0.347, 0.045), (0.285, 0.073), (0.229, 0.112),
    (0.183, 0.164),
)  # fmt: skip

STROKES = (U, S)
"""The letter of class 0 (or the lowest score), then that of class 1 (or the highest)."""


def pen_position(points: Sequence[Sequence[float]] | np.ndarray, q: np.ndarray) -> np.ndarray:
    """P(q) [n, 2] for `q` [n]: piecewise linear through the points at q = 0, 1/(P-1), ..., 1.

    Below 0 and above 1 the first and the last piece go on, so that the central difference at an end is that piece's
    slope.
    """
    points = np.asarray(points, dtype=np.float64)
    knots = np.linspace(0.0, 1.0, len(points))
    above = np.clip(np.searchsorted(knots, q), 1, len(points) - 1)
    below = above - 1
    slope = (points[above] - points[below]) / (knots[above] - knots[below])[:, None]
    return points[below] + slope * (q - knots[below])[:, None]


def stroke_curve(points: Sequence[Sequence[float]] | np.ndarray, n: int, write_mode: WriteMode) -> np.ndarray:
    """The target [n, 2] of a window of `n` layers.

    velocity: v_j = (P(q_j + 5e-6) - P(q_j - 5e-6)) / 1e-5 at q_j = j / (n - 1), or q = 0 where n is 1; strokes a unit
    of q. position: the running sums v_0, v_0 + v_1, ..., as published not multiplied by dq (the error has no unit, so
    the factor cancels).
    """
    q = np.linspace(0.0, 1.0, n) if n > 1 else np.zeros(1)
    velocity = (pen_position(points, q + STEP) - pen_position(points, q - STEP)) / (2 * STEP)
    return velocity if write_mode == "velocity" else np.cumsum(velocity, axis=0)


def stroke_curves(strokes: Sequence[Sequence[Sequence[float]]], n: int, write_mode: WriteMode) -> np.ndarray:
    """The targets [C, n, 2] of all strokes."""
    return np.stack([stroke_curve(points, n, write_mode) for points in strokes])


def drawn(curve: np.ndarray, write_mode: WriteMode) -> np.ndarray:
    """The way of the pen [n, 2] that a target or an output [n, 2] describes, in units of the stroke's square.

    It begins where the first step ends, since a velocity says nothing of the place; dq = 1 / (n - 1).
    """
    dq = 1.0 / max(1, len(curve) - 1)
    return dq * (np.cumsum(curve, axis=0) if write_mode == "velocity" else curve)


def letter_shares(
    task: str,
    labels_N: np.ndarray,
    *,
    low: float | None = None,
    high: float | None = None,
    legacy: bool = False,
    split: str = "the split",
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the examples that are kept, ascending, and the share of the second letter in the target of each.

    Scores: score / top, so that the lowest writes U and the highest S and those between a mixture; with `legacy`
    int(score) / top, as published. With thresholds only scores up to `low` and from `high` on are kept, and those above
    the middle (2.5 of 5) write S. Two classes: their number.

    Raises:
        ValueError: no labels, labels outside the task's range, or thresholds that leave none or one class.
    """
    info = task_info(task)
    labels = np.asarray(labels_N, dtype=np.float64)
    if not len(labels):
        raise ValueError(f"{split} of {task} is empty; give data with at least one example")
    top = TOP_SCORES[task] if info.is_regression else 1.0
    wrong = ~(np.isfinite(labels) & (labels >= 0) & (labels <= top))
    if not info.is_regression:
        wrong |= labels % 1 != 0
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        kind = f"scores from 0 to {top:g}" if info.is_regression else "the classes 0 and 1"
        raise ValueError(f"{split} of {task}: example {first} has the label {labels[first]}; the readout needs {kind}")
    every = np.arange(len(labels))
    if low is None or high is None:
        return every, (np.trunc(labels) if legacy else labels) / top
    kept = every[(labels <= low) | (labels >= high)]
    share = (labels[kept] > top / 2).astype(np.float64)
    for letter, name in ((0.0, f"up to {low:g}"), (1.0, f"from {high:g} on")):
        if not (share == letter).any():
            raise ValueError(f"{split} of {task} has no score {name}; give other thresholds, or more examples")
    return kept, share
