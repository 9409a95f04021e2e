"""An experiment whose jobs put their whole environment, and escape sequences, into all that they say."""

import logging
import os
import sys
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from orchestrator.experiment import Experiment, Job, Stage, Summary, TableSpec, column


@dataclass(frozen=True, kw_only=True)
class Config:
    numbers: tuple[int, ...] = (1, 2, 3)
    """Jobs; the second raises, the third takes its process with it."""


@dataclass(frozen=True, kw_only=True)
class Params:
    number: int


ROWS = TableSpec(schema=pa.schema([column("value", pa.float64(), "nothing much")]), key=())


def leak(params, context):
    print("\x1b[2J", dict(os.environ), file=sys.stderr)  # noqa: T201
    logging.getLogger("orchestrator.leaky").warning("%s", dict(os.environ))
    if params.number == 2:
        raise RuntimeError(f"\x1b[2J {os.environ}")
    if params.number == 3:
        os.abort()
    return {"rows": [{"value": 1.0}]}


LEAK = Stage(name="leak", function="tests.leaky:leak", params=Params, tables={"rows": ROWS})

EXPERIMENT = Experiment(
    name="leaky",
    config=Config,
    presets={"paper": Config()},
    stages=(LEAK,),
    plan=lambda config: [Job(stage=LEAK, params=Params(number=number)) for number in config.numbers],
    reduce=lambda results, config: Summary(tables={"all": pd.DataFrame(results.table("rows"))}),
)
