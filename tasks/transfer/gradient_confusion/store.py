"""Where the gradients of a job lie: in memory where they fit, else in a file that is read back in blocks.

Never more than two blocks are in memory, a block being half of the budget: the one on the device and, with a file, the
one that it was read into. Every gradient is computed once, whatever the budget.

Letters: n gradients, S entries of each, b entries of a block.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedRandom
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


class NoRoom(ValueError):
    """Neither memory nor disk has room for the gradients."""


@dataclass(kw_only=True)
class GradientStore:
    """n gradients of S entries; `open_store` makes one."""

    n: int
    size: int
    """Entries of a gradient, S."""
    dtype: torch.dtype
    device: torch.device
    block_bytes: int
    """Maximum size of a block."""
    file: BufferedRandom | None
    """None: all is in memory, which is two blocks at most."""
    held: Tensor | None = None
    peak_bytes: int = 0
    """The most that this store has had in memory at once: one gradient, or blocks."""
    _row: Tensor = field(init=False)

    def __post_init__(self):
        if self.file is None:
            self.held = torch.zeros(self.n, self.size, dtype=self.dtype, device=self.device)
            self.peak_bytes = self.n * self.row_bytes
        else:
            self._row = torch.zeros(self.size, dtype=self.dtype, device=self.device)
            self.peak_bytes = self.row_bytes

    @property
    def row_bytes(self) -> int:
        """Bytes of one gradient."""
        return self.size * self.dtype.itemsize

    @property
    def columns(self) -> int:
        """b: entries of a block, at least 1."""
        return max(1, self.block_bytes // (self.n * self.dtype.itemsize))

    @contextlib.contextmanager
    def row(self, i: int) -> Iterator[Tensor]:
        """The zeros [S] to put gradient i into; it is kept when the context ends."""
        if self.held is not None:
            yield self.held[i]
            return
        assert self.file is not None
        self._row.zero_()
        yield self._row
        self.file.seek(i * self.row_bytes)
        self.file.write(_bytes(self._row.cpu()))

    def blocks(self) -> Iterator[Tensor]:
        """All gradients as blocks [n, b] on the device, first entries first, once; the next block overwrites one."""
        if self.held is not None:
            yield from self.held.split(self.columns, dim=1)
            return
        assert self.file is not None
        self.file.flush()
        self._row = self._row[:0].clone()
        read = torch.empty(self.n, min(self.columns, self.size), dtype=self.dtype)
        there = read if self.device.type == "cpu" else torch.empty_like(read, device=self.device)
        self.peak_bytes = max(self.peak_bytes, read.nbytes * (1 if there is read else 2))
        for start in range(0, self.size, self.columns):
            width = min(self.columns, self.size - start)
            for i in range(self.n):
                self.file.seek(i * self.row_bytes + start * self.dtype.itemsize)
                view = _bytes(read[i, :width])
                if self.file.readinto(view) != len(view):
                    raise OSError(f"the file of gradients in {tempfile.gettempdir()} was cut short; is the disk full?")
            if there is not read:
                there.copy_(read)
            yield there[:, :width]


@contextlib.contextmanager
def open_store(
    n: int, size: int, dtype: torch.dtype, device: torch.device, budget_bytes: int, host_bytes: int
) -> Iterator[GradientStore]:
    """Room for n gradients of `size` entries; a file, if there is one, is gone when the context ends.

    Args:
        budget_bytes: what gradients may take on the device, two blocks.
        host_bytes: what a block that is read from a file may take in the host's memory.

    Raises:
        NoRoom: they fit neither into memory nor on the disk of the temporary directory.
    """
    row_bytes = size * dtype.itemsize
    given: dict[str, Any] = {"n": n, "size": size, "dtype": dtype, "device": device}
    if n * row_bytes <= budget_bytes:
        yield GradientStore(**given, block_bytes=budget_bytes // 2, file=None)
        return
    block_bytes = min(budget_bytes // 2, host_bytes)
    with tempfile.TemporaryDirectory(prefix="gradients-") as directory:
        free = shutil.disk_usage(directory).free
        if n * row_bytes > free:
            raise NoRoom(
                f"{n} gradients of {size:,} numbers take {n * row_bytes:,} bytes; {budget_bytes:,} of memory may be "
                f"used, and {tempfile.gettempdir()} has {free:,} left on its disk; give fewer --batches, the job more "
                "memory, or name a larger disk in TMPDIR"
            )
        with (Path(directory) / "gradients").open("w+b") as file:
            yield GradientStore(**given, block_bytes=block_bytes, file=file)


def _bytes(row: Tensor) -> memoryview:
    """The memory of a contiguous tensor of the CPU."""
    return memoryview(row.numpy().view("uint8"))  # pyright: ignore[reportArgumentType]  # arrays are buffers
