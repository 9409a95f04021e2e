"""A stage that several processes run together, for tests: they add up numbers step by step, and save on the way.

`python -m tests.toy_group --experiment toy_group …` is `sweep.py` with it registered.
"""

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from orchestrator.experiment import Experiment, Job, Resources, Stage, Summary, TableSpec, column
from orchestrator.options import Ints


@dataclass(frozen=True, kw_only=True)
class Config:
    numbers: Ints = (1,)
    """Numbers whose multiples are added up, a job each."""
    steps: int = 4
    """Steps of each sum."""
    seconds: float = 0.0
    """How long a step takes."""
    workers: int = 2
    """Processes of each job."""
    how: str = ""
    """What goes wrong: raise (on the last rank, at once), die (once, on the last rank, after two steps), hang."""
    marks: str = ""
    """A directory in which each process leaves a file with its id."""


@dataclass(frozen=True, kw_only=True)
class Params:
    number: int
    steps: int


SUMS = TableSpec(
    schema=pa.schema(
        [
            column("total", pa.float64(), "number x (1 + 2 + … + steps)"),
            column("first", pa.int64(), "the step that this attempt began after"),
            column("workers", pa.int64(), "processes of this attempt"),
        ]
    ),
    key=(),
    doc="One row a job.",
)


def add_up(params, context):
    """The sum so far is the same on all ranks; each adds its share of a step's numbers, by all-reduce."""
    import torch
    from torch import distributed

    how, last = context.paths.get("how", ""), context.rank == context.workers - 1
    if marks := context.paths.get("marks"):
        Path(marks, f"{params.number}-{context.rank}-{os.getpid()}").write_text(str(os.getpid()))
    print(f"rank {context.rank} of {context.workers} adds up")  # noqa: T201
    found = context.checkpoints.latest()
    first = found[0] if found else 0
    total = float((found[1] / "total.txt").read_text()) if found else 0.0
    if how == "raise" and last:
        raise ValueError(f"number {params.number} is bad")
    for step in range(first + 1, params.steps + 1):
        if how == "hang" and last:
            time.sleep(600)
        share = torch.tensor([params.number * step / context.workers], dtype=torch.float64)
        if context.workers > 1:
            distributed.all_reduce(share)
        total += share.item()
        time.sleep(float(context.paths.get("seconds", 0)))
        if context.rank == 0:
            folder = context.artifact / "saved"
            folder.mkdir()
            (folder / "total.txt").write_text(repr(total))
            context.checkpoints.save(step, folder)
            folder.rmdir()
        if how == "die" and last and first == 0 and step == 3:
            os.kill(os.getpid(), signal.SIGKILL)
    if context.rank == 0:
        (context.artifact / "total.txt").write_text(repr(total))
    return {"sums": [{"total": total, "first": first, "workers": context.workers}]}


ADD_UP = Stage(
    name="toy_add_up",
    function="tests.toy_group:add_up",
    params=Params,
    tables={"sums": SUMS},
    artifact=True,
    checkpoints=True,
)


def plan(config):
    paths = {"how": config.how, "marks": config.marks, "seconds": str(config.seconds)}
    for number in config.numbers:
        params = Params(number=number, steps=config.steps)
        yield Job(stage=ADD_UP, params=params, paths=paths, resources=Resources(workers=config.workers))


def reduce(results, config):
    return Summary(tables={"sums": pd.DataFrame(results.table("sums"))})


EXPERIMENT = Experiment(
    name="toy_group",
    config=Config,
    presets={"paper": Config(), "quick": Config(steps=2)},
    stages=(ADD_UP,),
    plan=plan,
    reduce=reduce,
)


if __name__ == "__main__":
    from orchestrator.cli import main
    from tasks import EXPERIMENTS

    EXPERIMENTS["toy_group"] = "tests.toy_group"
    sys.exit(main(sys.argv[1:]))
