import itertools
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.data import builtin, builtin_text
from tasks.data.builtin_text import paragraphs, split_sentences
from tasks.data.examples import BUILTIN_TASKS, TASKS

REPO = Path(__file__).parents[3]


def words(text):
    return sorted(re.sub(r"[.!?]$", "", text).lower().split())


def test_sentences_are_prose():
    found = builtin_text.sentences()
    assert len(found) > 1000
    assert found is not builtin_text.sentences()
    for topic, paragraph, sentence in found:
        assert topic
        assert paragraph >= 0
        assert 5 <= len(sentence.split()) <= 40
        assert sentence[0].isupper()
        assert sentence[-1] in ".!?"
        assert "  " not in sentence
        assert "::=" not in sentence
        assert ">>>" not in sentence
    texts = [re.sub(r"\W+", " ", s.lower()).strip() for _, _, s in found]
    assert len(set(texts)) == len(texts)
    topics = [topic for topic, _, _ in found]
    assert len(set(topics)) == 1 + sum(a != b for a, b in itertools.pairwise(topics))  # in runs, in order


def test_code_lists_tables_and_terms_are_dropped():
    text = """The heading of this topic here
******************************

One *plain* sentence wrapped over
two lines is here.  Is this another one of them?

   for x in y:
      Do something with all of this.

   rule ::= "A rule of grammar is here."

* An item of a list has its sentence.

* Another item of the
  list goes on here.

object.method(argument)

   This describes the method in one sentence.

the term itself
   This explains the term in one sentence.

| A cell of a table is no sentence. |

Changed in version 3.1: This was added for the users.

This one ends in a colon and is none:
"""
    assert [s for p in paragraphs(text) for s in split_sentences(p)] == [
        "One plain sentence wrapped over two lines is here.",
        "Is this another one of them?",
        "Do something with all of this.",  # a body that reads like prose passes: rules, no parser
        "An item of a list has its sentence.",
        "Another item of the list goes on here.",
        "This describes the method in one sentence.",
        "This explains the term in one sentence.",
    ]


def test_sizes_are_those_of_a_small_task():
    for task in BUILTIN_TASKS:
        sizes = builtin.sizes(task)
        assert sizes["train"] >= 1000, task  # the exact numbers follow the Python version
        assert sizes["dev"] >= 200, task


def test_labels_are_balanced():
    for task in ("acceptability", "same_topic"):
        for split in ("train", "dev"):
            labels = builtin.examples(task, split).labels
            assert abs(2 * sum(labels) - len(labels)) <= 1
    for split in ("train", "dev"):
        shares = builtin.examples("similarity", split).labels
        assert 0.4 < sum(shares) / len(shares) < 0.6
        assert min(shares) == 0.0
        assert max(shares) == 1.0


def test_no_sentence_is_in_both_splits():
    train, dev = ({s for _, _, s in builtin.split_sentences(split)} for split in ("train", "dev"))
    assert not train & dev
    assert len(train) + len(dev) == len(builtin_text.sentences())
    bags = {split: {tuple(words(s)) for s in group} for split, group in (("train", train), ("dev", dev))}
    for split, own in (("train", train), ("dev", dev)):
        assert {tuple(words(s)) for s in builtin.examples("acceptability", split).first} <= bags[split]
        topics = builtin.examples("same_topic", split)
        assert topics.second is not None
        assert {*topics.first, *topics.second} <= own
        similar = builtin.examples("similarity", split)
        assert similar.second is not None
        assert set(similar.first) <= own
        pool = {word for s in own for word in s.split()}
        assert {word for text in similar.second for word in text.split()} <= pool


def test_acceptability_shuffles_half_of_the_sentences():
    for split in ("train", "dev"):
        originals = {s for _, _, s in builtin.split_sentences(split)}
        examples = builtin.examples("acceptability", split)
        by_bag = {tuple(words(s)): s for s in originals}
        whole = {text for text, label in zip(examples.first, examples.labels, strict=True) if label == 1}
        for text, label in zip(examples.first, examples.labels, strict=True):
            assert (text in originals) == (label == 1)
            assert text[0] == text[0].upper()
            assert text[-1] in ".!?"
            if label == 0:
                assert by_bag[tuple(words(text))] not in whole  # no sentence is in both classes


def test_same_topic_neighbours_and_strangers():
    for split in ("train", "dev"):
        located = builtin_text.sentences()
        place = {s: i for i, (_, _, s) in enumerate(located)}
        examples = builtin.examples("same_topic", split)
        assert examples.second is not None
        seconds = {0: [], 1: []}
        for first, second, label in zip(examples.first, examples.second, examples.labels, strict=True):
            i, j = place[first], place[second]
            assert (located[i][0] == located[j][0]) == (label == 1)
            assert label == 0 or j == i + 1
            seconds[int(label)].append(second)
        # Each class has each of its second sentences once, as each of its first: neither alone tells the label.
        assert all(len(set(group)) == len(group) for group in seconds.values())
        assert not set(seconds[0]) & set(seconds[1])


def common_words(first, second):
    """Length of the longest common subsequence of words: a plain table, as a slow reference."""
    a, b = first.lower().split(), second.lower().split()
    best = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            best[i + 1][j + 1] = best[i][j] + 1 if x == y else max(best[i][j + 1], best[i + 1][j])
    return best[-1][-1]


def test_similarity_target_is_the_share_of_words_kept():
    for split in ("train", "dev"):
        examples = builtin.examples("similarity", split)
        assert examples.second is not None
        for first, second, share in zip(examples.first, examples.second, examples.labels, strict=True):
            assert share == common_words(first, second) / len(first.split())
            assert 1 <= len(second.split()) <= len(first.split())


plain_words = st.text(alphabet="abcDE", min_size=1, max_size=3)


@settings(deadline=None)
@given(st.lists(plain_words, min_size=2, max_size=12), st.integers(0, 12), st.integers(0, 10**6))
def test_corrupted_keeps_just_the_other_words(sentence, n_words, seed):
    n_words = min(n_words, len(sentence))
    text = " ".join(sentence)
    copy = builtin.corrupted(text, n_words, ["xx", "yy", *sentence], builtin.Draw("test", str(seed)))
    assert common_words(text, copy) == len(sentence) - n_words
    assert copy


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=40), st.integers(0, 10**6))
def test_unlike_pairs_each_with_another_topic(topics, seed):
    names = [str(topic) for topic in topics]
    draw = builtin.Draw("test", str(seed))
    if 2 * max(map(names.count, names)) > len(names):
        with pytest.raises(ValueError, match="are of one topic"):
            builtin._unlike(names, draw)
        return
    to = builtin._unlike(names, draw)
    assert sorted(to) == list(range(len(names)))
    assert all(names[i] != names[j] for i, j in enumerate(to))


def test_shuffled_differs_and_keeps_the_words():
    for _, _, sentence in random.Random(0).sample(builtin_text.sentences(), 100):
        mixed = builtin.shuffled(sentence, builtin.Draw("test", sentence))
        assert mixed != sentence
        assert words(mixed) == words(sentence)
        assert mixed[-1] == sentence[-1]


def test_fresh_processes_agree():
    code = (
        "from tasks.data import builtin, builtin_text, tokenizers as t\n"
        "print(builtin_text.fingerprint(), *map(builtin.fingerprint, builtin.BUILTIN_TASKS), t.builtin_revision())"
    )
    outputs = set()
    for seed in ("1", "2"):
        env = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(REPO)}
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True, env=env)
        outputs.add(done.stdout)
    from tasks.data import tokenizers

    here = [builtin_text.fingerprint(), *map(builtin.fingerprint, BUILTIN_TASKS), tokenizers.builtin_revision()]
    assert outputs == {" ".join(here) + "\n"}
    assert len(set(here)) == 5


def test_wrong_names():
    with pytest.raises(ValueError, match="'RTE' is no builtin task"):
        builtin.examples("RTE", "train")
    with pytest.raises(ValueError, match="similarity has no split 'test'"):
        builtin.examples("similarity", "test")
    assert all(TASKS[task].eval_splits == ("dev",) for task in BUILTIN_TASKS)


def test_a_python_without_the_text(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(builtin_text.DataError, match=r"no pydoc_data\.topics.*--data-dir DIR"):
        builtin_text._topics()
