"""Made-up scores of all checkpoints, in which attention learns what the words already say."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestrator.experiment import Job, Stage, TableSpec
from tasks.attention.learning.plan import PERFORMANCE, gold_needs, statistics_job
from tasks.attention.learning.runs import LearningOptions, Run, checkpoint_name
from tasks.attention.learning.scores import PARTS, Scores, halves, write_scores

OPTIONS = LearningOptions(seeds=(20, 13, 14))
RUNS = OPTIONS.runs
STEPS = (0, 10, 50, 100)
ITEMS = {"val": 30, "train": 20}
GROWTH = {0: 0.0, 10: 0.3, 50: 1.0, 100: 2.0}
"""How much of what is true a checkpoint's scores hold, beside noise of 1."""


@dataclass(frozen=True, kw_only=True)
class FakeParams:
    """What evaluations, Delta and proxies of any experiment have in common."""

    dataset: str = "made"
    kind: str = "normal"
    seed: int = 20
    step: int = 0
    what: str = "evaluation"


FAKE = Stage(
    name="fake_scores",
    function="tests.tasks.attention.learning.fake:nothing",
    params=FakeParams,
    tables={"performance": PERFORMANCE},
    artifact=True,
)


def jobs(
    options: LearningOptions = OPTIONS, legacy_sign: bool = True, **asked
) -> tuple[Job, dict[tuple[Run, int], Job]]:
    """The job of the statistics, and those of the evaluations."""
    evaluations = {
        (run, step): Job(stage=FAKE, params=FakeParams(kind=run.kind, seed=run.seed, step=step))
        for run in RUNS.all
        for step in STEPS
    }
    delta = Job(stage=FAKE, params=FakeParams(what="delta"), needs=gold_needs(RUNS.gold, evaluations))
    proxies = {name: Job(stage=FAKE, params=FakeParams(what=name)) for name in ("px", "logistic")}
    given = {"evaluations": evaluations, "delta": delta, "proxies": proxies, **asked}
    return statistics_job(options, dataset="made", legacy_sign=legacy_sign, **given), evaluations


def performance(run: Run, step: int) -> dict[str, dict[str, dict[str, float]]]:
    """Accuracy grows; the gold run is best at 50 on the half a, at the end on all items. BLEU is best at 50."""
    base = 0.5 + 0.1 * STEPS.index(step) + 0.001 * (run.seed % 7)
    told = {part: {"accuracy": base, "perplexity": 9 - base, "bleu": 20.0 + (step == 50)} for part in PARTS}
    if step == 50:
        told["a"] = {"accuracy": 0.99, "perplexity": 5.0, "bleu": 21.0}
    return dict.fromkeys(ITEMS, told)


def write_all(root: Path) -> dict[str, Path]:
    """Artifacts of all that the statistics need, by the names of the needs."""
    rng = np.random.default_rng(0)
    lengths = np.concatenate([rng.integers(2, 40, size=count) for count in ITEMS.values()])
    half = np.concatenate([halves(count, split) for split, count in ITEMS.items()])
    total = int(lengths.sum())
    truth = rng.normal(size=total)

    def noisy(share: float) -> np.ndarray:
        return share * truth + rng.normal(size=total)

    def write(name: str, values: Mapping[str, np.ndarray], told: Mapping) -> None:
        directory = root / name
        directory.mkdir(parents=True)
        write_scores(directory, Scores(items=ITEMS, lengths=lengths, half=half, values=values, performance=told))

    names = []
    for run in RUNS.all:
        for step in STEPS:
            names.append(checkpoint_name(run, step))
            values = {what: noisy(GROWTH[step] * (1 if what == "alpha" else 2)) for what in RUNS.quantities(run)}
            write(names[-1], values, performance(run, step))
    write("delta", {"delta-50": noisy(1.0), "delta-100": noisy(1.5)}, {})
    for name in ("px", "logistic"):
        write(f"proxy-{name}", {"beta": noisy(6.0), "beta-heldout": noisy(5.0)}, {})
    return {name: root / name for name in (*names, "delta", "proxy-px", "proxy-logistic")}


def performance_rows(run: Run, step: int) -> list[dict]:
    """Rows of the table `performance`."""
    return [
        {"split": split, "part": part, "metric": metric, "value": value}
        for split, parts in performance(run, step).items()
        for part, values in parts.items()
        for metric, value in values.items()
    ]


SPECS: dict[str, TableSpec] = {"performance": PERFORMANCE}
