"""A random sample of the passages of a corpus that are long enough, as the published sampler takes them."""

import heapq
import itertools
from collections.abc import Iterable, Iterator
from typing import Literal

from tasks.data.corpus import Corpus, Part, hash_key, repeating_passages, text_hash
from tasks.data.errors import DataError
from tasks.data.splitting import sentences

LONGEST = 64  # characters a token that are kept of a long passage: it is cut to T tokens in any case

TextKind = Literal["pairs", "single"]
"""`pairs`: the first two sentences of a passage of over 4 T characters, together at most 8 T characters. `single`: the
beginning of a passage of over 4 T characters. T is the length in tokens."""

Texts = tuple[str, ...]
"""One text, or the two of a pair."""


def sample(
    corpus: Corpus, *, text: TextKind, length: int, count: int, part: Part, seed: int, test_ratio: float | None
) -> list[Texts]:
    """`count` texts (or pairs) of the part that are all different, in a random order that the seed fixes.

    Of files and builtin text all that fit are candidates, each with the same chance. The hub's articles come shuffled
    and are read until there are enough.

    Raises:
        DataError: when there are fewer than asked.
    """
    passages = repeating_passages(corpus, part, test_ratio=test_ratio, seed=seed)
    fitting = candidates(passages, text, length)
    if corpus.kind == "hub":
        found = first(fitting, count)
    else:
        found = draw(fitting, count, hash_key(seed, "sentences", part, text))
    if len(found) < count:
        pair = f" and first two sentences of at most {8 * length} together" if text == "pairs" else ""
        raise DataError(
            f"corpus {corpus.path or corpus.name}: {count} texts were asked for of its part {part}, which has "
            f"{len(found)} different passages of over {4 * length} characters (4 a token){pair}; "
            "ask for fewer or shorter ones, or give a larger corpus"
        )
    return found


def candidates(passages: Iterable[str], text: str, length: int) -> Iterator[Texts]:
    """What of the passages can be used at T = `length` (see `TextKind`, the published sampler's two rules)."""
    for passage in passages:
        if len(passage) <= 4 * length:
            continue
        if text == "single":
            yield (passage[: LONGEST * length],)
            continue
        pair = tuple(itertools.islice(sentences(passage), 2))
        if len(pair) == 2 and len(pair[0]) + len(pair[1]) <= 8 * length:
            yield pair


def first(texts: Iterable[Texts], count: int) -> list[Texts]:
    """The first `count` texts that are different, in their order."""
    found: dict[Texts, None] = {}
    for text in texts:
        found[text] = None
        if len(found) == count:
            break
    return list(found)


def draw(texts: Iterable[Texts], count: int, key: bytes) -> list[Texts]:
    """`count` of the texts, repetitions dropped: those with the smallest hashes under `key`, in the order of these.

    So the draw depends neither on the order of the texts nor on their repetitions, a smaller one is the beginning of a
    larger one, and just `count` texts are kept in memory.
    """
    kept: dict[int, Texts] = {}
    largest: list[int] = []  # a heap of the kept hashes, negative
    for text in texts:
        number = text_hash("\n".join(text), key)
        if number in kept:
            continue
        if len(kept) < count:
            heapq.heappush(largest, -number)
        elif number < -largest[0]:
            del kept[-heapq.heapreplace(largest, -number)]
        else:
            continue
        kept[number] = text
    return [kept[number] for number in sorted(kept)]
