"""Three small tasks made of the builtin sentences, so that a sweep runs on any machine without a download.

`acceptability` is a sentence or its words in another order, `same_topic` two neighbouring sentences or two of different
topics, `similarity` a sentence and a corrupted copy. Twenty sentences in a row belong to one split, of
every hundred the last twenty to dev: so both splits have neighbours, and no sentence is in both. Everything that an
example is made of comes from its own split.
"""

import functools
import hashlib
import itertools
import json

import numpy as np

from tasks.data.builtin_text import sentences
from tasks.data.examples import BUILTIN_TASKS, Examples
from tasks.training.seeds import numpy_stream

BLOCK = 20
BLOCKS_A_DEV_BLOCK = 5

Located = tuple[str, int, str]
"""Topic, number of the paragraph, sentence."""


@functools.cache
def examples(task: str, split: str) -> Examples:
    """The examples of one split, the same on every run and machine with the same Python text.

    Labels are balanced to within one example. Treat the lists as read-only: they are kept for the life of the process.

    Raises:
        ValueError: for another task or split.
        DataError: as `builtin_text.sentences`.
    """
    if task not in BUILTIN_TASKS:
        raise ValueError(f"{task!r} is no builtin task; choose one of {', '.join(BUILTIN_TASKS)}")
    if split not in ("train", "dev"):
        raise ValueError(f"{task} has no split {split!r}; choose train or dev")
    located = split_sentences(split)
    draw = Draw(task, split)
    if task == "acceptability":
        return _acceptability(located, draw)
    if task == "same_topic":
        return _same_topic(split, draw)
    return _similarity(located, draw)


def sizes(task: str) -> dict[str, int]:
    """Number of examples of each split."""
    return {split: len(examples(task, split)) for split in ("train", "dev")}


@functools.cache
def fingerprint(task: str) -> str:
    """First 16 hex digits of a SHA-256 over a task's examples: another Python's text or other rules show."""
    splits = [(split, examples(task, split)) for split in ("train", "dev")]
    content = json.dumps([[split, e.first, e.second, e.labels] for split, e in splits])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def split_sentences(split: str) -> list[Located]:
    """The sentences of one split, in the order of the text."""
    return [located for index, located in enumerate(sentences()) if _is_dev(index) == (split == "dev")]


def _is_dev(index: int) -> bool:
    return index // BLOCK % BLOCKS_A_DEV_BLOCK == BLOCKS_A_DEV_BLOCK - 1


class Draw:
    """Random numbers from the raw 64-bit stream, which NumPy promises to keep; its distributions may change."""

    def __init__(self, task: str, split: str):
        self.raw = numpy_stream(0, "builtin", task, split).bit_generator.random_raw

    def below(self, n: int) -> int:
        return int(self.raw()) % n  # the bias of the remainder is under 1e-15 here

    def order(self, n: int) -> list[int]:
        """A permutation of 0..n-1."""
        return np.argsort(self.raw(n), kind="stable").tolist()


def shuffled(sentence: str, draw: Draw) -> str:
    """The sentence's words in another order, with its last mark at the end and a capital in front.

    Capital and mark are put where a sentence has them, else they alone would tell the label.
    """
    words, mark = sentence[:-1].split(), sentence[-1]
    words[0] = words[0][0].lower() + words[0][1:]
    while True:
        mixed = [words[i] for i in draw.order(len(words))]
        if mixed != words:
            text = " ".join(mixed)
            return text[0].upper() + text[1:] + mark


def corrupted(sentence: str, n_words: int, pool: list[str], draw: Draw) -> str:
    """The sentence with just `n_words` of its words, at random places, left out or replaced (equally likely).

    New words come from `pool` and are none of the sentence's own, so what both texts have in common is what was kept.
    One word stays even where all were to be left out.
    """
    words: list[str | None] = list(sentence.split())
    own = {word.lower() for word in sentence.split()}  # for a lower-casing tokenizer, too, the word must be another
    places = draw.order(len(words))[:n_words]
    for at in places:
        words[at] = None
        last = not any(word is not None for word in words)
        if last or draw.below(2):
            words[at] = pool[draw.below(len(pool))]
            while str(words[at]).lower() in own:
                words[at] = pool[draw.below(len(pool))]
    return " ".join(word for word in words if word is not None)


def _acceptability(located: list[Located], draw: Draw) -> Examples:
    """A random half of the sentences as they are (1), the other half shuffled (0).

    No sentence is in both classes: with both forms of each, a classifier that has memorised a sentence would know the
    other form's label from its words. With one form each, the words say nothing and only their order does.
    """
    texts, labels = [], []
    order = draw.order(len(located))
    whole = set(order[: len(order) // 2])
    for index, (_, _, sentence) in enumerate(located):
        labels.append(int(index in whole))
        texts.append(sentence if index in whole else shuffled(sentence, draw))
    return Examples(first=texts, second=None, labels=labels)


def _same_topic(split: str, draw: Draw) -> Examples:
    """Each sentence that has a right neighbour in its topic, with that neighbour (1) or with another's neighbour (0).

    The second sentences of class 0 are those of its own first sentences in another order, so that neither the first nor
    the second sentence alone tells the label.
    """
    pairs = [
        (left, right)
        for index, (left, right) in enumerate(itertools.pairwise(sentences()))
        if _is_dev(index) == _is_dev(index + 1) == (split == "dev") and left[0] == right[0]
    ]
    order = draw.order(len(pairs))
    apart = sorted(order[: len(order) // 2])
    different = set(apart)
    to = _unlike([pairs[p][0][0] for p in apart], draw)
    second = [right[2] for _, right in pairs]
    for p, q in zip(apart, to, strict=True):
        second[p] = pairs[apart[q]][1][2]
    return Examples(
        first=[left[2] for left, _ in pairs],
        second=second,
        labels=[int(p not in different) for p in range(len(pairs))],
    )


def _unlike(topics: list[str], draw: Draw) -> list[int]:
    """A permutation that sends every index to one of another topic. No topic may have more than half of the indices."""
    most = max(map(topics.count, set(topics)))
    if 2 * most > len(topics):
        raise ValueError(f"{most} of {len(topics)} sentences are of one topic: they cannot all be paired with others")
    to = draw.order(len(topics))
    while clashes := [i for i in range(len(topics)) if topics[i] == topics[to[i]]]:
        for i in clashes:
            j = draw.below(len(topics))
            to[i], to[j] = to[j], to[i]
    return to


def _similarity(located: list[Located], draw: Draw) -> Examples:
    """Each sentence with a copy of which 0 to all words, any number equally likely, are left out or replaced."""
    pool = [word for _, _, sentence in located for word in sentence.split()]
    first = [sentence for _, _, sentence in located]
    second, shares = [], []
    for sentence in first:
        n_words = len(sentence.split())
        n_lost = draw.below(n_words + 1)
        second.append(corrupted(sentence, n_lost, pool, draw))
        shares.append((n_words - n_lost) / n_words)
    return Examples(first=first, second=second, labels=shares)
