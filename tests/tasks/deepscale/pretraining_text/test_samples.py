"""Which sentences become a sample: a slow reference, sentence by sentence, and what all epochs have in common."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.deepscale.pretraining_text.samples import Samples, numbered, targets
from tasks.training.seeds import stream_seed
from tests.tasks.deepscale.pretraining_text.made import made, random_documents

lengths = st.lists(st.lists(st.integers(1, 12), min_size=2, max_size=15), min_size=1, max_size=6)


def reference(documents, longest, seed, epoch):
    """The published loop (README 4), with the targets of the stream that the samples draw from."""
    found, target_seed = set(), stream_seed(seed, "pretraining", "targets", epoch)
    for begin, end in zip(documents.documents[:-1].tolist(), documents.documents[1:].tolist(), strict=True):
        first, n_tokens, target = begin, 0, None
        for sentence in range(begin, end):
            if target is None:
                target = int(targets(numbered(target_seed, np.array([first])), longest)[0])
            n_tokens += int(documents.sentences[sentence + 1] - documents.sentences[sentence])
            n_sentences, left = sentence + 1 - first, end - sentence - 1
            if (n_tokens >= target and n_sentences >= 2 and left > 1) or left == 0:
                found.add((first, sentence + 1, target, min(n_tokens, target) + 3))
                first, n_tokens, target = sentence + 1, 0, None
    return found


def rows(chosen):
    return list(zip(*(getattr(chosen, name).tolist() for name in ("first", "stop", "target", "n_tokens")), strict=True))


@settings(deadline=None)
@given(lengths=lengths, length=st.integers(8, 40), seed=st.integers(0, 3))
def test_an_epoch_is_the_published_map_in_another_order(lengths, length, seed):
    documents = made(lengths)
    samples = Samples(documents, length=length, seed=seed)
    begin = 0
    for epoch in range(3):
        expected = reference(documents, length - 3, seed, epoch)
        found = rows(samples.take(begin, len(expected)))
        assert set(found) == expected
        assert len(found) == len(expected)
        covered = sorted(i for first, stop, _, _ in found for i in range(first, stop))
        assert covered == list(range(len(documents.sentences) - 1))
        assert min(stop - first for first, stop, _, _ in found) >= 2
        begin += len(expected)


@settings(deadline=None, max_examples=30)
@given(lengths=lengths, first=st.integers(0, 200), count=st.integers(1, 60))
def test_samples_do_not_depend_on_what_was_asked_before(lengths, first, count):
    documents = made(lengths)
    fresh = Samples(documents, length=16, seed=0).take(first, count)
    used = Samples(documents, length=16, seed=0)
    for begin in (0, first + 3 * count, first + count // 2):
        used.take(begin, count)
    for name in ("first", "stop", "target", "n_tokens", "stream"):
        assert getattr(used.take(first, count), name).tolist() == getattr(fresh, name).tolist()


def test_epochs_differ_in_order_and_streams():
    samples = Samples(random_documents(30), length=64, seed=0)
    first, second = samples.take(0, 200), samples.take(samples.epoch_size, 200)
    assert first.first.tolist() != second.first.tolist()
    assert first.first.tolist() != sorted(first.first.tolist())
    assert not set(first.stream.tolist()) & set(second.stream.tolist())


def test_short_targets():
    draws = numbered(1, np.arange(400_000))
    found = targets(draws, 509)
    short = found[found < 509]
    assert abs(len(short) / len(found) - 0.1 * 507 / 508) < 5 * (0.09 / 400_000) ** 0.5
    assert (short.min(), short.max()) == (2, 508)
    assert abs(np.mean(short % 2) - 253 / 507) < 5 * 0.5 / len(short) ** 0.5
    assert abs(short.mean() - 255) < 5 * 146 / len(short) ** 0.5
    legacy = targets(draws, 509, legacy_short=True)
    assert set(legacy[legacy < 509] % 2) == {0}  # the published defect
    assert abs((legacy < 509).mean() - 0.1) < 5 * (0.09 / 400_000) ** 0.5
