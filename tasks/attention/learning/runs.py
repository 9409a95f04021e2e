"""Which trainings an experiment compares: one gold run, comparison runs, one uniform run. Imports no torch.

A *run* is one training, named by its kind and seed: `normal-20`, `uniform-12`. The first normal seed is the *gold run*
(attention_dynamics 1: `normal_A`), the others are *comparison runs*, the first of them B.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["normal", "uniform"]


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
class Runs:
    """The trainings that one set of statistics compares.

    Raises:
        ValueError: fewer than two normal seeds, or one given twice.
    """

    seeds: tuple[int, ...]
    """Seeds of the normal runs, the gold run's first."""
    uniform_seed: int

    def __post_init__(self):
        if len(self.seeds) < 2 or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(
                f"seeds is {' '.join(map(str, self.seeds)) or 'empty'}: give two normal seeds or more, each once; the "
                "first is the gold run, and attention is compared with that of the others"
            )

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

    def quantities(self, run: Run) -> tuple[str, ...]:
        """What the statistics need of each checkpoint of a run (attention_dynamics 8.1)."""
        if run == self.uniform:
            return ("beta",)
        return ("alpha", "beta") if run == self.comparison[0] else ("alpha",)


def checkpoint_name(run: Run, step: int) -> str:
    """What the evaluation of a checkpoint is called among a job's needs."""
    return f"{run.name}-{step}"


def complete(steps: Sequence[int]) -> tuple[int, ...]:
    """The grid in order.

    Raises:
        ValueError: it is empty, or has a step twice.
    """
    if not steps or len(set(steps)) < len(steps):
        raise ValueError(f"checkpoints at {' '.join(map(str, steps)) or 'no step'}: give at least one, each once")
    return tuple(sorted(steps))
