"""What reduce reads, without a store: rows as plain dicts, to which the store's own function adds the parameters."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from orchestrator.experiment import Job, TableSpec
from orchestrator.parts import TableRows, full_schema, with_parameters


class FakeResults:
    """The `Results` interface over jobs and the rows of their tables; a table without rows has its columns."""

    def __init__(self, specs: Mapping[str, TableSpec], rows: Sequence[tuple[Job, Mapping[str, Any]]]):
        self._specs, self._rows = specs, rows

    def table(self, name: str) -> pd.DataFrame:
        spec = self._specs[name]
        written = [
            TableRows(job, pa.Table.from_pylist(list(tables[name]), schema=spec.schema))
            for job, tables in self._rows
            if tables.get(name)
        ]
        if written:
            return with_parameters(spec, written).to_pandas()
        stages = dict.fromkeys(job.stage for job, _ in self._rows if name in job.stage.tables)
        return full_schema(spec, stages).empty_table().to_pandas()

    @property
    def jobs(self) -> pd.DataFrame:
        rows = [{"job_id": job.id, "stage": job.stage.name, "seconds": 2.0} for job, _ in self._rows]
        return pd.DataFrame(rows, columns=["job_id", "stage", "seconds"])
