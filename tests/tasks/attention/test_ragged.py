import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.attention.ragged import Ragged, length_batches
from tasks.data.errors import DataError

ROWS = st.lists(st.lists(st.integers(-5, 5), max_size=6), max_size=8)


@given(ROWS)
def test_rows_come_back(rows):
    ragged = Ragged.of(rows, np.int32)
    assert [list(ragged[i]) for i in range(len(ragged))] == rows
    assert list(ragged.lengths) == [len(row) for row in rows]


@given(ROWS.filter(bool))
def test_padding_fills_the_end_of_short_rows(rows):
    padded, lengths = Ragged.of(rows, np.int32).padded(np.arange(len(rows))[::-1], fill=9)
    longest = max(len(row) for row in rows)
    assert padded.tolist() == [row + [9] * (longest - len(row)) for row in rows[::-1]]
    assert lengths.tolist() == [len(row) for row in rows[::-1]]


def test_saved_rows_are_mapped(tmp_path):
    Ragged.of([[1, 2], [], [3]], np.int32).save(tmp_path, "ids")
    ragged = Ragged.open(tmp_path, "ids")
    assert isinstance(ragged.values, np.memmap)
    assert [list(ragged[i]) for i in range(3)] == [[1, 2], [], [3]]
    assert list(ragged.take(np.array([2, 0])).values) == [3, 1, 2]


@given(st.lists(st.integers(1, 30), max_size=40), st.integers(1, 60))
def test_batches_hold_every_row_once_within_the_limit(lengths, cells):
    sizes = np.array(lengths, dtype=np.int64)
    batches = list(length_batches(sizes, cells))
    assert sorted(int(i) for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * sizes[batch].max() <= cells for batch in batches)


def test_bad_arrays_are_named(tmp_path):
    with pytest.raises(DataError, match=r"ids\.npy: no such file; run the job"):
        Ragged.open(tmp_path, "ids")
    with pytest.raises(DataError, match="do not divide 3 values"):
        Ragged(np.zeros(3), np.array([0, 2]))
    with pytest.raises(DataError, match="fall"):
        Ragged(np.zeros(3), np.array([0, 2, 1, 3]))
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "cut.offsets.npy").write_bytes(b"")
    with pytest.raises(DataError, match=r"cut\.npy"):
        Ragged.open(tmp_path, "cut")
    with pytest.raises(IndexError, match="row 5 of 1"):
        Ragged.of([[1]], np.int32)[5]
