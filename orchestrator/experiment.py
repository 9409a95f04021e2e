"""The words of a sweep: Experiment, Stage, Job, TableSpec, Resources, Context, Summary.

An experiment turns a frozen `Config` into jobs (`plan`) and their tables into figures (`reduce`). A stage is a plain
function `(params, context) -> tables`: it imports torch, never Ray, and runs as well in a test or a notebook. A job is
one call of a stage. Nothing here runs anything; `runner` does.
"""

import dataclasses
import functools
import importlib
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from orchestrator.columns import arrow_type
from orchestrator.identity import canonical_json, coerce, job_id
from orchestrator.names import check_name, check_names

Rows = Sequence[Mapping[str, Any]]
Tables = Mapping[str, Rows]
"""What a stage returns: for each of its tables the rows as plain dicts of Python values."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one job asks of a node; of several workers, what each of them asks. No part of a job's identity.

    Raises:
        ValueError: for less than one worker, or several that would share a GPU.
    """

    workers: int = 1
    """Processes that run the job together, joined by `torch.distributed` where there are several; see `Context`."""
    num_cpus: float = 1.0
    """CPU slots, and the number of threads that torch and BLAS get (rounded down, at least 1)."""
    num_gpus: float = 0.0
    """GPUs, or a fraction of one, where the cluster has any."""
    gpu_required: bool = False
    """Whether the job waits for a GPU where there is none (else it runs on the CPU)."""
    memory_mb: int | None = None
    """Memory that the scheduler sets aside, in MiB."""

    def __post_init__(self):
        if self.workers < 1:
            raise ValueError(f"workers is {self.workers}: a job is run by one process at least")
        if self.workers > 1 and self.num_gpus % 1:
            raise ValueError(
                f"num_gpus is {self.num_gpus:g} with {self.workers} workers: processes that work together need whole "
                "GPUs of their own"
            )

    @property
    def threads(self) -> int:
        return max(1, int(self.num_cpus))


@dataclass(frozen=True, kw_only=True, eq=False)
class TableSpec:
    """The columns of one table, in the order in which a reader sees them.

    A stage returns rows of just these columns. The store adds the job's scalar parameters, `data` (fingerprints of the
    data read) and `job_id`. A parameter that is a tuple is what a job spreads over its rows (depths, seeds): it stands
    in `jobs.parquet` alone, and two jobs that differ only in it measure the same things. A setting with several
    numbers is therefore several scalar parameters, not a tuple.
    """

    schema: pa.Schema
    key: tuple[str, ...]
    """Declared columns that tell one row of a job from another, also those that repeat a parameter. In the published
    table a later job's row replaces an earlier one's of the same stage, data, scalar parameters and key."""
    doc: str = ""
    version: int = 1
    upgrades: Mapping[int, Callable[[pa.Table], pa.Table]] = field(default_factory=dict)
    """From an old version to a top-level function that makes the next one's table of it."""

    def __post_init__(self):
        for name in self.key:
            if name not in self.schema.names:
                raise ValueError(f"the key column {name!r} is not in the schema {self.schema.names}")


def column(name: str, kind: pa.DataType, doc: str) -> pa.Field:
    """A described column; `sweep.py --describe` prints the description."""
    return pa.field(name, kind, metadata={"doc": doc})


class Checkpoints(typing.Protocol):
    """The states that a long job has saved on its way, kept over its attempts until it is done.

    They outlive killed workers and killed drivers, and say nothing of how many workers there were: a stage that saves
    the state of the whole job goes on from it with any number of them. `orchestrator.checkpoints` has the one that
    sweeps use; tests and notebooks can make theirs on any directory.
    """

    def save(self, step: int, directory: Path) -> None:
        """Take the files of a directory as the state after `step` steps; it is there whole or not at all."""
        ...

    def latest(self) -> tuple[int, Path] | None:
        """(step, directory) of the newest state that is whole, to read from; None where there is none.

        Each rank looks for itself: where the ranks must agree, the stage tells them what rank 0 has found.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a stage may know beside its parameters; nothing here may change its numbers.

    A job of several workers calls the stage once in each, with the rank of each. They find `torch.distributed`
    initialised (nccl on GPUs, gloo on CPUs). Rank 0 alone has an `artifact` and saves `checkpoints`, and its rows are
    the job's; what other ranks return is dropped.
    """

    job_id: str = "local"
    device: str = "cpu"
    """A torch device: `cpu`, or `cuda:0` (of several workers each has its own)."""
    rank: int = 0
    """Which of the job's workers this is, from 0."""
    workers: int = 1
    """How many processes run the job together."""
    threads: int = 1
    memory_bytes: int = 4 << 30
    """Host memory that this job may plan with, in bytes."""
    needs: Mapping[str, Path] = field(default_factory=dict)
    """Directories with the artifacts of the jobs that this one needs, by the name given in the plan."""
    paths: Mapping[str, str] = field(default_factory=dict)
    """Where data or weights lie (their content is in the identity, their place is not)."""
    artifact: Path | None = None
    """An empty directory for big outputs; it is published when the stage returns."""
    checkpoints: Checkpoints | None = None
    """Where a stage with `checkpoints=True` saves its state on the way, and finds that of an earlier attempt."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """A step of an experiment: a top-level function and everything that the store and the scheduler must know of it."""

    name: str
    function: str
    """`module:function`, imported only where it runs: the driver never imports torch."""
    params: type
    """A frozen dataclass."""
    tables: Mapping[str, TableSpec] = field(default_factory=dict)
    version: int = 1
    """Raise it when the numbers that the stage gives for the same parameters change."""
    resources: Resources = Resources()
    artifact: bool = False
    """Whether the stage writes into `context.artifact`."""
    checkpoints: bool = False
    """Whether the stage saves its state on the way, in `context.checkpoints`."""
    warm: bool = False
    """Short GPU jobs (under about 30 s): they run in actors that stay, one kind of `Job.warm_key` after another."""

    def __post_init__(self):
        check_name("stage", self.name)
        check_names("table", self.tables)

    def load(self) -> Callable[[Any, Context], Tables | None]:
        """Import the stage's function."""
        return load(self.function)

    @functools.cached_property
    def param_fields(self) -> tuple[pa.Field, ...]:
        """The scalar parameters as columns, in the order of the dataclass."""
        hints = typing.get_type_hints(self.params)
        kinds = {f.name: arrow_type(hints[f.name]) for f in dataclasses.fields(self.params)}
        return tuple(pa.field(name, kind) for name, kind in kinds.items() if kind is not None)


_NOTHING: Mapping[str, Any] = types.MappingProxyType({})  # one for all jobs: a million empty dicts take 200 MB


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Job:
    """One call of a stage. Equal `id` means equal work, whoever asks for it.

    Raises:
        TypeError: when the parameters are of another class than the stage's, or a value does not fit its field.
        UnstableValue: when a parameter has no stable written form (see `identity`).
    """

    stage: Stage
    params: Any
    needs: Mapping[str, "Job"] = field(default_factory=lambda: _NOTHING)
    """Jobs that must be done first; their artifacts are in `context.needs` under these names."""
    fingerprints: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    """Data read, by name: a content hash or a hub revision. Part of the identity."""
    paths: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    """Where those data lie. No part of the identity."""
    passes: float = 0.0
    """Planned cost in layer applications to one sequence: a 12-layer pass of 100 sequences is 1,200."""
    warm_key: str = ""
    """Model, revision and dtype that a warm actor keeps loaded between jobs."""
    resources: Resources | None = None
    """Instead of the stage's."""
    id: str = field(init=False)
    """First 16 hex digits of SHA-256 over what shapes the job's numbers (see `identity`)."""

    def __post_init__(self):
        stage = self.stage
        if not isinstance(self.params, stage.params):
            raise TypeError(f"stage {stage.name} takes {stage.params.__name__}, not {type(self.params).__name__}")
        params = coerce(self.params)
        needs = {name: need.id for name, need in self.needs.items()} if self.needs else _NOTHING
        object.__setattr__(self, "params", params)
        object.__setattr__(
            self, "id", job_id(stage.name, stage.version, params, self.fingerprints, needs, f"{stage.name} job")
        )

    @property
    def params_json(self) -> str:
        """All parameters as canonical JSON. Made when it is asked for: kept, it would be most of a plan's memory."""
        return canonical_json(self.params, self.stage.name)

    @property
    def data(self) -> str | None:
        """The `data` column: `RTE@0123abcd`, several joined by blanks; None where the job reads no data."""
        return " ".join(f"{name}@{self.fingerprints[name]}" for name in sorted(self.fingerprints)) or None

    @property
    def wants(self) -> Resources:
        return self.resources or self.stage.resources


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What reduce returns; the orchestrator writes it under `summary/`, `figures/` and `report.html`."""

    tables: Mapping[str, Any]
    """pandas DataFrames by name."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """matplotlib Figures by name."""
    captions: Mapping[str, str] = field(default_factory=dict)
    """A sentence or two for a table or a figure, by its name."""
    notes: Sequence[str] = ()
    """Sentences for the head of the report: what came out, what is missing, how many values are NaN."""

    def __post_init__(self):
        check_names("summary table", self.tables)
        check_names("figure", self.figures)


class Results(typing.Protocol):
    """What reduce reads: only rows of the jobs that this config plans."""

    def table(self, name: str) -> Any:
        """The rows of one table as a pandas DataFrame (empty, with its columns, when there are none)."""
        ...

    @property
    def jobs(self) -> Any:
        """One row a planned job that has been tried, as in `jobs.parquet`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A named sweep: its options, its presets, its plan and its reduce."""

    name: str
    config: type
    presets: Mapping[str, Any]
    stages: tuple[Stage, ...]
    plan: Callable[[Any], Iterable[Job]]
    reduce: str | Callable[[Results, Any], Summary]
    """`module:function`, imported only where it runs (pandas and matplotlib take a second); a notebook may give
    the function itself."""

    def __post_init__(self):
        check_name("experiment", self.name)

    def load_reduce(self) -> Callable[[Results, Any], Summary]:
        """Import the function that makes the summary of results."""
        return load(self.reduce) if isinstance(self.reduce, str) else self.reduce

    @property
    def tables(self) -> dict[str, TableSpec]:
        """All tables by name. Stages that write the same table share one spec."""
        specs: dict[str, TableSpec] = {}
        for stage in self.stages:
            for name, spec in stage.tables.items():
                if specs.setdefault(name, spec) is not spec:
                    raise ValueError(f"stages of {self.name} define the table {name!r} twice; share one TableSpec")
        for name, spec in specs.items():
            kinds: dict[str, pa.DataType] = {}
            for stage in (s for s in self.stages if name in s.tables):
                for f in stage.param_fields:
                    if f.name not in spec.schema.names and kinds.setdefault(f.name, f.type) != f.type:
                        raise ValueError(
                            f"{stage.name} makes the column {f.name!r} of {name!r} {f.type}, not {kinds[f.name]}"
                        )
        return specs


def load(name: str) -> Callable[..., Any]:
    """The function that `module:function` names."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


class PlanError(ValueError):
    """The plan cannot be made: data, weights or an option are missing or wrong. One line that says what to do."""
