"""All singular values of a job on disk, in safetensors files of bounded size.

`singular_values-00000.safetensors`, …: one row a Jacobian block. `values` float32 [R, H], descending, structurally null
ones too; `sentence`, `position` (t, of the output), `word` (w, of the input), `tokens` (of the sentence),
`input_level`, `output_level`, `nulls`: int32 [R].
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from models.jacobian import Blocks

SHARD_BYTES = 64 << 20
"""Values that are kept in memory before a file is written."""
LABELS = ("sentence", "position", "word", "tokens", "input_level", "output_level", "nulls")


class ShardWriter:
    """Collects rows and writes a file when they fill it; without a directory it does nothing."""

    def __init__(self, directory: Path | None, shard_bytes: int = SHARD_BYTES):
        self.directory, self.shard_bytes, self.written = directory, shard_bytes, 0
        self.values: list[np.ndarray] = []
        self.labels: list[np.ndarray] = []

    def add(self, sentence: int, blocks: Blocks, values_WH: np.ndarray) -> None:
        """The values of one position's blocks, a row a word."""
        if self.directory is None:
            return
        n = len(values_WH)
        labels = np.empty((n, len(LABELS)), dtype=np.int32)
        known = (blocks.input_level, blocks.output_level, blocks.nulls)
        labels[:] = (sentence, blocks.position, 0, n, *known)
        labels[:, LABELS.index("word")] = np.arange(n)
        self.values.append(values_WH.astype(np.float32))
        self.labels.append(labels)
        if sum(part.nbytes for part in self.values) >= self.shard_bytes:
            self.close()

    def close(self) -> None:
        """Write what is left."""
        if self.directory is None or not self.values:
            return
        labels = np.concatenate(self.labels)
        tensors = {name: labels[:, column].copy() for column, name in enumerate(LABELS)}
        tensors["values"] = np.concatenate(self.values)
        save_file(tensors, self.directory / f"singular_values-{self.written:05}.safetensors")
        self.values, self.labels, self.written = [], [], self.written + 1
