"""Rows of different lengths as one flat array with offsets, and the files of artifacts.

Nothing is padded on disk, and numbers stay mapped. N rows, S the length of one of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.experiment import Context
from tasks.data.errors import DataError


@dataclass(frozen=True)
class Ragged:
    """`values[offsets[i]:offsets[i + 1]]` is row i."""

    values: np.ndarray
    """All rows end to end."""
    offsets: np.ndarray
    """int64 [N+1], from 0 to the length of `values`."""

    def __post_init__(self):
        offsets = self.offsets
        if offsets.ndim != 1 or not len(offsets) or offsets[0] != 0 or offsets[-1] != len(self.values):
            raise DataError(f"offsets of shape {offsets.shape} do not divide {len(self.values)} values into rows")
        if np.any(np.diff(offsets) < 0):
            raise DataError("offsets that fall: some row would have a negative length")

    @classmethod
    def of(cls, rows: Sequence[Any], dtype: Any) -> "Ragged":
        """Rows end to end."""
        arrays = [np.asarray(row, dtype=dtype) for row in rows]
        offsets = np.zeros(len(arrays) + 1, dtype=np.int64)
        np.cumsum([len(array) for array in arrays], out=offsets[1:])
        return cls(np.concatenate(arrays) if arrays else np.empty(0, dtype), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """int64 [N]."""
        return np.diff(self.offsets)

    def take(self, rows: np.ndarray) -> "Ragged":
        """Some rows, in the order asked for."""
        return Ragged.of([self[int(row)] for row in rows], self.values.dtype)

    def padded(self, rows: np.ndarray, fill: Any) -> tuple[np.ndarray, np.ndarray]:
        """Some rows as one array [n, longest] with `fill` at the end of short ones, and their lengths, int64 [n]."""
        rows = np.asarray(rows, dtype=np.int64)
        lengths = self.offsets[rows + 1] - self.offsets[rows]
        columns = np.arange(lengths.max(initial=0))
        inside = columns < lengths[:, None]
        padded = np.full(inside.shape, fill, dtype=self.values.dtype)
        padded[inside] = self.values[(self.offsets[rows][:, None] + columns)[inside]]
        return padded, lengths

    def save(self, directory: Path, name: str) -> None:
        """Write `<name>.npy` and `<name>.offsets.npy`."""
        np.save(directory / f"{name}.npy", self.values, allow_pickle=False)
        np.save(directory / f"{name}.offsets.npy", self.offsets, allow_pickle=False)

    @classmethod
    def open(cls, directory: Path, name: str) -> "Ragged":
        """What `save` wrote, in memory only where it is touched.

        Raises:
            DataError: it is not there.
        """
        return cls(open_array(directory / f"{name}.npy"), open_array(directory / f"{name}.offsets.npy"))


def open_array(path: Path) -> np.ndarray:
    """An array of an artifact, in memory only where it is touched.

    Raises:
        DataError: it is not there, or is no array.
    """
    try:
        return np.load(there(path), mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DataError(f"{path}: {error}; run the job that made this artifact again") from error


def there(path: Path) -> Path:
    """A file of an artifact.

    Raises:
        DataError: it is not there.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; run the job that made this artifact again")
    return path


def artifact_of(context: Context, stage: str) -> Path:
    """The directory that a stage writes into.

    Raises:
        ValueError: there is none.
    """
    if context.artifact is None:
        raise ValueError(f"{stage} writes an artifact: give context.artifact, an empty directory")
    return context.artifact


def length_batches(lengths: np.ndarray, cells: int) -> Iterator[np.ndarray]:
    """Row numbers in batches of similar length whose padded size is at most `cells`; a longer row comes alone.

    For passes whose order does not matter. Rows of equal length keep their order, so the batches are always the same.
    """
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and lengths[order[stop]] * (stop + 1 - start) <= cells:
            stop += 1
        yield order[start:stop]
        start = stop
