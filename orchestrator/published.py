"""What a published table holds: its order, which of two jobs' rows it keeps, and a mark of what it was made of.

The mark stands in the file's metadata. A table whose mark is what it would be made of now is not made again, so a
finished sweep answers at once.
"""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orchestrator.code import code_digest
from orchestrator.experiment import TableSpec
from orchestrator.snapshot import Snapshot
from orchestrator.storage import Storage

MADE_OF = b"made_of"


def mark(spec: TableSpec, schema: pa.Schema, attempts: str) -> str:
    """A text that differs whenever the published table may differ.

    Args:
        spec: the table's.
        schema: its columns.
        attempts: the digest of the attempts whose rows are in it.
    """
    parts = (schema.to_string(), spec.key, spec.version, attempts, code_digest())
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def mark_of(storage: Storage, file: str) -> str | None:
    """The mark of the published table in `file`; None where there is none, or no whole file."""
    try:
        with storage.open(file) as source:
            metadata = pq.read_schema(source).metadata or {}
    except (pa.ArrowException, OSError, ValueError):
        return None
    return metadata.get(MADE_OF, b"").decode(errors="replace") or None


def ordered(table: pa.Table, spec: TableSpec) -> pa.Table:
    """Declared columns first, then parameters, then `data` and `job_id`; rows in the order of parameters and key."""
    last = [n for n in ("data", "job_id") if n not in spec.schema.names and n in table.schema.names]
    rest = [n for n in table.schema.names if n not in spec.schema.names and n not in last]
    table = table.select([*spec.schema.names, *rest, *last])
    by = [*spec.key, *rest, *last]
    return table.sort_by([(name, "ascending") for name in by]) if by and table.num_rows else table


def unique(table: pa.Table, spec: TableSpec, snapshot: Snapshot) -> pa.Table:
    """Drop rows that a later job of the same stage repeats: equal in key, parameters and data.

    Later is the job of the later run; within one run the job ids decide, so that the order in which jobs ended shows
    nowhere. Rows of one job are never dropped.
    """
    if not table.num_rows:
        return table
    by = [n for n in table.schema.names if n not in spec.schema.names and n != "job_id"] + list(spec.key)
    ids = table["job_id"].combine_chunks().dictionary_encode()
    job = ids.indices.to_numpy()
    jobs = snapshot.attempts.take(pa.array([snapshot.by_id[i] for i in ids.dictionary.to_pylist()]))
    jobs = jobs.append_column("at", pa.array(range(jobs.num_rows)))
    age = np.empty(jobs.num_rows, int)
    age[jobs.sort_by([("run", "ascending"), ("job_id", "ascending")])["at"].to_numpy()] = np.arange(jobs.num_rows)
    frame = table.select([n for n in by if n != "job_id"]).to_pandas(integer_object_nulls=True)
    frame["_stage"], frame["_age"] = jobs["stage"].to_numpy()[job], age[job]
    same = frame.groupby([*by, "_stage"], dropna=False, sort=False)["_age"]
    keep = (same.transform("max") == frame["_age"]).to_numpy(dtype=bool)
    return table if keep.all() else table.filter(pa.array(keep))
