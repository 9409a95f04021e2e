"""Which trainings an experiment compares, at which checkpoints and in what: the options of both. Imports no torch.

A *run* is one training, named by its kind and seed: `normal-20`, `uniform-12`. The first normal seed is the *gold run*,
the others are *comparison runs*, the first of them B; the *uniform run* has attention frozen to one over the length.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, MinLen

from orchestrator.limits import AboveZero, Distinct, Limited, NotNegative, Positive, Several, require, shared
from orchestrator.options import Ints

Kind = Literal["normal", "uniform"]
Quantity = Literal["alpha", "beta", "delta"]
Split = Literal["val", "train"]
Metric = Literal["top5", "kendall"]
Performance = Literal["accuracy", "bleu"]
Proxy = Literal["px", "logistic"]

VAL, TRAIN = SPLITS = ("val", "train")
EVERYTHING: tuple[Quantity, ...] = ("alpha", "beta", "delta")


@dataclass(frozen=True, order=True)
class Run:
    """One training."""

    kind: Kind
    """normal, or uniform: attention frozen to 1/S."""
    seed: int

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.seed}"


def run_named(name: str) -> Run:
    """The run of a name, `normal-20`.

    Raises:
        ValueError: no such name.
    """
    kind, _, seed = name.partition("-")
    if kind not in ("normal", "uniform") or not seed.isdigit():
        raise ValueError(f"no run is called {name!r}; expected normal-<seed> or uniform-<seed>")
    return Run(kind, int(seed))


@dataclass(frozen=True, kw_only=True)
class RunOptions(Limited):
    """The trainings that one set of statistics compares, by their seeds."""

    seeds: Annotated[Ints, MinLen(2), Distinct()] = (20, 13)
    """Random seeds of the normal runs: the gold run's first, then those of the runs that it is compared with."""
    uniform_seed: int = 12
    """Random seed of the run with attention frozen to uniform."""

    @property
    def runs(self) -> "Runs":
        return Runs(**shared(self, Runs))


@dataclass(frozen=True, kw_only=True)
class Runs(RunOptions):
    """The trainings themselves."""

    @property
    def gold(self) -> Run:
        return Run("normal", self.seeds[0])

    @property
    def comparison(self) -> tuple[Run, ...]:
        return tuple(Run("normal", seed) for seed in self.seeds[1:])

    @property
    def uniform(self) -> Run:
        return Run("uniform", self.uniform_seed)

    @property
    def all(self) -> tuple[Run, ...]:
        """Gold, comparison, uniform."""
        return (self.gold, *self.comparison, self.uniform)

    def blocks(self, size: int) -> Iterator[tuple[Run, ...]]:
        """All runs, `size` at a time, that one job trains together."""
        return (self.all[start : start + size] for start in range(0, len(self.all), size))

    def quantities(self, run: Run) -> tuple[Quantity, ...]:
        """What the statistics need of each checkpoint of a run; Delta is of the gold run's best alone."""
        if run == self.uniform:
            return ("beta",)
        return ("alpha", "beta") if run == self.comparison[0] else ("alpha",)


@dataclass(frozen=True, kw_only=True)
class SplitOption(Limited):
    """On which items attention is compared."""

    splits: Several[Split] = SPLITS
    """val: the evaluation split; train: a sample of the training split of the same size."""


@dataclass(frozen=True, kw_only=True)
class MetricOption(Limited):
    """How agreement is measured."""

    metrics: Several[Metric] = ("top5", "kendall")
    """top5: whether the maximum of one is among the top 5 % of the other; kendall: rank correlation tau-b."""


@dataclass(frozen=True, kw_only=True)
class PerformanceOption(Limited):
    """By what the gold run's checkpoint is chosen, the more the better."""

    performances: Several[Performance] = ("accuracy",)
    """What chooses the gold run's checkpoint and gives xi: accuracy, or bleu (a beam search a checkpoint)."""


@dataclass(frozen=True, kw_only=True)
class ProxyOption(Limited):
    """Which models of bags of words are compared."""

    proxies: Annotated[tuple[Proxy, ...], Distinct()] = ("px", "logistic")
    """Word-level models: px (averaged embeddings), logistic (a logistic regression on token frequencies)."""


@dataclass(frozen=True, kw_only=True)
class LearningOptions(SplitOption, MetricOption, RunOptions):
    """The options that both experiments have."""

    seeds_together: Positive = 1
    """Number of runs that one job trains together, normal ones first: faster where one does not fill a GPU or core."""
    proxy_width: Positive = 256
    """Size of the bag-of-words proxy's embeddings."""
    proxy_batch: Positive = 64
    """Batch size of the bag-of-words proxy."""
    proxy_seed: int = 0
    """Random seed of the bag-of-words proxy's weights and data order; the published one had none."""
    dump: Literal["needed", "everything"] = "needed"
    """everything: keep alpha, beta and Delta of every run and checkpoint, not only what the statistics need."""

    @property
    def split_order(self) -> tuple[Split, ...]:
        """The splits, val first: artifacts of scores list the items in one order."""
        return tuple(split for split in SPLITS if split in self.splits)

    def kept(self, run: Run) -> tuple[Quantity, ...]:
        """The quantities of a run's checkpoints that are kept."""
        return EVERYTHING if self.dump == "everything" else self.runs.quantities(run)


Steps = Annotated[Several[int], Ge(0)]
"""Checkpoints, as numbers of training steps."""


@dataclass(frozen=True, kw_only=True)
class Trainings(Limited):
    """One run, or a block of runs that are trained together."""

    runs: Several[str]
    """Names of the runs: normal-20, uniform-12, …"""
    saves: Steps
    """Training steps after which weights are kept."""
    curve_points: Positive = 100
    """Maximum number of points of the training curve."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint(Limited):
    """One checkpoint of one run, and what is kept of it."""

    kind: Kind
    """normal, or uniform: attention frozen to one over the length."""
    seed: int
    """Random seed of the run."""
    step: NotNegative
    """Training steps that the checkpoint holds."""
    quantities: tuple[Quantity, ...]
    """Scores that are kept of each position."""


@dataclass(frozen=True, kw_only=True)
class GoldRun(Limited):
    """The gold run, whose performance chooses checkpoints."""

    seed: int
    """Random seed of the gold run."""
    steps: Steps
    """All its checkpoints, among which it chooses."""


@dataclass(frozen=True, kw_only=True)
class ProxyTraining(Limited):
    """How a bag-of-words proxy is trained."""

    epochs: Positive
    """Passes over the training set, of which the best counts."""
    width: Positive = 256
    """Size of the embeddings."""
    batch_size: Positive = 64
    """Batch size."""
    learning_rate: AboveZero
    """Constant learning rate of Adam, on the summed loss of a batch."""
    seed: int = 0
    """Random seed of weights and data order."""


def checkpoint_name(run: Run, step: int) -> str:
    """What the evaluation of a checkpoint is called among a job's needs."""
    return f"{run.name}-{step}"


def checkpoint_steps(steps: int, save_every: int, custom: Iterable[int] = ()) -> tuple[int, ...]:
    """Numbers of updates after which weights are kept, rising: multiples of `save_every`, `custom` ones, 0 and the end.

    A checkpoint is named by the updates that it holds, also the last, which was published under the name 3999 and holds
    4,000 updates.

    Raises:
        ValueError: a custom checkpoint that the training never reaches.
    """
    for step in sorted(custom):
        require(step <= steps, "custom_saves", step, f"at most {steps}, the steps of the training, or more steps")
    return tuple(sorted({0, steps, *range(0, steps, save_every), *custom}))
