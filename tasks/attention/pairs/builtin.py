"""The data set `rule_language`: documentation sentences and their translation into a language made by rules.

Each English word has one translation, a made-up word or (one word in eight) two. Between punctuation marks the words
go in groups of three, and each group stands in reverse order. So every target word comes from one known source word:
`translate` tells which, and a translation that is learned at all can be learned without error.
"""

import functools
import hashlib
import json
from collections.abc import Sequence
from typing import NamedTuple

from tasks.attention.texts.catalogue import tokens
from tasks.data.builtin import split_sentences
from tasks.training.seeds import stream_seed

NAME = "rule_language"
LANGUAGES = ("en", "rule")
LONGEST = 14  # words and marks of a source sentence; longer ones are cut into pieces of about equal length
SHORTEST = 3
VAL_PAIRS = 300
GROUP = 3
DOUBLED = 8  # one word in so many has a translation of two words

_ONSETS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "br", "st")
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ou", "ei")


class Pair(NamedTuple):
    """A sentence and its translation."""

    source: str
    target: str


def translate(words: Sequence[str]) -> tuple[list[str], list[int]]:
    """The translation of a sentence, and for each of its words the index of the source word that it comes from."""
    ordered: list[int] = []
    start = 0
    for i in range(len(words) + 1):
        if i == len(words) or not words[i][0].isalnum():
            for first in range(start, i, GROUP):
                ordered += reversed(range(first, min(first + GROUP, i)))
            ordered += [i] if i < len(words) else []
            start = i + 1
    target, alignment = [], []
    for i in ordered:
        for word in translated_word(words[i]):
            target.append(word)
            alignment.append(i)
    return target, alignment


@functools.cache
def translated_word(word: str) -> tuple[str, ...]:
    """One or two made-up words of one to three syllables; marks and numbers stay as they are."""
    if not word[0].isalpha():
        return (word,)
    draw = stream_seed(0, "builtin", NAME, word)
    made = []
    for _ in range(2 if draw % DOUBLED == 0 else 1):
        draw //= DOUBLED
        syllables = []
        for _ in range(2 + draw % 2):
            draw //= 2
            syllables.append(_ONSETS[draw % len(_ONSETS)] + _VOWELS[draw // len(_ONSETS) % len(_VOWELS)])
            draw //= len(_ONSETS) * len(_VOWELS)
        made.append("".join(syllables))
    return tuple(made)


@functools.cache
def pairs(split: str) -> tuple[Pair, ...]:
    """The pairs of `train` or `val`, each once and none in both, the same on every machine with the same Python text.

    Raises:
        DataError: as `builtin_text.sentences`.
    """
    if split == "val":
        trained = set(pairs("train"))
        return tuple(pair for pair in _pairs("dev") if pair not in trained)[:VAL_PAIRS]
    return _pairs("train")


@functools.cache
def fingerprint() -> str:
    """First 16 hex digits of SHA-256 over the pairs themselves."""
    content = json.dumps([[split, pairs(split)] for split in ("train", "val")])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _pairs(part: str) -> tuple[Pair, ...]:
    found: dict[Pair, None] = {}
    for _, _, sentence in split_sentences(part):
        words = tokens(sentence)
        n_pieces = -(-len(words) // LONGEST)
        for piece in range(n_pieces):
            some = words[piece * len(words) // n_pieces : (piece + 1) * len(words) // n_pieces]
            if len(some) >= SHORTEST:
                found[Pair(" ".join(some), " ".join(translate(some)[0]))] = None
    return tuple(found)
