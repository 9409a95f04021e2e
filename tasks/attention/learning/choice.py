"""Which checkpoint of a run does best, and for which ones Delta is computed (attention_dynamics 5.2, 8.1)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tasks.attention.learning.runs import Run, checkpoint_name, complete
from tasks.attention.learning.scores import Performance, read_scores

SELECTIONS = {"same": ("all", "all"), "held_out": ("a", "b")}
"""By selection: the part on which checkpoints are chosen, and the part on which they are judged."""


def performance_at(performance: Performance, split: str, part: str, name: str, where: str) -> float:
    """One number of a checkpoint.

    Raises:
        ValueError: the checkpoint has none of that name.
    """
    try:
        return float(performance[split][part][name])
    except KeyError:
        raise ValueError(
            f"{where}: no {name} of the part {part} of the split {split} among its scores; evaluate it with that "
            "performance"
        ) from None


def best_step(values: Mapping[int, float], where: str) -> int:
    """i*: the first step with the largest value; values that are NaN never win.

    Raises:
        ValueError: no value is a number.
    """
    steps = sorted(values)
    numbers = np.array([values[step] for step in steps], dtype=float)
    if np.isnan(numbers).all():
        raise ValueError(f"{where}: performance is NaN at all of {len(steps)} checkpoints; none can be chosen")
    return steps[int(np.nanargmax(numbers))]


def delta_choice(
    needs: Mapping[str, Path], gold: Run, steps: Sequence[int], splits: Sequence[str], performances: Sequence[str]
) -> tuple[int, ...]:
    """The steps whose Delta the statistics use: i* of every split, performance and selection. For the delta job.

    Args:
        needs: the job's `context.needs`, with the gold run's evaluations as named by `plan.gold_needs`.

    Raises:
        ValueError: a checkpoint lacks a performance, or has no number anywhere.
        DataError: an artifact of scores is missing.
    """
    grid = complete(steps)
    told = {step: read_scores(needs[checkpoint_name(gold, step)]).performance for step in grid}
    chosen = set()
    for split in splits:
        for name in performances:
            for part, _ in SELECTIONS.values():
                values = {
                    step: performance_at(told[step], split, part, name, checkpoint_name(gold, step)) for step in grid
                }
                chosen.add(best_step(values, f"{gold.name}, {name} of {split}, part {part}"))
    return tuple(sorted(chosen))
