"""What the journal says at one moment: every attempt, and for each job the one that counts.

Parts are immutable, but a run merges its own: a part that vanishes while it is read is in a merged one now, so the
reader looks again.
"""

import dataclasses
import hashlib
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestrator.experiment import TableSpec
from orchestrator.parts import JOBS, JOBS_SCHEMA, JOBS_SPEC, STEM, BadPart, decode, is_plain, part_path, promised_rows
from orchestrator.storage import Storage

log = logging.getLogger(__name__)

LOOKS = 20  # runs that merge while we read make us look again; each does so once in a while
LEFT_OUT = ("params", "data", "versions")  # long texts that nothing but the published table needs
ATTEMPTS_SCHEMA = pa.schema([f for f in JOBS_SCHEMA if f.name not in LEFT_OUT])


@dataclass(frozen=True)
class Snapshot:
    """What the journal says at one moment."""

    attempts: pa.Table
    """All attempts of all runs, oldest first: the columns of `jobs.parquet` without LEFT_OUT. `current` says whether
    the row counts, `good` whether its job is done by it; `part` and `place` say where in the journal it stands."""
    by_id: Mapping[str, int] = field(default_factory=dict)
    """Job id to the row of `attempts` that counts: the last good one, else the last one."""
    done: Collection[str] = frozenset()
    """Ids of the jobs that need not run again."""
    problems: tuple[str, ...] = ()
    """Parts that were set aside or passed over, in words."""
    stems: Sequence[str] = ()
    """The stems of the parts, by their number in `part`."""

    def failures(self, job_ids: Iterable[str]) -> list[dict[str, Any]]:
        """The attempts that count of those of the jobs whose last attempt failed."""
        at = [self.by_id[i] for i in job_ids if i in self.by_id]
        rows = self.attempts.take(_arrow(np.array(at, np.int64)))
        return rows.filter(pc.field("status") != "done").to_pylist()

    def values(self, column: str) -> dict[str, Any]:
        """One column of the attempts that count, by job id."""
        rows = _arrow(np.fromiter(self.by_id.values(), np.int64, len(self.by_id)))
        return dict(zip(self.by_id, self.attempts[column].take(rows).to_pylist(), strict=True))

    def digest(self, good: bool) -> str:
        """A text that says which attempts there are and which of them count: equal texts, equal tables.

        An attempt is known by its job, its run and its number; where in the journal it stands does not matter.

        Args:
            good: only attempts whose rows are in the tables.
        """
        columns = self.attempts.select(["job_id", "run", "attempt", "current", "good"])
        if good:
            columns = columns.filter(pc.field("current") & pc.field("good"))
        digest = hashlib.sha256()
        for batch in columns.to_batches(max_chunksize=1 << 16):
            texts = [column.cast(pa.string()).fill_null("-") for column in batch.columns]
            lines = pc.call_function("binary_join_element_wise", [*texts, " "])
            digest.update("\n".join([*lines.to_pylist(), ""]).encode())
        return digest.hexdigest()


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


def read_part(
    storage: Storage,
    table: str,
    stem: str,
    spec: TableSpec,
    problems: list[str],
    columns: list[str] | None = None,
) -> pa.Table | None:
    """One part; None, and a line in `problems`, when it is damaged and was set aside.

    Args:
        columns: as for `decode`.

    Raises:
        FileNotFoundError: when it is gone.
    """
    path = part_path(table, stem)
    try:
        return decode(storage, path, spec, columns)
    except BadPart as problem:
        _set_aside(storage, path, str(problem), problems)
        return None


def _set_aside(storage: Storage, path: str, why: str, problems: list[str]) -> None:
    storage.move(path, f"{path}.corrupt")
    problems.append(f"{storage.root}/{path} is damaged ({why}): set aside as *.corrupt, its jobs run again")
    log.warning("%s", problems[-1])


def _read(storage: Storage, specs: Mapping[str, TableSpec]) -> Snapshot:
    problems: list[str] = []
    tables: list[pa.Table] = []
    stems: list[str] = []
    whole: list[np.ndarray] = []
    missing: dict[str, list[str]] = {}
    for stem in stems_of(storage, JOBS, problems):
        part = read_part(storage, JOBS, stem, JOBS_SPEC, problems, ATTEMPTS_SCHEMA.names)
        if part is None:
            continue
        # Every damaged table is looked at, not the first alone: all of them are named and set aside at once.
        lost = [n for n, rows in promised_rows(part).items() if not _is_whole(storage, n, stem, rows, specs, problems)]
        if lost:
            missing[stem] = lost
        tables.append(_placed(part.select(ATTEMPTS_SCHEMA.names).cast(ATTEMPTS_SCHEMA), len(stems)))
        stems.append(stem)
        whole.append(np.full(part.num_rows, not lost))
    attempts = pa.concat_tables(tables or [_placed(ATTEMPTS_SCHEMA.empty_table(), 0)]).combine_chunks()
    snapshot = _choose(attempts, np.concatenate([*whole, np.zeros(0, bool)]))
    if missing:
        problems += _still_missing(storage, snapshot, attempts, stems, missing, problems)
    return dataclasses.replace(snapshot, stems=stems, problems=tuple(problems))


def _placed(attempts: pa.Table, part: int) -> pa.Table:
    """Attempts of one part, with its number and the row in which each stands."""
    rows = attempts.num_rows
    return attempts.append_column("part", _arrow(np.full(rows, part))).append_column("place", _arrow(np.arange(rows)))


def _is_whole(
    storage: Storage, table: str, stem: str, rows: int, specs: Mapping[str, TableSpec], problems: list[str]
) -> bool:
    """Whether a table's part has the rows that its jobs part promises; the footer tells, unless it is damaged."""
    if table not in specs:
        return True  # a table that this version no longer has
    path = part_path(table, stem)
    try:
        with storage.open(path) as source:
            footer = pq.ParquetFile(source)
            found, names = footer.metadata.num_rows, {f.name for f in footer.schema_arrow if is_plain(f.type)}
            names = names if len(names) == len(footer.schema_arrow) else set()
    except FileNotFoundError:
        if not storage.exists(part_path(JOBS, stem)):
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
    """Lines for parts that are not there, until jobs of theirs have run again.

    Until all have would be too long: a job whose artifact is there does not run again.
    """
    columns = zip(*(attempts[name].to_pylist() for name in ("job_id", "status", "part")), strict=True)
    lost = [(job_id, stems[part]) for job_id, status, part in columns if status == "done" and stems[part] in missing]
    chosen = snapshot.values("part")
    needed = {stem for job_id, stem in lost if job_id not in snapshot.done}
    needed -= {stem for job_id, stem in lost if job_id in snapshot.done and stems[chosen[job_id]] > stem}
    paths = [f"{storage.root}/{part_path(n, stem)}" for stem in missing if stem in needed for n in missing[stem]]
    return [f"{p} is missing: its jobs run again" for p in paths if not any(x.startswith(p) for x in problems)]


def _choose(attempts: pa.Table, whole: np.ndarray) -> Snapshot:
    """For each job the last good attempt, else the last one.

    Args:
        whole: whether all parts of the attempt's stem are there.
    """
    done = np.array([status == "done" for status in attempts["status"].to_pylist()], bool)
    jobs, numbers, runs = (_codes(attempts[name]) for name in ("job_id", "attempt", "run"))
    # A run killed while it merged has left attempts in two parts: the later one counts, unless it is damaged.
    same = (jobs * (1 + numbers.max(initial=0)) + numbers) * attempts.num_rows + runs
    kept = _last(np.unique(same, return_inverse=True)[1], done & whole)
    if len(kept) != attempts.num_rows:
        attempts, jobs, done, whole = attempts.take(_arrow(kept)), jobs[kept], done[kept], whole[kept]
    good = done & whole
    counts = _last(jobs, good)
    current = np.zeros(len(jobs), bool)
    current[counts] = True
    doc = {"doc": "whether the attempt counts"}
    attempts = attempts.append_column(pa.field("current", pa.bool_(), metadata=doc), _arrow(current))
    attempts = attempts.append_column("good", _arrow(good))
    ids = attempts["job_id"].take(_arrow(counts)).to_pylist()
    return Snapshot(attempts, dict(zip(ids, counts.tolist(), strict=True)), frozenset(compress(ids, good[counts])))


# `pa.array` and `to_numpy` import pandas, half a second of a --status; these two ways between Arrow and numpy do not.


def _codes(values: pa.ChunkedArray) -> np.ndarray:
    """A whole number for each distinct value."""
    if not len(values):
        return np.zeros(0, np.int64)
    return np.from_dlpack(values.combine_chunks().dictionary_encode(null_encoding="encode").indices).astype(np.int64)


def _arrow(values: np.ndarray) -> pa.Array:
    """Whole numbers or truth values as Arrow has them."""
    if values.dtype == bool:
        return pa.Array.from_buffers(
            pa.bool_(), len(values), [None, pa.py_buffer(np.packbits(values, bitorder="little"))]
        )
    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(values.astype(np.int64))])


def _last(groups: np.ndarray, good: np.ndarray) -> np.ndarray:
    """For each group its last good row, else its last row; ascending."""
    rows = len(groups)
    best = np.full(groups.max(initial=-1) + 1, -1)
    np.maximum.at(best, groups, np.arange(rows) + np.where(good, rows, 0))
    return np.sort(best % rows) if rows else best
