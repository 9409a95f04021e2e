"""Merging: few parts instead of many, while a run goes on and at its end.

A run of a week that writes every five seconds would leave 120,000 stems. As in a log-structured merge tree, FANOUT
stems of one level become one stem of the next level: 120,000 flushes stand in at most 7 stems on each of 6 levels, and
a row is written again once a level. Rows that have become many are left as they are, so that one merge takes little
memory and keeps the driver from its jobs for a second or two at most.

A merge is safe to kill at any moment: the tables' parts of the new stem are written first and its `jobs` part last
(before that, the new stem does not count), then the old stems go, each `jobs` part first. Where both forms stand, a
reader sees an attempt twice and counts it once (see `snapshot`). New stems take the next number, so that the stems of a
run in the order of their names are in the order of time.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import TableSpec
from orchestrator.parts import JOBS, JOBS_SPEC, BadPart, decode, encode, part_path, promised_rows
from orchestrator.storage import Storage

log = logging.getLogger(__name__)

FANOUT = 8
MERGE_BYTES = 12 << 20  # of rows in memory: what one merge handles at most
SETTLED = 99  # the level of stems that are too large to be merged again


@dataclass(frozen=True)
class Written:
    """A stem of this run that stands."""

    stem: str
    level: int
    """How many merges its rows have been through."""
    size: int
    """Bytes that its rows take in memory."""


def due(stems: Sequence[Written]) -> Sequence[Written]:
    """The newest stems when they should become one now; empty when not. Levels fall from the oldest to the newest."""
    newest = stems[-FANOUT:]
    alike = len(newest) == FANOUT and len({each.level for each in newest}) == 1 and newest[0].level != SETTLED
    return newest if alike else ()


def packed(stems: Sequence[Written]) -> list[list[Written]]:
    """All stems of a run in as few groups of neighbours as one merge each can handle."""
    groups: list[list[Written]] = []
    for each in stems:
        if groups and sum(other.size for other in groups[-1]) + each.size <= MERGE_BYTES:
            groups[-1].append(each)
        else:
            groups.append([each])
    return groups


def merge(storage: Storage, specs: Mapping[str, TableSpec], stems: Sequence[Written], target: str) -> Sequence[Written]:
    """Make the stem `target` of several stems; returns what stands now instead of them.

    A stem that is damaged, or that a reader has set aside, is left to the readers: they name it.

    Raises:
        OSError: when the storage does not answer or is full; the old stems stand.
    """
    tables: dict[str, list[pa.Table]] = {}
    whole: list[Written] = []
    for each in stems:
        try:
            parts = _read_stem(storage, specs, each.stem)
        except (BadPart, FileNotFoundError) as problem:
            log.warning("%s is not merged: %s", each.stem, problem)
            continue
        whole.append(each)
        for name, table in parts.items():
            tables.setdefault(name, []).append(table)
    if len(whole) < 2:
        return whole
    jobs = tables.pop(JOBS)
    counts = {}
    for name, several in tables.items():
        counts[name] = sum(table.num_rows for table in several)
        storage.write(part_path(name, target), encode(_concatenated(several), specs[name].version))
    storage.write(part_path(JOBS, target), encode(_concatenated(jobs), JOBS_SPEC.version, counts))
    for each in whole:
        _delete(storage, tables, each.stem)
    return [Written(target, max(each.level for each in whole) + 1, sum(each.size for each in whole))]


def _delete(storage: Storage, tables: Iterable[str], stem: str) -> None:
    """Remove a stem, its `jobs` part first: without that the others do not count."""
    try:
        for name in (JOBS, *tables):
            storage.delete(part_path(name, stem))
    except OSError as problem:  # it stands beside what was made of it, and readers count its attempts once
        log.warning("%s is merged and could not be deleted: %s", stem, problem)


def _read_stem(storage: Storage, specs: Mapping[str, TableSpec], stem: str) -> dict[str, pa.Table]:
    """All parts of a stem by table; none is missing a row.

    Raises:
        BadPart: when one of them cannot be used.
        FileNotFoundError: when one of them is gone.
    """
    jobs = decode(storage, part_path(JOBS, stem), JOBS_SPEC)
    parts = {JOBS: jobs}
    for name, rows in promised_rows(jobs).items():
        parts[name] = decode(storage, part_path(name, stem), specs[name])
        if parts[name].num_rows != rows:
            raise BadPart(f"{name} has {parts[name].num_rows} rows, not {rows}")
    return parts


def _concatenated(tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables([t.replace_schema_metadata(None) for t in tables], promote_options="default")
