"""One sweep's results directory: reading the journal, publishing the tables that users read.

The journal (`_parts/`, see `parts`) is the truth; `<table>.parquet` is a view of it that is rebuilt and replaced whole.
No locks: two sweeps may write into one store, each its own parts, and a job computed twice counts once.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestrator.artifacts import Artifacts
from orchestrator.experiment import Experiment, TableSpec
from orchestrator.journal import Journal
from orchestrator.parts import JOBS, JOBS_SPEC, encode, full_schema, run_of
from orchestrator.snapshot import LOOKS, Snapshot, read_part, read_snapshot, stems_of
from orchestrator.storage import Storage


class Store:
    """`<out>/<experiment>/` and the artifacts beside it."""

    def __init__(self, out: str | Path, name: str, specs: Mapping[str, TableSpec]):
        if JOBS in specs:
            raise ValueError(f"{name} declares a table called {JOBS!r}, which is the orchestrator's own")
        root = Storage.at(out)
        self.storage = root.below(name)
        self.artifacts = Artifacts(root.below("artifacts"))
        self.specs = dict(specs)

    @staticmethod
    def of(out: str | Path, experiment: Experiment) -> "Store":
        return Store(out, experiment.name, experiment.tables)

    def journal(self, run: str) -> Journal:
        return Journal(self.storage, run, self.specs)

    def snapshot(self) -> Snapshot:
        """What the journal says now; see `snapshot.read_snapshot`."""
        return read_snapshot(self.storage, self.specs)

    def read(self, name: str, snapshot: Snapshot, job_ids: Collection[str] | None = None) -> pa.Table:
        """The rows of one table: of each job those of its last good attempt, sorted by key and parameters.

        Args:
            job_ids: only these jobs' rows; None: all.
        """
        if name == JOBS:
            return snapshot.attempts if job_ids is None else _of_jobs(snapshot.attempts, list(job_ids))
        tables, _ = self._tables([name], snapshot, job_ids)
        return _ordered(tables[name], self.specs[name])

    def publish(self) -> Snapshot:
        """Rebuild and replace `<table>.parquet` for every table that has rows, and `jobs.parquet`.

        Rows that two jobs give for the same measurement (depths 1-24, later 1-48) are there once, the later job's.
        """
        tables, snapshot = self._tables(list(self.specs), self.snapshot(), None)
        for name, table in tables.items():
            if table.num_rows or self.storage.exists(f"{name}.parquet"):
                spec = self.specs[name]
                rows = _ordered(_unique(table, spec, snapshot), spec)
                self.storage.write(f"{name}.parquet", encode(rows, spec.version))
        self.storage.write(f"{JOBS}.parquet", encode(snapshot.attempts, JOBS_SPEC.version))
        return snapshot

    def write_summary(self, name: str, frame: Any) -> None:
        """Write `summary/<name>.parquet` from a pandas DataFrame."""
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), sink, compression="zstd")
        self.storage.write(f"summary/{name}.parquet", sink.getvalue())

    def runs(self) -> list[str]:
        return self.storage.folders("_runs")

    def planned_ids(self, run: str) -> set[str]:
        """Ids of all jobs of a run's plan; empty where the run has left none."""
        name = f"_runs/{run}/plan.parquet"
        if not self.storage.exists(name):
            return set()
        with self.storage.open(name) as source:
            return set(pq.read_table(source, columns=["job_id"])["job_id"].to_pylist())

    def write_run(self, run: str, config: Mapping[str, Any], plan: pa.Table) -> None:
        """Record what a run was asked: `_runs/<run>/config.json` and `plan.parquet`."""
        self.storage.write(f"_runs/{run}/config.json", json.dumps(config, indent=1).encode())
        self.storage.write(f"_runs/{run}/plan.parquet", encode(plan, 1))

    def _tables(
        self, names: Sequence[str], snapshot: Snapshot, job_ids: Collection[str] | None
    ) -> tuple[dict[str, pa.Table], Snapshot]:
        """Rows of the chosen attempts, and the snapshot that they belong to.

        That is a newer one when a part turned out damaged behind a good footer (it is set aside now) or was merged by
        its run meanwhile.
        """
        for _ in range(LOOKS):
            problems: list[str] = []
            try:
                tables = {name: self._rows(name, snapshot, job_ids, problems) for name in names}
            except FileNotFoundError:
                problems.append("merged")
            stems = set(stems_of(self.storage, JOBS, []))
            if not problems and stems.issuperset(snapshot.chosen.values()):
                return tables, snapshot
            snapshot = self.snapshot()
        raise OSError(f"the parts in {self.storage.root}/_parts change faster than they can be read; run this again")

    def _rows(self, name: str, snapshot: Snapshot, job_ids: Collection[str] | None, problems: list[str]) -> pa.Table:
        """Rows of the chosen attempts, oldest part first; `problems` gets what had to be set aside."""
        wanted: dict[str, list[str]] = {}
        for job_id, stem in snapshot.chosen.items():
            if job_ids is None or job_id in job_ids:
                wanted.setdefault(stem, []).append(job_id)
        spec, parts = self.specs[name], []
        for stem in stems_of(self.storage, name, []):
            if stem in wanted and (part := read_part(self.storage, name, stem, spec, problems)) is not None:
                parts.append(_of_jobs(part, wanted[stem]).replace_schema_metadata(None))
        return pa.concat_tables(parts, promote_options="default") if parts else full_schema(spec, ()).empty_table()


def _of_jobs(table: pa.Table, job_ids: list[str]) -> pa.Table:
    return table.filter(pc.field("job_id").isin(job_ids))


def _ordered(table: pa.Table, spec: TableSpec) -> pa.Table:
    """Declared columns first, then parameters, then `data` and `job_id`; rows in the order of parameters and key."""
    last = [n for n in ("data", "job_id") if n not in spec.schema.names and n in table.schema.names]
    rest = [n for n in table.schema.names if n not in spec.schema.names and n not in last]
    table = table.select([*spec.schema.names, *rest, *last])
    by = [*spec.key, *rest, *last]
    return table.sort_by([(name, "ascending") for name in by]) if by and table.num_rows else table


def _unique(table: pa.Table, spec: TableSpec, snapshot: Snapshot) -> pa.Table:
    """Drop rows that a later job of the same stage repeats: equal in key, parameters and data.

    Later is the job of the later run; within one run the job ids decide, so that the order in which jobs ended shows
    nowhere. Rows of one job are never dropped.
    """
    by = [n for n in table.schema.names if n not in spec.schema.names and n != "job_id"] + list(spec.key)
    frame = table.select([n for n in by if n != "job_id"] + ["job_id"]).to_pandas(integer_object_nulls=True)
    stages = snapshot.values("stage")
    ages = {
        job_id: age for age, job_id in enumerate(sorted(stages, key=lambda i: (run_of(snapshot.chosen.get(i, "")), i)))
    }
    frame["_stage"], frame["_age"] = frame["job_id"].map(stages), frame["job_id"].map(ages)
    same = frame.groupby([*by, "_stage"], dropna=False, sort=False)["_age"]
    keep = (same.transform("max") == frame["_age"]).to_numpy(dtype=bool)
    return table if keep.all() else table.filter(pa.array(keep))
