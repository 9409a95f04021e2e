"""Columns of numbers of any size in Arrow files: written piece by piece, read as arrays mapped from the file."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from tasks.data.errors import DataError


@dataclass
class Column:
    """A column that is being written."""

    file: IO[bytes]
    kind: np.dtype
    size: int = 0

    def append(self, values: np.ndarray) -> None:
        self.file.write(np.ascontiguousarray(values, self.kind).data)
        self.size += len(values)


@contextlib.contextmanager
def column_writer(path: Path, kind: np.dtype) -> Iterator[Column]:
    """A column to append to; when all went well it is then one Arrow file with one batch, to be read as one array.

    Arrow wants to know a batch's size before its numbers, so they wait in a plain file beside it.
    """
    raw = path.with_suffix(".raw")
    try:
        with open(raw, "wb") as file:
            column = Column(file, kind)
            yield column
        write_column(path, np.memmap(raw, kind, "r") if column.size else np.empty(0, kind))
    finally:
        raw.unlink(missing_ok=True)


def write_column(path: Path, values: np.ndarray) -> None:
    """Write an array [N] as an Arrow file with the one column `value`."""
    batch = pa.record_batch([pa.array(values)] if values.dtype == bool else [_borrowed(values)], names=["value"])
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)


def read_column(path: Path, *kinds: type[np.number] | type[np.bool_]) -> np.ndarray:
    """The array of a file, read-only, and in memory only where it is touched.

    Raises:
        DataError: it is not there, is no such file, or has another type than one of `kinds`.
    """
    try:
        batch = pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
    except (OSError, pa.ArrowInvalid) as problem:
        raise DataError(f"{path}: cannot be read ({problem}); run the job that made this artifact again") from problem
    allowed = [pa.from_numpy_dtype(kind) for kind in kinds]
    if batch.schema.names != ["value"] or batch.schema.types[0] not in allowed:
        wanted = " or ".join(map(str, allowed))
        raise DataError(f"{path}: expected one column `value` of {wanted}; run the job that made this artifact again")
    column = batch.column(0)
    return column.to_numpy(zero_copy_only=False) if column.type == pa.bool_() else column.to_numpy(zero_copy_only=True)


def _borrowed(values: np.ndarray) -> pa.Array:
    """The array for Arrow without a copy, since it may be larger than the memory."""
    buffers = [None, pa.py_buffer(values)]
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), buffers)
