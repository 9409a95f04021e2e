"""The journal's format: immutable parts `_parts/<table>/<run>-<seq>.parquet`, written by the driver of that run alone.

The parts of one flush share a stem. The tables' parts are written first and the `jobs` part last, with the number of
rows of each of the others in its metadata: a stem counts only if its `jobs` part is there and the others have just
those rows. So a driver killed in the middle of a flush, or a damaged file, loses that flush and nothing else.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orchestrator.experiment import Job, Stage, TableSpec, column
from orchestrator.storage import Storage

JOBS = "jobs"
ROW_GROUP = 1 << 17  # rows; what is decoded at once by a reader that streams
STEM = re.compile(r"^(?P<run>\d{8}T\d{6}-[0-9a-f]{4,8})-(?P<seq>\d{6})$")

JOBS_SCHEMA = pa.schema(
    [
        pa.field("job_id", pa.string(), metadata={"doc": "content hash: the same work has the same id"}),
        pa.field("stage", pa.string(), metadata={"doc": "name of the stage"}),
        pa.field("params", pa.string(), metadata={"doc": "all parameters, canonical JSON"}),
        pa.field("data", pa.string(), metadata={"doc": "data read, name@fingerprint"}),
        pa.field("status", pa.string(), metadata={"doc": "done, failed, timeout or lost"}),
        pa.field("error", pa.string(), metadata={"doc": "type of the error"}),
        pa.field("message", pa.string(), metadata={"doc": "its message"}),
        pa.field("traceback", pa.string(), metadata={"doc": "its traceback on the worker"}),
        pa.field("attempt", pa.int64(), metadata={"doc": "1 for the first attempt in its run"}),
        pa.field("started_at", pa.timestamp("us", tz="UTC"), metadata={"doc": "by the worker's clock"}),
        pa.field("seconds", pa.float64(), metadata={"doc": "duration on the worker, in seconds"}),
        pa.field("host", pa.string(), metadata={"doc": "name of the node"}),
        pa.field("device", pa.string(), metadata={"doc": "cpu or cuda:0"}),
        pa.field("peak_rss_mb", pa.float64(), metadata={"doc": "peak resident memory of the process, MiB"}),
        pa.field("peak_gpu_mb", pa.float64(), metadata={"doc": "peak GPU memory allocated, MiB"}),
        pa.field("passes", pa.float64(), metadata={"doc": "planned layer applications to one sequence"}),
        pa.field("code", pa.string(), metadata={"doc": "digest of the project's code"}),
        pa.field("versions", pa.string(), metadata={"doc": "library versions, JSON"}),
        pa.field("run", pa.string(), metadata={"doc": "the run that tried it"}),
        pa.field("log", pa.string(), metadata={"doc": "its log, relative to this directory; none: it printed nothing"}),
    ]
)


def _with_log(table: pa.Table) -> pa.Table:
    """Version 2 has the column `log`."""
    return table.append_column(JOBS_SCHEMA.field("log"), pa.nulls(table.num_rows, pa.string()))


JOBS_SPEC = TableSpec(
    schema=JOBS_SCHEMA,
    key=("job_id", "run", "attempt"),
    doc="One row an attempt at a job.",
    version=2,
    upgrades={1: _with_log},
)


WRITTEN_BY = {
    "data": "data read, name@fingerprint",
    "job_id": "the job that wrote the row; see jobs.parquet",
}
"""Columns that every table ends with."""


def part_path(table: str, stem: str) -> str:
    """Where a part lies in the store's directory."""
    return f"_parts/{table}/{stem}.parquet"


class BadPart(ValueError):
    """A part that cannot be used; the message says why."""


class NewerSchema(ValueError):
    """A part written by a newer version of the project: reading it would lose columns, so nothing is done."""


@dataclass(frozen=True)
class TableRows:
    """The rows that one job wrote to one table."""

    job: Job
    rows: pa.Table


def full_schema(spec: TableSpec, stages: Iterable[Stage]) -> pa.Schema:
    """The declared columns, then the scalar parameters of the stages that write the table, then `data` and `job_id`."""
    fields: dict[str, pa.Field] = {f.name: f for f in spec.schema}
    for stage in stages:
        for field in stage.param_fields:
            fields.setdefault(field.name, field)
    for name, doc in WRITTEN_BY.items():
        fields.setdefault(name, column(name, pa.string(), doc))
    return pa.schema(list(fields.values()))


def with_parameters(spec: TableSpec, written: Sequence[TableRows]) -> pa.Table:
    """One table of what several jobs wrote, with their parameters as typed columns beside their rows."""
    jobs = [item.job for item in written]
    schema = full_schema(spec, dict.fromkeys(job.stage for job in jobs))
    rows = pa.concat_tables([item.rows for item in written])
    repeats = np.repeat(np.arange(len(written)), [item.rows.num_rows for item in written])
    columns: list[pa.Array | pa.ChunkedArray] = []
    for field in schema:
        if field.name in spec.schema.names:
            columns.append(rows.column(field.name))
            continue
        get: Callable[[Job], object] = {"data": lambda job: job.data, "job_id": lambda job: job.id}.get(
            field.name, lambda job, name=field.name: getattr(job.params, name, None)
        )
        columns.append(pa.array([get(job) for job in jobs], type=field.type).take(pa.array(repeats)))
    return pa.Table.from_arrays(columns, schema=schema)


def encode(table: pa.Table, version: int, rows: Mapping[str, int] | None = None) -> pa.Buffer:
    """A Parquet file in memory; its metadata hold `schema_version`, and a jobs part's the other parts' row counts."""
    metadata = {b"schema_version": str(version).encode()}
    for name, count in (rows or {}).items():
        metadata[f"rows:{name}".encode()] = str(count).encode()
    return parquet([table], table.schema, metadata)


def parquet(tables: Iterable[pa.Table], schema: pa.Schema, metadata: Mapping[bytes, bytes]) -> pa.Buffer:
    """A Parquet file in memory, of tables that need not be there all at once."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema.with_metadata(dict(metadata)), compression="zstd") as writer:
        for table in tables:
            writer.write_table(table.replace_schema_metadata(dict(metadata)), row_group_size=ROW_GROUP)
    return sink.getvalue()


def is_plain(kind: pa.DataType) -> bool:
    """Whether a type is Arrow's own, inside too. Others bring Python code, and some unpickle what they hold."""
    inner = [kind.field(i).type for i in range(kind.num_fields)]
    if isinstance(kind, pa.DictionaryType):
        inner.append(kind.value_type)
    return not isinstance(kind, pa.BaseExtensionType) and all(map(is_plain, inner))


def decode(storage: Storage, path: str, spec: TableSpec, columns: Sequence[str] | None = None) -> pa.Table:
    """Read one part, upgraded to the spec's version; it has at least the spec's columns.

    Args:
        columns: only these are read (all, where the part is of an older version); None: all.

    Raises:
        BadPart: when the file is no whole Parquet file, or has another schema.
        NewerSchema: when a newer version of the project wrote it.
        OSError: when the file cannot be fetched. Only what was fetched can be damaged: a network error must not
            condemn a good part.
    """
    data = storage.read(path)
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        version = _version(file.schema_arrow)
        some = columns is not None and version == spec.version and set(columns) <= set(file.schema_arrow.names)
        # Parts are small; buffers of many threads would take more memory than the rows.
        table = file.read(columns=list(columns or ()) if some else None, use_threads=False)
    except (pa.ArrowException, OSError, EOFError, ValueError) as problem:
        raise BadPart(next(iter(str(problem).splitlines()), type(problem).__name__)) from problem
    if foreign := [field.name for field in table.schema if not is_plain(field.type)]:
        raise BadPart(f"columns {foreign} are of types that come with code of their own")
    metadata = table.schema.metadata
    if version > spec.version:
        raise NewerSchema(
            f"{storage.root}/{path} has schema version {version}, this code knows {spec.version}: update the project"
        )
    for old in range(version, spec.version):
        if old in spec.upgrades:
            table = spec.upgrades[old](table)
    needed = set(columns or ()) if some else {"job_id", *spec.schema.names}
    if not needed <= set(table.schema.names):
        raise BadPart(f"columns {sorted(needed - set(table.schema.names))} are missing")
    try:
        for i, name in enumerate(table.schema.names):
            if name in spec.schema.names and table.schema.field(i).type != spec.schema.field(name).type:
                table = table.set_column(i, name, table.column(i).cast(spec.schema.field(name).type))
    except (pa.ArrowException, ValueError) as problem:
        raise BadPart(f"column {name!r}: {problem}") from problem
    return table.replace_schema_metadata(metadata)


def _version(schema: pa.Schema) -> int:
    try:
        return int((schema.metadata or {}).get(b"schema_version", b"0"))
    except ValueError:
        return 0


def promised_rows(jobs_part: pa.Table) -> dict[str, int]:
    """How many rows the other parts of a jobs part's stem must have, by table."""
    metadata = jobs_part.schema.metadata or {}
    return {k.decode()[5:]: int(v) for k, v in metadata.items() if k.startswith(b"rows:")}
