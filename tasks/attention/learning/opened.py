"""The scores of checkpoints, opened and checked against each other, and which checkpoint of a run does best."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestrator.experiment import Context
from tasks.attention.learning.plan import DELTA, PROXY, StatisticsParams
from tasks.attention.learning.runs import GoldRun, Run, checkpoint_name
from tasks.attention.learning.scores import Layout, Performance, Scores, part_masks, read_scores, write_scores
from tasks.attention.ragged import artifact_of
from tasks.data.errors import DataError
from tasks.training.numerics import exact_numerics

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
    """The first step with the largest value, i* of a run's performance; values that are NaN never win.

    Raises:
        ValueError: no value is a number.
    """
    steps = sorted(values)
    numbers = np.array([values[step] for step in steps], dtype=float)
    if np.isnan(numbers).all():
        raise ValueError(f"{where}: performance is NaN at all of {len(steps)} checkpoints; none can be chosen")
    return steps[int(np.nanargmax(numbers))]


def chosen_steps(
    told: Mapping[int, Performance], gold: Run, split: str, performances: Sequence[str]
) -> dict[tuple[str, str], int]:
    """The gold run's best step, i*, by performance and selection, from what it does at each step.

    Raises:
        ValueError: a checkpoint lacks a performance, or has no number anywhere.
    """
    found = {}
    for name in performances:
        for selection, (part, _) in SELECTIONS.items():
            values = {
                step: performance_at(one, split, part, name, checkpoint_name(gold, step)) for step, one in told.items()
            }
            found[name, selection] = best_step(values, f"{gold.name}, {name} of {split}, part {part}")
    return found


def delta_choice(
    needs: Mapping[str, Path], gold: Run, steps: Sequence[int], splits: Sequence[str], performances: Sequence[str]
) -> tuple[int, ...]:
    """The steps whose Delta the statistics use: i* of every split, performance and selection. For the delta job.

    Args:
        needs: the job's `context.needs`, with the gold run's evaluations as named by `plan.gold_needs`.

    Raises:
        ValueError: as `chosen_steps`.
        DataError: an artifact of scores is missing.
    """
    told = {step: read_scores(needs[checkpoint_name(gold, step)]).performance for step in steps}
    return tuple(sorted({i for split in splits for i in chosen_steps(told, gold, split, performances).values()}))


def write_delta(
    context: Context,
    params: GoldRun,
    splits: Sequence[str],
    performances: Sequence[str],
    layout: Layout,
    delta_at: Callable[[Run, int], np.ndarray],
) -> None:
    """Delta of the gold run at the checkpoints of `delta_choice`, as the artifact of scores of a delta job.

    Args:
        delta_at: Delta of all items at a checkpoint, flat.

    Raises:
        ValueError: as `chosen_steps`.
        DataError: an artifact of scores is missing.
    """
    artifact, gold = artifact_of(context, "a delta job"), Run("normal", params.seed)
    steps = delta_choice(context.needs, gold, params.steps, splits, performances)
    with exact_numerics():
        values = {f"delta-{step}": delta_at(gold, step) for step in steps}
    write_scores(artifact, layout.scores(values, {}))


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
        return np.stack(list(part_masks(np.asarray(self.items.half)[self.items.rows(split)]).values()))


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
    gold = params.runs.gold
    told = {step: opened.evaluations[gold, step].performance for step in params.steps}
    return chosen_steps(told, gold, split, params.performances)
