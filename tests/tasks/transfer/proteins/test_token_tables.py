"""Token tables: their form, what they depend on, and files that are none; the alphabets under them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data.errors import DataError
from tasks.transfer.proteins.token_tables import (
    ALPHABETS,
    DNA,
    MUSIC,
    PROTEIN,
    check_alphabet,
    encode_dna,
    encode_pitches,
    read_table,
    reserved_ids,
    table_revision,
    token_table,
)


@given(st.integers(2, 3000), st.integers(0, 5))
def test_a_table_is_a_permutation_of_the_stated_form(vocab_size, seed):
    table, kept = token_table(vocab_size, seed), reserved_ids(vocab_size)
    assert table.dtype == np.int32
    assert sorted(table.tolist()) == list(range(vocab_size))
    assert table[: vocab_size - kept].min() == kept
    assert table[vocab_size - kept :].tolist() == list(range(kept))


@pytest.mark.parametrize(("vocab_size", "kept"), [(30_522, 1000), (2000, 1000), (1200, 600), (3, 1)])
def test_a_small_vocabulary_reserves_half_of_it(vocab_size, kept):
    assert reserved_ids(vocab_size) == kept


def test_a_table_depends_on_its_seed_and_size():
    assert np.array_equal(token_table(1200, 3), token_table(1200, 3))
    assert not np.array_equal(token_table(1200, 3), token_table(1200, 4))
    # The same on every machine and with every version, or published results could not be repeated.
    assert token_table(30_522, 100)[:4].tolist() == [11503, 5145, 3391, 24328]
    assert table_revision(token_table(30_522, 100)) == "acf759fb23636878"
    with pytest.raises(ValueError, match="vocab_size is 1"):
        token_table(1, 0)


def test_a_table_from_a_file(tmp_path):
    path = tmp_path / "table.npy"
    np.save(path, token_table(50, 0).astype(np.int64))
    assert np.array_equal(read_table(path), token_table(50, 0))
    assert read_table(path, 50).dtype == np.int32
    with pytest.raises(DataError, match=r"table\.npy: 50 ids; the model has 60"):
        read_table(path, 60)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.array([0, 1, 5]), "id 2 becomes 5, 1 are outside of 0 to 2"),
        (np.array([0, -1, 1]), "id 1 becomes -1"),
        (np.array([0, 1, 1, 1]), r"no permutation: 2 ids are never reached \(the first is 2\), 1 more than once"),
        (np.array([0.0, 1.0]), r"float64 \[2\]; give whole numbers in one dimension"),
        (np.array([[0], [1]]), r"int64 \[2, 1\]"),
    ],
)
def test_what_is_no_table_is_named(table, message, tmp_path):
    np.save(tmp_path / "table.npy", table)
    with pytest.raises(DataError, match=message) as problem:
        read_table(tmp_path / "table.npy")
    assert "table.npy" in str(problem.value)


def test_files_that_are_no_arrays(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_table(tmp_path / "absent.npy")
    for content in (b"", b"text"):
        (tmp_path / "bad.npy").write_bytes(content)
        with pytest.raises(DataError, match=r"bad\.npy: no array that NumPy reads without pickles"):
            read_table(tmp_path / "bad.npy")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="without pickles"):
        read_table(tmp_path / "objects.npy")
    np.savez(tmp_path / "several.npz", a=np.arange(3))
    with pytest.raises(DataError, match="several arrays"):
        read_table(tmp_path / "several.npz")


def test_alphabets_say_which_raw_ids_they_use():
    assert set(ALPHABETS) == {"dna", "protein", "music"}
    assert [DNA.letters[letter] for letter in "ATCGNDRS"] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert set(PROTEIN.letters.values()) == set(PROTEIN.raw_ids) == set(range(1, 22))
    assert MUSIC.raw_ids == tuple(range(128, 256))
    assert encode_dna("acgT").tolist() == [1, 3, 4, 2]
    assert encode_pitches([0, 60, 127]).tolist() == [128, 188, 255]


def test_what_no_alphabet_has():
    with pytest.raises(ValueError, match=r"no nucleotides: \{'X': 2\}; the letters are ATCGNDRS"):
        encode_dna("AXCX")
    with pytest.raises(ValueError, match=r"no MIDI pitches: \[-1, 128\]"):
        encode_pitches([128, 3, -1])
    with pytest.raises(ValueError, match="pitches are float64"):
        encode_pitches(np.array([60.5]))
    check_alphabet(PROTEIN, (101, 102, 0), token_table(1200, 0))
    with pytest.raises(ValueError, match="music needs raw ids up to 255; the table has 200"):
        check_alphabet(MUSIC, (0,), token_table(200, 0))
