"""n-gram masking: budgets, borders, streams, and inputs in which little or nothing can be hidden."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tasks.data.masking import NOT_PREDICTED, LegacyMasker, Masking, mask_batch

MASKING = Masking(vocab_size=60, mask_id=4, special_ids=(0, 1, 2, 3, 4), pad_id=0)


def text(rows: int, length: int, seed: int = 0) -> np.ndarray:
    ids = np.random.default_rng(seed).integers(5, 60, size=(rows, length))
    ids[:, 0], ids[:, -1] = 2, 3
    return ids


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=6),
    ratio=st.floats(0.01, 0.9),
    seed=st.integers(0, 2**31),
    specials=st.floats(0, 1),
)
def test_only_text_is_hidden_and_never_more_than_the_budget(lengths, ratio, seed, specials):
    rng = np.random.default_rng(seed)
    ids = np.zeros((len(lengths), max(1, *lengths)), dtype=np.int32)
    for row, length in zip(ids, lengths, strict=True):
        row[:length] = np.where(rng.random(length) < specials, rng.integers(1, 5, length), rng.integers(5, 60, length))
    masking = Masking(vocab_size=60, mask_id=4, special_ids=(0, 1, 2, 3, 4), pad_id=0, ratio=ratio)
    inputs, labels = mask_batch(ids, masking, seed, "any")
    hidden = labels != NOT_PREDICTED
    assert ((ids >= 5) | ~hidden).all()
    assert (hidden.sum(axis=1) <= (ratio * np.array(lengths)).astype(int)).all()
    assert np.array_equal(labels[hidden], ids[hidden])
    assert np.array_equal(inputs[~hidden], ids[~hidden])
    assert inputs.min() >= 0
    assert inputs.max() < 60


def test_hidden_tokens_become_mask_word_or_stay():
    ids = text(3000, 64)
    inputs, labels = mask_batch(ids, MASKING, 1, "fates")
    hidden = labels >= 0
    n = hidden.sum()
    # A random word is the token itself once in 60, and the mask token once in 60 (specials are drawn too).
    p_mask, p_same = 0.8 + 0.1 / 60, 0.1 + 0.1 / 60
    counts = [(inputs[hidden] == 4).sum(), (inputs[hidden] == ids[hidden]).sum()]
    counts.append(n - sum(counts))
    expected = n * np.array([p_mask, p_same, 1 - p_mask - p_same])
    assert stats.chisquare(counts, expected).pvalue > 1e-4
    words = inputs[hidden & (inputs != ids) & (inputs != 4)]
    assert set(range(4)) <= set(words.tolist())


def test_masks_depend_on_the_names_of_the_batch_alone():
    ids = text(8, 32)
    first = mask_batch(ids, MASKING, 5, "train", 0, 3)
    mask_batch(text(3, 64), MASKING, 5, "test", 0)
    again = mask_batch(ids, MASKING, 5, "train", 0, 3)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    others = [
        mask_batch(ids, MASKING, *names)[1] for names in [(5, "train", 0, 4), (5, "train", 1, 3), (6, "train", 0, 3)]
    ]
    assert not any(np.array_equal(first[1], other) for other in others)


@pytest.mark.parametrize("row", [[2, 3], [2], [0, 0], [2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3]])
def test_where_nothing_can_be_hidden_nothing_is(row):
    inputs, labels = mask_batch(np.array([row]), MASKING, 0, "none")
    assert np.array_equal(inputs, [row])
    assert (labels == NOT_PREDICTED).all()


def test_one_token_among_specials_is_hidden_by_a_single_gram():
    ids = np.full((200, 14), 2)
    ids[:, 5] = 30
    _, labels = mask_batch(ids, MASKING, 0, "one")
    # The budget is 2; a pair never fits. 40 tries of probability 6/11/13: all but a fifth of the rows find it.
    assert (labels[:, np.arange(14) != 5] == NOT_PREDICTED).all()
    assert 0.6 < (labels[:, 5] == 30).mean() < 0.95


def test_the_published_order_refuses_what_it_would_try_for_ever():
    masker = LegacyMasker(masking=MASKING, seed=0)
    with pytest.raises(ValueError, match="sequence 1 of the batch"):
        masker(np.stack([text(1, 14)[0], np.full(14, 2)]))


def test_its_streams_run_on_through_the_batches():
    ids = text(4, 32)
    masker = LegacyMasker(masking=MASKING, seed=0)
    first, second = masker(ids), masker(ids)
    assert not np.array_equal(first[1], second[1])
    assert np.array_equal(LegacyMasker(masking=MASKING, seed=0)(ids)[0], first[0])


@pytest.mark.parametrize(("field", "value"), [("ratio", 0.0), ("ratio", 1.0), ("mask_id", 60)])
def test_bad_settings(field, value):
    settings_ = {"vocab_size": 60, "mask_id": 4, "special_ids": (0, 2, 3), "pad_id": 0, field: value}
    with pytest.raises(ValueError, match=r"masking ratio|mask token 60"):
        Masking(**settings_)
