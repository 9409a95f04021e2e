"""Gradients in memory or in a file: the same blocks, the promised memory, nothing left behind."""

import os
import shutil
import tempfile
from collections import namedtuple

import pytest
import torch

from tasks.transfer.gradient_confusion.store import NoRoom, open_store

CPU = torch.device("cpu")
ROWS = torch.randn(5, 101, generator=torch.Generator().manual_seed(0))


def filled(budget: int, host: int = 1 << 30, rows: torch.Tensor = ROWS):
    """The store after all rows were written, and its blocks side by side."""
    with open_store(len(rows), rows.shape[1], rows.dtype, CPU, budget, host) as store:
        for i, row in enumerate(rows):
            with store.row(i) as into:
                assert not into.any()  # nothing is left of the row before
                into += row
        blocks = [block.clone() for block in store.blocks()]
        assert all(block.nbytes <= store.block_bytes for block in blocks)
        return store, torch.cat(blocks, dim=1), len(blocks)


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("share", [1.0, 0.99, 0.3, 0.05])
def test_whatever_the_budget_the_gradients_come_back_in_two_blocks_of_memory(share, dtype, temporary):
    rows = ROWS.to(dtype)
    budget = int(share * rows.nbytes)
    store, found, blocks = filled(budget, rows=rows)
    assert torch.equal(found, rows)
    assert (store.file is None) == (share == 1.0)
    assert store.peak_bytes <= max(budget, store.row_bytes)
    assert blocks >= 2
    assert os.listdir(temporary) == []


def test_a_small_host_makes_blocks_small_too():
    store, found, _ = filled(ROWS.nbytes - 1, host=ROWS.nbytes // 10)
    assert torch.equal(found, ROWS)
    assert store.block_bytes == ROWS.nbytes // 10


def test_the_file_is_gone_after_an_error(temporary):
    def fails():
        with open_store(5, 101, torch.float32, CPU, 100, 1 << 30) as store:
            with store.row(0):
                pass
            assert len(os.listdir(temporary)) == 1
            raise RuntimeError("no gradient")

    with pytest.raises(RuntimeError, match="no gradient"):
        fails()
    assert os.listdir(temporary) == []


def test_a_full_disk_is_refused_before_anything_is_computed(monkeypatch, temporary):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage(2019))
    with (
        pytest.raises(NoRoom, match=r"5 gradients of 101 numbers take 2,020 bytes; 100 of memory .* has 2,019 left"),
        open_store(5, 101, torch.float32, CPU, 100, 1 << 30),
    ):
        pass
    assert os.listdir(temporary) == []


def test_a_file_that_was_cut_short_is_an_error():
    with open_store(5, 101, torch.float32, CPU, 100, 1 << 30) as store:
        with store.row(0) as into:
            into += 1
        with pytest.raises(OSError, match="was cut short; is the disk full"):
            list(store.blocks())
