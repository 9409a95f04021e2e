"""Artifacts of several stages: `meta.json`, tables as Arrow data sets whose bytes are equal, and token ids of texts."""

import json
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


def write_meta(directory: Path, meta: dict[str, Any]) -> None:
    (directory / "meta.json").write_text(json.dumps(meta, indent=1) + "\n", "utf-8")


def read_meta(directory: Path, stage: str) -> dict[str, Any]:
    """meta.json of an artifact of `stage`.

    Raises:
        DataError: when the directory holds none.
    """
    path = Path(directory) / "meta.json"
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected an artifact of the {stage} stage, run its job again")
    meta = json.loads(path.read_text("utf-8"))
    if meta.get("stage", "tokens") != stage:  # that stage alone does not name itself
        raise DataError(f"{path}: not an artifact of the {stage} stage; run its job again")
    return meta


def encode(texts: list[str], tokenizer: Any) -> list[list[int]]:
    """Token ids of each text without special tokens, of any length."""
    return tokenizer(
        texts,
        add_special_tokens=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,  # no warning that a text is longer than the model takes: it is cut later
    )["input_ids"]
