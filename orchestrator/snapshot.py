"""What the journal says at one moment: every attempt, and for each job the one that counts.

Parts are immutable, but a run merges its own at its end: a part that vanishes while it is read is in a merged one now,
so the reader looks again.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestrator.experiment import TableSpec
from orchestrator.parts import JOBS, JOBS_SCHEMA, JOBS_SPEC, STEM, BadPart, decode, promised_rows
from orchestrator.storage import Storage

log = logging.getLogger(__name__)

LOOKS = 20  # runs that end while we read make us look again; each does so once


@dataclass(frozen=True)
class Snapshot:
    """What the journal says at one moment."""

    attempts: pa.Table
    """All attempts of all runs, oldest first: the columns of `jobs.parquet`, with `current` where a row counts."""
    chosen: Mapping[str, str]
    """Job id to the stem of its last good attempt."""
    problems: tuple[str, ...] = ()
    """Parts that were set aside or passed over, in words."""
    by_id: Mapping[str, int] = field(default_factory=dict)
    """Job id to the row of `attempts` that counts."""

    @property
    def done(self) -> Collection[str]:
        """Ids of the jobs that need not run again."""
        return self.chosen.keys()

    def row(self, job_id: str) -> dict[str, Any] | None:
        """The attempt that counts, as a dict; None where the job has never been tried."""
        at = self.by_id.get(job_id)
        return None if at is None else self.attempts.slice(at, 1).to_pylist()[0]

    def values(self, column: str) -> dict[str, Any]:
        """One column of the attempts that count, by job id."""
        values = self.attempts[column].to_pylist()
        return {job_id: values[at] for job_id, at in self.by_id.items()}


def read_snapshot(storage: Storage, specs: Mapping[str, TableSpec]) -> Snapshot:
    """Read the journal's `jobs` parts. Damaged parts are set aside as `*.corrupt`, and their jobs run again.

    Raises:
        NewerSchema: when a newer version of the project has written here.
        OSError: when the storage does not answer.
    """
    for _ in range(LOOKS - 1):
        try:
            return _read(storage, specs)
        except FileNotFoundError as gone:
            log.info("%s was merged while it was read: looking again", gone.filename or gone)
    return _read(storage, specs)


def stems_of(storage: Storage, table: str, problems: list[str]) -> list[str]:
    """The stems of a table's parts, oldest run first; files that are no parts go into `problems`."""
    stems = []
    for name in storage.names(f"_parts/{table}"):
        stem, _, ending = name.partition(".")
        if ending == "parquet" and STEM.match(stem):
            stems.append(stem)
        elif not ending.startswith("parquet.corrupt"):
            problems.append(f"{storage.root}/_parts/{table}/{name} is no part of a sweep: passed over")
    return stems


def read_part(storage: Storage, table: str, stem: str, spec: TableSpec, problems: list[str]) -> pa.Table | None:
    """One part; None, and a line in `problems`, when it is damaged and was set aside.

    Raises:
        FileNotFoundError: when it is gone.
    """
    path = f"_parts/{table}/{stem}.parquet"
    try:
        return decode(storage, path, spec)
    except BadPart as problem:
        _set_aside(storage, path, str(problem), problems)
        return None


def _set_aside(storage: Storage, path: str, why: str, problems: list[str]) -> None:
    storage.move(path, f"{path}.corrupt")
    problems.append(f"{storage.root}/{path} is damaged ({why}): set aside as *.corrupt, its jobs run again")
    log.warning("%s", problems[-1])


def _read(storage: Storage, specs: Mapping[str, TableSpec]) -> Snapshot:
    problems: list[str] = []
    tables, stems, whole = [], [], []
    missing: dict[str, list[str]] = {}
    for stem in stems_of(storage, JOBS, problems):
        part = read_part(storage, JOBS, stem, JOBS_SPEC, problems)
        if part is None:
            continue
        # Every damaged table is looked at, not the first alone: all of them are named and set aside at once.
        lost = [n for n, rows in promised_rows(part).items() if not _is_whole(storage, n, stem, rows, specs, problems)]
        if lost:
            missing[stem] = lost
        tables.append(part.select(JOBS_SCHEMA.names).cast(JOBS_SCHEMA))
        stems += [stem] * part.num_rows
        whole += [not lost] * part.num_rows
    attempts = pa.concat_tables(tables) if tables else JOBS_SCHEMA.empty_table()
    snapshot = _choose(attempts, stems, whole)
    return Snapshot(
        snapshot.attempts,
        snapshot.chosen,
        (*problems, *_still_missing(storage, snapshot, attempts, stems, missing, problems)),
        snapshot.by_id,
    )


def _is_whole(
    storage: Storage, table: str, stem: str, rows: int, specs: Mapping[str, TableSpec], problems: list[str]
) -> bool:
    """Whether a table's part has the rows that its jobs part promises; the footer tells, unless it is damaged."""
    if table not in specs:
        return True  # a table that this version no longer has
    path = f"_parts/{table}/{stem}.parquet"
    try:
        with storage.open(path) as source:
            footer = pq.ParquetFile(source)
            found, names = footer.metadata.num_rows, set(footer.schema_arrow.names)
    except FileNotFoundError:
        if not storage.exists(f"_parts/{JOBS}/{stem}.parquet"):
            raise  # the whole stem is in a merged part now
        return False
    except (pa.ArrowException, OSError, ValueError):
        found, names = rows, set()
    if found != rows:
        _set_aside(storage, path, f"{found} rows, not {rows}", problems)
        return False
    return (
        names >= set(specs[table].schema.names) or read_part(storage, table, stem, specs[table], problems) is not None
    )


def _still_missing(
    storage: Storage,
    snapshot: Snapshot,
    attempts: pa.Table,
    stems: list[str],
    missing: dict[str, list[str]],
    problems: list[str],
) -> list[str]:
    """Lines for parts that are not there, as long as a job of theirs has not run again."""
    if not missing:
        return []
    columns = zip(attempts["job_id"].to_pylist(), attempts["status"].to_pylist(), stems, strict=True)
    needed = {stem for job_id, status, stem in columns if status == "done" and job_id not in snapshot.chosen}
    paths = [f"{storage.root}/_parts/{n}/{stem}.parquet" for stem in missing if stem in needed for n in missing[stem]]
    return [f"{p} is missing: its jobs run again" for p in paths if not any(x.startswith(p) for x in problems)]


def _choose(attempts: pa.Table, stems: list[str], whole: list[bool]) -> Snapshot:
    """For each job the last good attempt, else the last one."""
    chosen: dict[str, str] = {}
    counts: dict[str, int] = {}
    seen: dict[tuple[str, str, int], int] = {}
    keep = [True] * attempts.num_rows
    columns = [attempts[c].to_pylist() for c in ("job_id", "status", "run", "attempt")]
    for i, (job_id, status, run, attempt) in enumerate(zip(*columns, strict=True)):
        good = status == "done" and whole[i]
        # A run killed while it merged has left an attempt in two parts: the later one counts, unless it is damaged.
        before = seen.get((job_id, run, attempt))
        if before is not None:
            if status == "done" and whole[before] and not good:
                keep[i] = False
                continue
            keep[before] = False
        seen[job_id, run, attempt] = i
        if good:
            chosen[job_id] = stems[i]
        if good or job_id not in chosen:
            counts[job_id] = i
    current = [False] * attempts.num_rows
    for i in counts.values():
        current[i] = True
    field = pa.field("current", pa.bool_(), metadata={"doc": "whether the attempt counts"})
    table = attempts.append_column(field, pa.array(current, pa.bool_()))
    kept = [i for i, k in enumerate(keep) if k]
    if len(kept) != len(keep):
        table = table.take(pa.array(kept, pa.int64()))
    position = {old: new for new, old in enumerate(kept)}
    return Snapshot(table, chosen, (), {job_id: position[i] for job_id, i in counts.items()})
