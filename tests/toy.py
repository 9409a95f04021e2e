"""A small experiment for tests of the orchestrator: squares of numbers, with jobs that can be made to misbehave.

`python -m tests.toy --experiment toy …` is `sweep.py` with it registered.
"""

import os
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
    numbers: Ints = (1, 2, 3)
    """Numbers to square."""
    scale: float = 1.0
    """A factor."""
    wrong: Ints = ()
    """Numbers whose jobs misbehave as `how` says."""
    how: str = ""
    """raise, once, die, die_once, hang, eat, deaf, type, prepare; talk, talk_raise and so on print first."""
    marks: str = ""
    """A directory in which jobs leave a file for each time they ran."""
    seconds: float = 0.0
    """How long a job takes."""


@dataclass(frozen=True, kw_only=True)
class SquareParams:
    number: int
    scale: float
    parts: tuple[int, ...] = (0, 1)


@dataclass(frozen=True, kw_only=True)
class PrepareParams:
    scale: float


SQUARES = TableSpec(
    schema=pa.schema([column("part", pa.int64(), "which half"), column("value", pa.float64(), "the square, scaled")]),
    key=("part",),
    doc="One row a half.",
)


def prepare(params, context):
    if context.paths.get("how") == "prepare":
        raise ValueError("nothing can be prepared")
    _mark(context, "prepare")
    (context.artifact / "scale.txt").write_text(repr(params.scale))


def square(params, context):
    how = context.paths.get("how", "")
    ran = _mark(context, str(params.number))
    if how.startswith("talk"):
        print(f"number {params.number} speaks")  # noqa: T201
        os.write(2, b"and so does C code\n")
        how = how.removeprefix("talk_")
    time.sleep(float(context.paths.get("seconds", 0)))
    if how == "raise" or (how == "once" and ran == 1):
        raise ValueError(f"number {params.number} is bad")
    if how == "die" or (how == "die_once" and ran == 1):
        os._exit(7)
    if how == "hang":
        time.sleep(600)
    if how == "eat":
        _eat()
    if how == "deaf":  # a library that closes what it has not opened
        os.closerange(0, 3)
    scale = float((context.needs["scale"] / "scale.txt").read_text())
    value = "three" if how == "type" else scale * params.number**2
    return {"squares": [{"part": part, "value": value} for part in params.parts]}


def _mark(context, name):
    """Leave a trace that a job ran, with its process and its node's raylet; returns how often it has."""
    if not context.paths.get("marks"):
        return 1
    marks = Path(context.paths["marks"])
    n = len(list(marks.glob(f"{name}-*"))) + 1
    (half := marks / f".{name}-{os.getpid()}").write_text(f"{os.getpid()} {os.environ.get('RAY_RAYLET_PID', 0)}")
    half.rename(marks / f"{name}-{n}")
    return n


def _eat():
    """Take memory slowly, 4 GB at most, and keep it."""
    eaten = []
    for _ in range(200):
        eaten.append(bytearray(os.urandom(2**20) * 20))
        time.sleep(0.05)
    raise AssertionError(f"nobody minds {len(eaten) * 20} MB")


PREPARE = Stage(name="toy_prepare", function="tests.toy:prepare", params=PrepareParams, artifact=True)
SQUARE = Stage(
    name="toy_square",
    function="tests.toy:square",
    params=SquareParams,
    tables={"squares": SQUARES},
    resources=Resources(num_gpus=0.5),
)

PIDS = TableSpec(schema=pa.schema([column("pid", pa.int64(), "the process that ran the job")]), key=())


def where(params, context):
    time.sleep(float(context.paths.get("seconds", 0)))
    return {"pids": [{"pid": os.getpid()}]}


WHERE = Stage(name="toy_where", function="tests.toy:where", params=SquareParams, tables={"pids": PIDS})
WARM = Stage(name="toy_warm", function="tests.toy:where", params=SquareParams, tables={"pids": PIDS}, warm=True)


def plan(config):
    paths = {"marks": config.marks, "seconds": str(config.seconds)}
    scale = Job(
        stage=PREPARE,
        params=PrepareParams(scale=config.scale),
        paths=paths | ({"how": "prepare"} if config.how == "prepare" else {}),
    )
    for number in config.numbers:
        how = config.how if number in config.wrong else ""
        yield Job(
            stage=SQUARE,
            params=SquareParams(number=number, scale=config.scale),
            needs={"scale": scale},
            fingerprints={"numbers": "v1"},
            paths=paths | {"how": how},
            passes=2.0,
        )


def reduce(results, config):
    frame = results.table("squares")
    total = frame.groupby("number", as_index=False)["value"].mean() if len(frame) else pd.DataFrame({"number": []})
    return Summary(tables={"means": total}, notes=[f"{len(frame)} rows"])


EXPERIMENT = Experiment(
    name="toy",
    config=Config,
    presets={"paper": Config(), "quick": Config(numbers=(1, 2))},
    stages=(PREPARE, SQUARE),
    plan=plan,
    reduce=reduce,
)


if __name__ == "__main__":
    from orchestrator.cli import main
    from tasks import EXPERIMENTS

    EXPERIMENTS["toy"] = "tests.toy"
    code = main(sys.argv[1:])
    if "TOY_MODULES" in os.environ:  # what the driver has imported, for the test that torch is not among it
        Path(os.environ["TOY_MODULES"]).write_text("\n".join(sys.modules))
    sys.exit(code)
