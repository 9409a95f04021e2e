"""Letters and ids of residues, and what a model reads of a protein."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.transfer.proteins.alphabets import LETTERS, RESIDUES, decode, encode, unknown_letters
from tasks.transfer.proteins.framing import BERT, PLUS, Specials, frame, frame_batch, pair_lengths

SEQUENCES = st.text(RESIDUES, min_size=1, max_size=30)


@given(SEQUENCES)
def test_letters_survive(text):
    assert decode(encode(text)) == text
    assert encode(text.lower()).tolist() == encode(text.encode()).tolist()


def test_letters_of_several_residues():
    assert decode(encode("OUBZ")) == "KCXX"
    assert decode(encode("*-é.")) == "XXXX"
    with pytest.raises(ValueError, match=r"ids \[0, 23\] are no residues; give ids from 1 to 21"):
        decode(np.array([23, 1, 0]))


def test_letters_that_are_no_residues_are_counted():
    assert unknown_letters("mkvlXOUBZ") == {}
    assert unknown_letters(b"A*-*") == {"*": 2, "-": 1}
    assert unknown_letters("jJ") == {"J": 2}
    assert unknown_letters("A é") == {" ": 1, "é": 1}
    assert {chr(byte) for byte in LETTERS} == set("ACDEFGHIKLMNPQRSTVWYXOUBZ")


@given(st.integers(1, 40), st.integers(1, 40), st.integers(2, 60))
def test_a_pair_loses_residues_as_if_one_by_one(n_first, n_second, room):
    left = [n_first, n_second]
    while sum(left) > room:
        left[0 if left[0] > left[1] else 1] -= 1
    assert pair_lengths(n_first, n_second, room) == tuple(left)


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
    assert not framed.segments.any()


def test_other_special_tokens():
    framed = frame_batch([encode("AR"), encode("A")], 9, BERT, pad_to=5)
    assert framed.tokens.tolist() == [[101, 1, 2, 102, 0], [101, 1, 102, 0, 0]]
    framed = frame_batch([encode("A")], 9, Specials(cls=2, sep=3, pad=7), pad_to=4)
    assert framed.tokens.tolist() == [[2, 1, 3, 7]]


def test_a_pair_says_its_segments():
    tokens, segments = frame(encode("AR"), encode("N"), 9, PLUS)
    assert tokens.tolist() == [23, 1, 2, 24, 3, 24]
    assert segments.tolist() == [0, 0, 0, 0, 1, 1]


def test_frames_that_cannot_be():
    one = encode("ARN")
    with pytest.raises(ValueError, match="max_length is 2; give at least 3"):
        frame(one, None, 2)
    with pytest.raises(ValueError, match="max_length is 4; give at least 5"):
        frame(one, one, 4)
    with pytest.raises(ValueError, match="at least one sequence"):
        frame_batch([], 9)
    with pytest.raises(ValueError, match="1 first and 2 second"):
        frame_batch([one], 9, second=[one, one])
    with pytest.raises(ValueError, match="pad_to is 4; a sequence has 5 tokens"):
        frame_batch([one], 9, pad_to=4)
