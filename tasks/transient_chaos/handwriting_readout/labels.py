"""From the labels of a task to the share of the second letter in each example's target (transient_chaos 8).

Dimensions: N examples of a split, n of them kept.
"""

import numpy as np

from tasks.data.examples import task_info
from tasks.transient_chaos.handwriting_readout.params import TOP_SCORES


def letter_shares(
    task: str,
    labels_N: np.ndarray,
    *,
    low: float | None = None,
    high: float | None = None,
    legacy: bool = False,
    split: str = "the split",
) -> tuple[np.ndarray, np.ndarray]:
    """Indices [n] of the examples that are kept and the share [n] of the second letter in their targets.

    Scores: score / top, so that the lowest writes U and the highest S and those between a mixture; with `legacy`
    int(score) / top, as published. With thresholds only scores up to `low` and from `high` on are kept, and those above
    the middle (2.5 of 5) write S. Two classes: their number.

    Raises:
        ValueError: no labels, labels outside the task's range, more than two classes, or thresholds that leave none or
            one class.
    """
    info = task_info(task)
    labels = np.asarray(labels_N, dtype=np.float64)
    if not len(labels):
        raise ValueError(f"{split} of {task} is empty; give data with at least one example")
    if not info.is_regression and info.n_outputs != 2:
        raise ValueError(f"{task} has {info.n_outputs} classes, there are two letters: give a task with two")
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
