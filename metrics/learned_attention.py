"""The published dictionary of statistics on how attention is learned, from agreements that have been computed.

After Snell, Zhong, Klein & Steinhardt, Approximating How Single Head Attention Learns (2021); see
tasks/attention/README.md 3. R comparison runs, I checkpoints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Found:
    """One entry: a value, and the checkpoint that it is taken at."""

    value: float | None
    """None where xi is never reached."""
    step: int | None
    """None for a mean over checkpoints, and where nothing is found."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A(u, v_i) over checkpoints i, for one u and the v of one run."""

    judged: np.ndarray
    """[I] on the items whose values are reported."""
    chosen: np.ndarray
    """[I] on the items on which the largest is chosen; the same array where both are the same items."""
    baseline: np.ndarray
    """[I] expected agreement after shuffling, on the judged items."""


def learned_attention(
    steps: Sequence[int],
    *,
    best: Found,
    attention: np.ndarray,
    attention_baseline: np.ndarray,
    performance: np.ndarray,
    curves: Mapping[str, Curve],
) -> dict[str, list[Found]]:
    """Every key of the dictionary, each with one entry, those over checkpoints with I.

    agr_x is the largest value of curve x; xi_x the performance at the first checkpoint whose alpha agrees with the gold
    run's better than that: strictly, on the grid, nothing interpolated, None where there is none. What is NaN is
    neither largest nor reached. baseline_x is the baseline of curve x at the checkpoint of agr_x.

    Args:
        steps: checkpoints, rising [I].
        best: the gold run's performance at i*.
        attention: [R, I] agreement of the gold run's alpha at i* with alpha of each comparison run.
        attention_baseline: [R, I] of the same; its mean is `baseline`.
        performance: [R, I] of the comparison runs.
        curves: by what the key ends in: unif, px, logistic, grad, normal.

    Raises:
        ValueError: shapes that do not go together.
    """
    grid = len(steps)
    for name, array in (("attention", attention), ("its baseline", attention_baseline), ("performance", performance)):
        if array.ndim != 2 or array.shape != attention.shape or array.shape[1] != grid or not len(array):
            raise ValueError(f"{name} of shape {array.shape}; expected [R, {grid}] with R of 1 or more")
    mean_attention, mean_performance = attention.mean(axis=0), performance.mean(axis=0)
    found = {
        "alpha_corrs": [Found(float(value), step) for step, value in zip(steps, mean_attention, strict=True)],
        "alpha_perfs": [Found(float(value), step) for step, value in zip(steps, mean_performance, strict=True)],
        "best_perf": [best],
        "baseline": [Found(float(attention_baseline.mean()), None)],
    }
    for name, curve in curves.items():
        if any(array.shape != (grid,) for array in (curve.judged, curve.chosen, curve.baseline)):
            raise ValueError(f"curve {name} of shape {curve.judged.shape}; expected [{grid}]")
        at = largest_at(curve.chosen)
        if at is None:
            found |= {f"agr_{name}": [Found(np.nan, None)], f"baseline_{name}": [Found(np.nan, None)]}
            found[f"xi_{name}"] = [Found(None, None)]
            continue
        agreement = float(curve.judged[at])
        found[f"agr_{name}"] = [Found(agreement, steps[at])]
        found[f"baseline_{name}"] = [Found(float(curve.baseline[at]), steps[at])]
        found[f"xi_{name}"] = [first_crossing(steps, mean_attention, agreement, mean_performance)]
    return found


def largest_at(values: np.ndarray) -> int | None:
    """Index of the first largest value; None where all are NaN."""
    return None if np.isnan(values).all() else int(np.nanargmax(values))


def first_crossing(steps: Sequence[int], curve: np.ndarray, level: float, performance: np.ndarray) -> Found:
    """Performance at the first checkpoint where the curve is above the level, strictly."""
    above = np.flatnonzero(curve > level)
    return Found(float(performance[above[0]]), steps[above[0]]) if len(above) else Found(None, None)
