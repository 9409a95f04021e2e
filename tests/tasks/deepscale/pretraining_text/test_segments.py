"""Segments: cut at sentences, swapped, shortened at their ends, put between special tokens."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.deepscale.pretraining_text.samples import Samples, numbered
from tasks.deepscale.pretraining_text.sequences import ENDS_A, ENDS_B, in_front, lost, sequences
from tests.tasks.deepscale.pretraining_text.made import made, random_documents


def test_they_come_from_consecutive_sentences_of_one_document():
    documents = made([[3, 2, 4, 1, 6], [5, 5], [1, 1, 1, 1, 1, 1], [40, 30]])  # token i is its number + 4
    samples = Samples(documents, length=16, seed=3)
    for epoch in range(40):
        chosen = samples.take(epoch * 5, 5)
        found = sequences(documents, chosen, 24)
        for b in range(5):
            ids, length, n_a = found.ids[b].tolist(), int(found.lengths[b]), int(found.firsts[b])
            assert length == chosen.n_tokens[b]
            assert ids[length:] == [0] * (24 - length)
            a, b_ids = ids[1 : 1 + n_a], ids[2 + n_a : length - 1]
            assert (ids[0], ids[1 + n_a], ids[length - 1]) == (1, 2, 2)
            assert a
            assert b_ids
            assert found.types[b].tolist() == [0] * (n_a + 2) + [1] * (len(b_ids) + 1) + [0] * (24 - length)
            early, late = (b_ids, a) if found.swapped[b] else (a, b_ids)
            for part in (early, late):
                assert part == list(range(part[0], part[-1] + 1))
            begin, end = (int(documents.sentences[at[b]]) + 4 for at in (chosen.first, chosen.stop))
            borders = set((documents.sentences[chosen.first[b] + 1 : chosen.stop[b]] + 4).tolist())
            assert begin <= early[0] <= early[-1] < late[0] <= late[-1] < end
            assert borders & set(range(early[-1] + 1, late[0] + 1))
            if end - begin <= chosen.target[b]:
                assert early + late == list(range(begin, end))


@settings(deadline=None)
@given(n_a=st.integers(1, 60), n_b=st.integers(1, 60), target=st.integers(2, 130))
def test_how_many_tokens_each_loses(n_a, n_b, target):
    a, b = n_a, n_b
    while a + b > target:  # as published: one at a time from the longer one, of two as long ones from the second
        a, b = (a - 1, b) if a > b else (a, b - 1)
    lost_a, lost_b = lost(np.array([n_a]), np.array([n_b]), np.array([target]))
    assert (n_a - int(lost_a[0]), n_b - int(lost_b[0])) == (a, b)
    assert min(a, b) >= 1


def test_which_end_they_lose_them_at_is_tossed_for_each():
    streams = numbered(0, np.arange(4000))
    for n in (0, 1, 63, 64, 65, 200):
        front_a, front_b = (in_front(streams, purpose, np.full(4000, n)) for purpose in (ENDS_A, ENDS_B))
        for front in (front_a, front_b):
            assert 0 <= front.min() <= front.max() <= n
            assert abs(front.mean() - n / 2) <= 5 * (n / 4) ** 0.5 / 4000**0.5
            assert abs(front.var() - n / 4) <= 5 * n / 4 * (2 / 4000) ** 0.5 or n < 2
        if n > 1:
            assert abs(np.corrcoef(front_a, front_b)[0, 1]) < 5 / 4000**0.5


def test_cuts_and_swaps_are_uniform():
    documents = made([[1] * 6] * 3000)
    chosen = Samples(documents, length=64, seed=0).take(0, 3000)
    whole = chosen.pick(np.flatnonzero(chosen.stop - chosen.first == 6))
    found = sequences(documents, whole, 64)
    kept = found.lengths == 9  # a short target may have cut some
    early = np.where(found.swapped == 1, found.lengths - 3 - found.firsts, found.firsts)[kept]
    shares = np.bincount(early, minlength=6)[1:] / kept.sum()
    assert abs(shares - 0.2).max() < 5 * (0.16 / kept.sum()) ** 0.5
    assert abs(found.swapped.mean() - 0.5) < 2.5 / len(whole) ** 0.5


def test_a_sequence_does_not_depend_on_its_company():
    documents = random_documents(20)
    chosen = Samples(documents, length=64, seed=0).take(0, 30)
    together = sequences(documents, chosen, 64)
    for i in range(30):
        alone = sequences(documents, chosen.pick(np.array([i])), 72)
        assert together.ids[i].tolist() == alone.ids[0, :64].tolist()
        assert not alone.ids[0, 64:].any()
