"""The scores that the statistics read, opened and checked against each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.attention.learning.choice import SELECTIONS, best_step, performance_at
from tasks.attention.learning.params import StatisticsParams
from tasks.attention.learning.plan import DELTA, PROXY
from tasks.attention.learning.runs import Run, checkpoint_name
from tasks.attention.learning.scores import PARTS, Scores, read_scores
from tasks.data.errors import DataError

HELD_OUT = "-heldout"


@dataclass(frozen=True, kw_only=True)
class Opened:
    """All scores of one set of statistics; they list the same items in the same order."""

    evaluations: Mapping[tuple[Run, int], Scores]
    delta: Scores
    proxies: Mapping[str, Scores]

    @property
    def items(self) -> Scores:
        """Any of them, for what is the same in all: items, lengths, halves."""
        return self.delta

    def performance(self, run: Run, step: int, split: str, part: str, name: str) -> float:
        """One number of a checkpoint."""
        scores = self.evaluations[run, step]
        return performance_at(scores.performance, split, part, name, checkpoint_name(run, step))

    def flat(self, scores: Scores, quantity: str, split: str) -> np.ndarray:
        """The numbers of the items of one split, end to end.

        Raises:
            DataError: these scores do not have the quantity.
        """
        rows = scores.rows(split)
        values = scores.quantity(quantity)
        if not len(rows):
            return values.values[:0]
        return values.values[int(values.offsets[rows[0]]) : int(values.offsets[rows[-1] + 1])]

    def parts(self, split: str) -> np.ndarray:
        """Which items of a split are in `PARTS`, bool [parts, items]."""
        rows = self.items.rows(split)
        half = np.asarray(self.items.half)[rows]
        return np.stack([np.ones(len(rows), dtype=bool), *(half == number for number in range(len(PARTS) - 1))])


def open_all(params: StatisticsParams, needs: Mapping[str, Path]) -> Opened:
    """Open the scores of every checkpoint, of Delta and of the proxies.

    Raises:
        DataError: one is missing or lists other items, with its name.
    """
    evaluations = {
        (run, step): _open(needs, checkpoint_name(run, step)) for run in params.runs.all for step in params.steps
    }
    proxies = {name: _open(needs, PROXY + name) for name in params.proxies}
    opened = Opened(evaluations=evaluations, delta=_open(needs, DELTA), proxies=proxies)
    first = evaluations[params.runs.gold, params.steps[0]]
    lengths, half = np.asarray(first.lengths), np.asarray(first.half)
    named = {checkpoint_name(run, step): scores for (run, step), scores in evaluations.items()}
    named |= {DELTA: opened.delta, **{PROXY + name: scores for name, scores in proxies.items()}}
    for name, scores in named.items():
        same = dict(scores.items) == dict(first.items)
        if not same or not np.array_equal(scores.lengths, lengths) or not np.array_equal(scores.half, half):
            raise DataError(
                f"{params.dataset}: the scores {name} list {dict(scores.items)} items with "
                f"{int(scores.lengths.sum()):,} source positions, not the {dict(first.items)} with "
                f"{int(lengths.sum()):,} of {checkpoint_name(params.runs.gold, params.steps[0])}, in its order; all "
                "must be of the same items"
            )
    for split in params.splits:
        if not len(first.rows(split)):
            raise DataError(f"{params.dataset}: the split {split} has no items; statistics of nothing are undefined")
    return opened


def _open(needs: Mapping[str, Path], name: str) -> Scores:
    if name not in needs:
        raise DataError(f"the scores {name} are missing: a checkpoint of the grid has no evaluation; run its job again")
    try:
        return read_scores(needs[name])
    except DataError as error:
        raise DataError(f"the scores {name}: {error}") from error


def gold_steps(opened: Opened, params: StatisticsParams, split: str) -> dict[tuple[str, str], int]:
    """i* for each performance and selection."""
    gold, found = params.runs.gold, {}
    for name in params.performances:
        for selection, (part, _) in SELECTIONS.items():
            values = {step: opened.performance(gold, step, split, part, name) for step in params.steps}
            found[name, selection] = best_step(values, f"{gold.name}, {name} of {split}, part {part}")
    return found
