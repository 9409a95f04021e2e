"""Tables of an artifact as Arrow data sets of `datasets`: equal tables are equal bytes, and numbers stay mapped."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.data.errors import DataError


def write_table(table: pa.Table, directory: Path, name: str) -> None:
    """Write a table into a directory of its own; `name` stands in place of a random fingerprint."""
    from datasets import Dataset, are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from datasets.table import InMemoryTable

    # A fingerprint of its own, or `datasets` writes a random one and the same job gives other bytes each time.
    data = Dataset(InMemoryTable(table), fingerprint=name)
    quiet = are_progress_bars_disabled()
    disable_progress_bars()  # the runner shows the progress; a bar of each worker would be noise in its log
    try:
        data.save_to_disk(str(directory), num_shards=1)
    finally:
        if not quiet:
            enable_progress_bars()


def read_table(directory: Path) -> pa.Table:
    """The table, in memory only where it is touched.

    Raises:
        DataError: when it is not there, or has columns whose types bring code of their own.
    """
    from datasets import load_from_disk

    if not directory.is_dir():
        raise DataError(f"{directory}: no such directory; run the job that made this artifact again")
    table: Any = load_from_disk(str(directory), keep_in_memory=False).with_format("arrow")[:]
    if any(isinstance(getattr(f.type, "value_type", f.type), pa.BaseExtensionType) for f in table.schema):
        raise DataError(
            f"{directory}: columns whose types bring code of their own; run the job that made this artifact again"
        )
    return table


def list_values(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """All values of a list column end to end, [S], and the offsets of its rows, int64 [N+1]."""
    chunks = [chunk for chunk in column.chunks if len(chunk)]
    flat = [chunk.flatten().to_numpy(zero_copy_only=True) for chunk in chunks]  # flatten respects a chunk's own slice
    lengths = [np.diff(chunk.offsets.to_numpy()) for chunk in chunks]
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
    return flat[0] if len(flat) == 1 else np.concatenate(flat), offsets
