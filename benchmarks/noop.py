"""A stage that does nothing and writes one row, for `benchmarks/orchestrator.py`. Workers import it from here."""

from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Stage, TableSpec, column


@dataclass(frozen=True, kw_only=True)
class NoopParams:
    number: int
    rate: float = 0.1
    name: str = "noop"


def noop(params, context):
    """One row with the job's number."""
    return {"noops": [{"value": float(params.number)}]}


NOOPS = TableSpec(schema=pa.schema([column("value", pa.float64(), "the number")]), key=())
NOOP = Stage(name="noop", function="benchmarks.noop:noop", params=NoopParams, tables={"noops": NOOPS})
