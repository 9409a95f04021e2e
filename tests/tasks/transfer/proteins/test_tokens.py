"""Letters and ids of residues, what a model reads of a protein, token tables and files that are none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data.errors import DataError
from tasks.transfer.proteins.tokens import (
    LETTERS,
    RESIDUES,
    encode,
    frame_batch,
    read_table,
    reserved_ids,
    table_revision,
    token_table,
    unknown_letters,
)
from tests.tasks.transfer.proteins.letters import decode

SEQUENCES = st.text(RESIDUES, min_size=1, max_size=30)


@given(SEQUENCES)
def test_letters_survive(text):
    assert decode(encode(text)) == text
    assert encode(text.lower()).tolist() == encode(text.encode()).tolist()


def test_letters_of_several_residues():
    assert decode(encode("OUBZ")) == "KCXX"
    assert decode(encode("*-é.")) == "XXXX"


def test_letters_that_are_no_residues_are_counted():
    assert unknown_letters(b"mkvlXOUBZ") == {}
    assert unknown_letters(b"A*-*") == {"*": 2, "-": 1}
    assert unknown_letters(b"jJ") == {"J": 2}
    assert unknown_letters("A é".encode("latin-1")) == {" ": 1, "é": 1}
    assert {chr(byte) for byte in LETTERS} == set("ACDEFGHIKLMNPQRSTVWYXOUBZ")


@given(st.lists(SEQUENCES, min_size=1, max_size=5), st.integers(3, 40))
def test_a_batch_holds_each_sequence_framed(texts, length):
    framed = frame_batch([encode(text) for text in texts], length)
    for b, text in enumerate(texts):
        n = int(framed.mask[b].sum())
        assert framed.mask[b, :n].all()
        assert framed.tokens[b, 0] == 23
        assert framed.tokens[b, n - 1] == 24
        assert decode(framed.tokens[b, 1 : n - 1]) == text[: length - 2]
        assert not framed.tokens[b, n:].any()
    assert framed.mask.any(axis=0).all()  # no column is padding alone


def test_frames_that_cannot_be():
    with pytest.raises(ValueError, match="max_length is 2: give at least 3"):
        frame_batch([encode("ARN")], 2)
    with pytest.raises(ValueError, match="at least one sequence"):
        frame_batch([], 9)


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
