"""An experiment whose jobs do nothing and write one row each. Workers import its stage from here.

`python -m benchmarks.noop --experiment noop --jobs 1000 …` is `sweep.py` with it registered. With SWEEP_TIMES=FILE it
leaves there, as JSON, the seconds that the command spent in each of its steps and the peak memory of its process.
"""

import functools
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from orchestrator.experiment import Experiment, Job, Stage, Summary, TableSpec, column
from orchestrator.limits import AboveZero, Limited, NotNegative, Positive


@dataclass(frozen=True, kw_only=True)
class Config(Limited):
    """Jobs that do nothing."""

    jobs: Positive = 1000
    """How many."""


@dataclass(frozen=True, kw_only=True)
class NoopParams(Limited):
    number: NotNegative
    rate: AboveZero = 0.1
    name: str = "noop"


def noop(params, context):
    """One row with the job's number."""
    return {"noops": [{"value": float(params.number)}]}


NOOPS = TableSpec(schema=pa.schema([column("value", pa.float64(), "the number")]), key=())
NOOP = Stage(name="noop", function="benchmarks.noop:noop", params=NoopParams, tables={"noops": NOOPS})


def plan(config):
    for number in range(config.jobs):
        yield Job(stage=NOOP, params=NoopParams(number=number))


def reduce(results, config):
    frame = results.table("noops")
    means = frame.groupby("name", as_index=False).agg(rows=("value", "size"), total=("value", "sum"))
    return Summary(tables={"means": means}, notes=[f"{len(frame)} rows"])


EXPERIMENT = Experiment(
    name="noop",
    config=Config,
    presets={"paper": Config(), "quick": Config(jobs=100)},
    stages=(NOOP,),
    plan=plan,
    reduce=reduce,
)


def main(arguments: list[str]) -> int:
    from orchestrator.cli import main as sweep
    from orchestrator.memory import peak_memory_mb
    from tasks import EXPERIMENTS

    EXPERIMENTS["noop"] = "benchmarks.noop"
    if "SWEEP_TIMES" not in os.environ:
        return sweep(arguments)
    began, seconds = time.perf_counter(), _time_steps()
    code = sweep(arguments)
    times = {"all": time.perf_counter() - began, "peak_mb": peak_memory_mb(), **seconds}
    Path(os.environ["SWEEP_TIMES"]).write_text(json.dumps(times))
    return code


def _time_steps() -> dict[str, float]:
    """Let the functions of a run count their seconds; a step within another counts for itself alone."""
    from orchestrator import commands, session
    from orchestrator.journal import Journal
    from orchestrator.runner import Runner
    from orchestrator.store import Store

    seconds: dict[str, float] = {}
    inner = [0.0]

    def count(step: str, owner: Any, name: str) -> None:
        call = getattr(owner, name)

        @functools.wraps(call)
        def counted(*args: Any, **kwargs: Any) -> Any:
            began, before = time.perf_counter(), inner[0]
            inner[0] = 0.0
            try:
                return call(*args, **kwargs)
            finally:
                took = time.perf_counter() - began
                seconds[step] = seconds.get(step, 0.0) + took - inner[0]
                inner[0] = before + took

        setattr(owner, name, counted)

    for step, owner, name in (
        ("connect", session, "_backend"),
        ("plan", commands, "make_plan"),
        ("run", Runner, "run"),
        ("merge", Journal, "_merged"),
        ("publish", Store, "publish"),
        ("reduce", session, "reduce_sweep"),
    ):
        count(step, owner, name)
    return seconds


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
