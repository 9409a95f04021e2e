"""An experiment whose jobs all read one large prepared array: each maps it into memory and sums one block of it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from orchestrator.experiment import Experiment, Job, Stage, Summary, TableSpec, column
from orchestrator.options import Ints


@dataclass(frozen=True, kw_only=True)
class Config:
    blocks: Ints = tuple(range(200))
    """Blocks to sum, a job each."""
    megabytes: int = 1024
    """Size of the array."""


@dataclass(frozen=True, kw_only=True)
class PrepareParams:
    megabytes: int


@dataclass(frozen=True, kw_only=True)
class BlockParams:
    block: int
    blocks: int


SUMS = TableSpec(
    schema=pa.schema(
        [
            column("total", pa.float64(), "sum of the block"),
            column("megabytes", pa.float64(), "size of the whole array, MiB"),
            column("own_megabytes", pa.float64(), "memory of the job's process that is no mapped file, MiB"),
        ]
    ),
    key=(),
)


def prepare(params, context):
    """A sparse file: one number in each block, zeros between, so that 1 GiB is made at once and takes no disk."""
    size = params.megabytes * 2**20 // 8
    data = np.lib.format.open_memmap(context.artifact / "data.npy", mode="w+", dtype=np.float64, shape=(size,))
    for block in range(200):
        data[block * (size // 200)] = block**2


def block_sum(params, context):
    data = np.load(context.needs["data"] / "data.npy", mmap_mode="r")
    size = len(data) // params.blocks
    total = float(data[params.block * size : (params.block + 1) * size].sum())
    with open("/proc/self/status", encoding="ascii") as file:
        own = next(int(line.split()[1]) for line in file if line.startswith("RssAnon:"))
    return {"sums": [{"total": total, "megabytes": data.nbytes / 2**20, "own_megabytes": own / 1024}]}


PREPARE = Stage(name="shared_prepare", function="tests.shared_data:prepare", params=PrepareParams, artifact=True)
BLOCK = Stage(name="shared_block", function="tests.shared_data:block_sum", params=BlockParams, tables={"sums": SUMS})


def plan(config):
    data = Job(stage=PREPARE, params=PrepareParams(megabytes=config.megabytes))
    for block in config.blocks:
        yield Job(stage=BLOCK, params=BlockParams(block=block, blocks=200), needs={"data": data})


def reduce(results, config):
    return Summary(tables={"all": pd.DataFrame({"total": [results.table("sums")["total"].sum()]})})


EXPERIMENT = Experiment(
    name="shared_data",
    config=Config,
    presets={"paper": Config(), "quick": Config(megabytes=8)},
    stages=(PREPARE, BLOCK),
    plan=plan,
    reduce=reduce,
)
