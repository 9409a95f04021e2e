"""One sweep's results directory: reading the journal, publishing the tables that users read.

The journal (`_parts/`, see `parts`) is the truth; `<table>.parquet` is a view of it that is rebuilt and replaced whole.
No locks: two sweeps may write into one store, each its own parts, and a job computed twice counts once.
"""

import functools
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestrator.artifacts import Artifacts
from orchestrator.checkpoints import Checkpoints
from orchestrator.experiment import Experiment, Job, Stage, TableSpec
from orchestrator.journal import Journal
from orchestrator.names import check_name, check_names
from orchestrator.parts import JOBS, JOBS_SCHEMA, JOBS_SPEC, encode, full_schema, parquet
from orchestrator.published import MADE_OF, mark, mark_of, ordered, unique
from orchestrator.snapshot import LOOKS, Snapshot, read_part, read_snapshot, stems_of
from orchestrator.storage import Storage

CURRENT = pa.field("current", pa.bool_(), metadata={"doc": "whether the attempt counts"})
PUBLISHED_JOBS = JOBS_SCHEMA.append(CURRENT)
ROWS_AT_ONCE = 1 << 14  # of attempts with all their texts, when jobs.parquet is written

T = TypeVar("T")


class Store:
    """`<out>/<experiment>/`, and the artifacts and checkpoints beside it."""

    def __init__(self, out: str | Path, name: str, specs: Mapping[str, TableSpec], stages: Sequence[Stage] = ()):
        """
        Args:
            out: the results directory or address.
            name: the experiment's.
            specs: its tables.
            stages: those that may write them. A table has the columns of all of them, whichever have run.
        """
        check_name("experiment", name)
        check_names("table", specs)
        root = Storage.at(out)
        self.storage = root.below(name)
        self.artifacts = Artifacts(root.below("artifacts"))
        self.checkpoints = root.below("checkpoints")
        self.specs = dict(specs)
        self.schemas = {n: full_schema(spec, [s for s in stages if n in s.tables]) for n, spec in specs.items()}

    @staticmethod
    def of(out: str | Path, experiment: Experiment) -> "Store":
        return Store(out, experiment.name, experiment.tables, experiment.stages)

    def checkpoints_of(self, job: Job) -> Checkpoints:
        return Checkpoints(self.checkpoints, job.stage.name, job.id)

    def journal(self, run: str) -> Journal:
        return Journal(self.storage, run, self.specs)

    def snapshot(self) -> Snapshot:
        """What the journal says now; see `snapshot.read_snapshot`."""
        return read_snapshot(self.storage, self.specs)

    def read(self, name: str, snapshot: Snapshot, job_ids: Collection[str] | None = None) -> pa.Table:
        """The rows of one table: of each job those of its last good attempt, sorted by key and parameters.

        Args:
            name: a table; `jobs` for the attempts, oldest first, with all columns.
            job_ids: only these jobs' rows; None: all.
        """
        if name == JOBS:
            attempts = functools.partial(self._attempts, job_ids)
            empty = PUBLISHED_JOBS.empty_table()
            return self._look(snapshot, lambda *at: pa.concat_tables([empty, *attempts(*at)]))[0]
        rows, _ = self._look(snapshot, functools.partial(self._rows, name, job_ids))
        return ordered(rows, self.specs[name])

    def publish(self) -> Snapshot:
        """Rebuild and replace `<table>.parquet` for every table that has rows, and `jobs.parquet`.

        Rows that two jobs give for the same measurement (depths 1-24, later 1-48) are there once, the later job's. A
        table that would come out as it stands is left alone. Another run may write parts, and publish, while this one
        is at it; so it looks again afterwards: the table that is written last has all rows.

        Returns:
            The snapshot that all of them agree with.
        """
        there, snapshot = stems_of(self.storage, JOBS, []), self.snapshot()
        for _ in range(LOOKS):
            newer = self._publish(snapshot)
            before, there = there, stems_of(self.storage, JOBS, [])
            if newer is not snapshot:
                snapshot = newer
            elif set(there) <= set(before):  # nothing came; what was damaged has gone
                return snapshot
            else:
                snapshot = self.snapshot()
        raise self._restless()

    def _publish(self, snapshot: Snapshot) -> Snapshot:
        """Publish what a snapshot says, or return what the journal says by now where its parts are no longer there."""
        good = snapshot.digest(good=True)
        for name, spec in self.specs.items():
            file, made_of = f"{name}.parquet", mark(spec, self.schemas[name], good)
            if mark_of(self.storage, file) == made_of:
                continue
            rows, newer = self._look(snapshot, functools.partial(self._rows, name, None))
            if newer is not snapshot:
                return newer
            if rows.num_rows or self.storage.exists(file):
                rows = ordered(unique(rows, spec, snapshot), spec)
                self.storage.write(file, parquet([rows], rows.schema, _metadata(spec, made_of)))
        file, made_of = f"{JOBS}.parquet", mark(JOBS_SPEC, PUBLISHED_JOBS, snapshot.digest(good=False))
        if mark_of(self.storage, file) == made_of:
            return snapshot
        attempts, metadata = functools.partial(self._attempts, None), _metadata(JOBS_SPEC, made_of)
        data, newer = self._look(snapshot, lambda *at: parquet(attempts(*at), PUBLISHED_JOBS, metadata))
        if newer is snapshot:
            self.storage.write(file, data)
        return newer

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
        file = pq.ParquetFile(pa.BufferReader(self.storage.read(name)))
        ids = file.read(columns=["job_id"])["job_id"]
        return set(ids.to_pylist()) if pa.types.is_string(ids.type) else set()

    def write_run(self, run: str, config: Mapping[str, Any], plan: pa.Table) -> None:
        """Record what a run was asked: `_runs/<run>/config.json` and `plan.parquet`."""
        self.storage.write(f"_runs/{run}/config.json", json.dumps(config, indent=1).encode())
        self.storage.write(f"_runs/{run}/plan.parquet", encode(plan, 1))

    def _look(self, snapshot: Snapshot, read: Callable[[Snapshot, list[str]], T]) -> tuple[T, Snapshot]:
        """What `read` makes of the parts, and the snapshot that it belongs to.

        That is a newer one when a part turned out damaged behind a good footer (it is set aside now) or was merged by
        its run meanwhile.
        """
        for _ in range(LOOKS):
            problems: list[str] = []
            result = None
            try:
                result = read(snapshot, problems)
            except FileNotFoundError:
                problems.append("merged")
            if result is not None and not problems and self._stand(snapshot):
                return result, snapshot
            snapshot = self.snapshot()
        raise self._restless()

    def _stand(self, snapshot: Snapshot) -> bool:
        """Whether all stems of a snapshot's good attempts are still there."""
        parts = snapshot.attempts.filter(pc.field("good"))["part"].unique().to_pylist()
        return {snapshot.stems[part] for part in parts} <= set(stems_of(self.storage, JOBS, []))

    def _restless(self) -> OSError:
        return OSError(f"the parts in {self.storage.root}/_parts change faster than they can be read; run this again")

    def _rows(self, name: str, job_ids: Collection[str] | None, snapshot: Snapshot, problems: list[str]) -> pa.Table:
        """Rows of the good attempts that count, oldest part first; `problems` gets what had to be set aside."""
        wanted = snapshot.attempts.filter(pc.field("current") & pc.field("good"))
        if job_ids is not None:
            wanted = _of_jobs(wanted, job_ids)
        by_stem = {snapshot.stems[part]: rows["job_id"] for part, rows in _by_part(wanted)}
        spec, parts = self.specs[name], [self.schemas[name].empty_table()]
        for stem in stems_of(self.storage, name, []):
            if stem in by_stem and (part := read_part(self.storage, name, stem, spec, problems)) is not None:
                part = part.filter(pc.field("job_id").isin(by_stem[stem].combine_chunks()))
                parts.append(part.replace_schema_metadata(None))
        return pa.concat_tables(parts, promote_options="default")

    def _attempts(self, job_ids: Collection[str] | None, snapshot: Snapshot, problems: list[str]) -> Iterator[pa.Table]:
        """The attempts with all columns, oldest first, some thousands at once."""
        wanted = snapshot.attempts.select(["job_id", "part", "place", "current"])
        if job_ids is not None:
            wanted = _of_jobs(wanted, job_ids)
        some: list[pa.Table] = []
        for number, rows in _by_part(wanted):
            part = read_part(self.storage, JOBS, snapshot.stems[number], JOBS_SPEC, problems)
            if part is None:
                continue
            part = part.select(JOBS_SCHEMA.names).cast(JOBS_SCHEMA)
            if part.num_rows != rows.num_rows:
                part = part.take(rows["place"])
            some.append(part.append_column(CURRENT, rows["current"]))
            if sum(table.num_rows for table in some) >= ROWS_AT_ONCE:
                yield pa.concat_tables(some)
                some = []
        if some:
            yield pa.concat_tables(some)


def _by_part(attempts: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """Attempts of one part after another, which stand together, with the part's number."""
    parts = attempts["part"].to_numpy()
    changes = [0, *(1 + np.flatnonzero(np.diff(parts))).tolist(), len(parts)]
    for begin, end in pairwise(changes if len(parts) else []):
        yield int(parts[begin]), attempts.slice(begin, end - begin)


def _of_jobs(attempts: pa.Table, job_ids: Collection[str]) -> pa.Table:
    return attempts.filter(pc.field("job_id").isin(pa.array(job_ids, pa.string())))


def _metadata(spec: TableSpec, made_of: str) -> dict[bytes, bytes]:
    return {b"schema_version": str(spec.version).encode(), MADE_OF: made_of.encode()}
