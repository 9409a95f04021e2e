"""Whole-word masking: a slow reference, the published statistics, and what must hold for every batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.deepscale.pretraining_text.samples import numbered
from tasks.deepscale.pretraining_text.sequences import Sequences, budgets, hide, spans
from tasks.training.seeds import numpy_stream
from tests.tasks.deepscale.pretraining_text.made import CONTINUES, V

MASK = 3


def given_sequences(n_text, B, seed=0, width=None):
    """Sequences of uniform ids, of which a fifth goes on with words, cut at random."""
    rng = numpy_stream(seed, "words")
    length = n_text + 3
    ids = np.zeros((B, width or length), np.int64)
    ids[:, :length] = rng.integers(4, V, (B, length))
    n_a = rng.integers(1, n_text, B)
    ids[:, 0] = 1
    ids[np.arange(B), n_a + 1] = ids[:, length - 1] = 2
    return Sequences(ids=ids, types=ids * 0, lengths=np.full(B, length), firsts=n_a, swapped=n_a * 0)


def hidden_of(sequences, target, seed=0, **options):
    B = len(sequences.ids)
    return hide(
        sequences,
        np.full(B, target),
        numbered(seed, np.arange(B)),
        continues=np.arange(V) >= CONTINUES,
        mask_id=MASK,
        **options,
    )


@settings(deadline=None, max_examples=200)
@given(data=st.data(), sizes=st.lists(st.integers(1, 5), min_size=1, max_size=25), budget=st.integers(0, 20))
def test_spans_are_those_of_the_published_loop(data, sizes, budget):
    order = data.draw(st.permutations(range(len(sizes))))
    drawn = data.draw(st.lists(st.integers(1, 3), min_size=len(sizes), max_size=len(sizes)))
    words = [list(range(sum(sizes[:w]), sum(sizes[: w + 1]))) for w in range(len(sizes))]
    covered: set[int] = set()
    expected = []
    for word in order:
        if len(covered) >= budget:
            break
        n = drawn[word]
        while n > 1 and len(covered) + sum(map(len, words[word : word + n])) > budget:
            n -= 1
        pieces = [i for w in words[word : word + n] for i in w]
        if len(covered) + len(pieces) > budget or covered & set(pieces):
            continue
        covered |= set(pieces)
        expected.append((word, min(n, len(sizes) - word)))
    assert spans(order, drawn, np.array(sizes), budget) == expected


def test_published_statistics_of_512_tokens():
    # Of the fixture masking_stats: 76 pieces of 512 tokens, in spans of 1, 2, 3 words in 57, 27, 17 % of the cases.
    sequences = given_sequences(509, 400)
    hidden = hidden_of(sequences, 509)
    per_sequence = np.bincount(hidden.positions // 512, minlength=400)
    assert per_sequence.max() == 76
    assert per_sequence.mean() / 512 == pytest.approx(0.1484, abs=2e-4)
    seen, label = hidden.ids.ravel()[hidden.positions], hidden.labels
    n = len(label)
    assert abs((seen == MASK).mean() - (0.8 + 0.1 / V)) < 5 * (0.16 / n) ** 0.5
    assert abs((seen == label).mean() - (0.1 + 0.1 / V)) < 5 * (0.09 / n) ** 0.5
    others = seen[(seen != MASK) & (seen != label)]
    assert abs(others.mean() - (V - 1) / 2) < 5 * V / 12**0.5 / len(others) ** 0.5  # uniform over the vocabulary


def test_published_shares_of_spans():
    rng = numpy_stream(0, "spans")
    found = np.zeros(4)
    for _ in range(1000):
        sizes = np.diff(np.flatnonzero(np.append(rng.random(510) > 0.2, True)))
        order = rng.permutation(len(sizes)).tolist()
        drawn = rng.choice([1, 2, 3], len(sizes), p=np.array([6, 3, 2]) / 11).tolist()
        for _, n in spans(order, drawn, sizes, 76):
            found[n] += 1
    # The published shares are those of 400 sequences (a standard error of 0.004), and rounded.
    assert found[1:] / found.sum() == pytest.approx([0.57, 0.27, 0.17], abs=0.012)


@settings(deadline=None, max_examples=60)
@given(n_text=st.integers(2, 70), seed=st.integers(0, 99), padding=st.integers(0, 9))
def test_words_are_hidden_whole_and_labels_are_what_stood_there(n_text, seed, padding):
    sequences = given_sequences(n_text, 5, seed, n_text + 3 + padding)
    hidden = hidden_of(sequences, n_text, seed)
    flags = np.zeros(sequences.ids.shape, bool)
    flags.ravel()[hidden.positions] = True
    assert hidden.labels.tolist() == sequences.ids[flags].tolist()
    assert np.array_equal(hidden.ids[~flags], sequences.ids[~flags])
    assert not flags[:, 0].any()
    assert not flags[:, n_text + 2 :].any()
    assert not flags[np.arange(5), sequences.firsts + 1].any()
    assert flags.any(axis=1).all()
    goes_on = (sequences.ids >= CONTINUES) & (np.arange(n_text + 3 + padding) != 1)
    goes_on[np.arange(5), sequences.firsts + 2] = False
    inside = goes_on[:, 1:] & (np.arange(1, n_text + 3 + padding) < n_text + 2)
    assert np.array_equal(flags[:, 1:][inside], flags[:, :-1][inside])
    budget = budgets(sequences.lengths, np.full(5, n_text))
    assert (flags.sum(axis=1) <= budget)[budget > 5].all()


def test_how_many_pieces_are_said():
    targets = np.array([2, 6, 7, 20, 125, 253, 509])
    assert budgets(targets + 3, targets).tolist() == [1, 1, 1, 3, 18, 37, 76]
    assert budgets(targets + 3, targets, legacy_none=True).tolist() == [0, 0, 1, 3, 18, 37, 76]
    assert budgets(np.array([20]), np.array([509])).tolist() == [3]  # a document's end: the length says how many


def test_short_targets_had_nothing_to_say():
    sequences = given_sequences(4, 50)
    assert len(hidden_of(sequences, 4, legacy_none=True).positions) == 0
    assert set(hidden_of(sequences, 4).positions // 7) == set(range(50))


def test_a_word_longer_than_the_budget_is_hidden_when_there_is_no_other():
    sequences = given_sequences(9, 2)
    sequences.ids[0, 1:11] = V - 1  # all of them go on, so each segment is one word
    sequences.ids[0, sequences.firsts[0] + 1] = 2
    hidden = hidden_of(sequences, 9)
    n_hidden = int((hidden.positions < 12).sum())
    assert n_hidden in (sequences.firsts[0], 9 - sequences.firsts[0])
    legacy = hidden_of(sequences, 9, legacy_none=True)
    assert (legacy.positions < 12).sum() == (min(sequences.firsts[0], 9 - sequences.firsts[0]) == 1)


def test_a_sequence_does_not_depend_on_its_company():
    sequences, alone = given_sequences(50, 6), given_sequences(50, 6)
    alone = Sequences(**{name: getattr(alone, name)[:1] for name in Sequences.__dataclass_fields__})
    together, single = hidden_of(sequences, 50), hidden_of(alone, 50)
    assert together.ids[0].tolist() == single.ids[0].tolist()
