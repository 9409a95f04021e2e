"""One sample of masked words and sentence order as published (tasks/deepscale/README.md 4): token by token, on lists.

Its random numbers are given, those that the fast way draws, so that both must give the same. It differs from the
published code where `sequences` says so.
"""

from dataclasses import dataclass

import numpy as np

from tasks.deepscale.pretraining_text import sequences
from tasks.deepscale.pretraining_text.documents import Documents
from tasks.deepscale.pretraining_text.samples import Chosen, below, streams, unit

COUNT = 2048  # random numbers of each kind, more than any sequence has tokens


@dataclass(frozen=True, kw_only=True)
class Draws:
    """The random numbers of one sample, in the order in which they are used."""

    cut: float
    swap: float
    ends_a: list[bool]
    ends_b: list[bool]
    keys: list[float]
    spans: list[int]
    fates: list[float]
    ids: list[int]


def draws_of(chosen: Chosen, index: int, vocab_size: int) -> Draws:
    """The random numbers of sample `index`."""

    def drawn(purpose: int, count: int = COUNT) -> np.ndarray:
        return streams(chosen.stream[index : index + 1], purpose, count)[0]

    def bits(purpose: int) -> list[bool]:
        return [bool(int(word) >> i & 1) for word in drawn(purpose, COUNT // 64) for i in range(64)]

    cut, swap = unit(drawn(sequences.CUTS, 2)).tolist()
    edges = np.cumsum(sequences.SPAN_P)[:-1]
    return Draws(
        cut=cut,
        swap=swap,
        ends_a=bits(sequences.ENDS_A),
        ends_b=bits(sequences.ENDS_B),
        keys=unit(drawn(sequences.WORDS)).tolist(),
        spans=(1 + np.searchsorted(edges, unit(drawn(sequences.SPANS)), side="right")).tolist(),
        fates=unit(drawn(sequences.FATES)).tolist(),
        ids=below(drawn(sequences.IDS), vocab_size).tolist(),
    )


def plain_sample(
    documents: Documents, chosen: Chosen, index: int, draws: Draws
) -> tuple[list[int], dict[int, int], int, int]:
    """Ids that the model sees, labels by position, whether the segments are swapped, tokens of the first one."""
    first, stop, target = (int(getattr(chosen, name)[index]) for name in ("first", "stop", "target"))
    offsets = documents.sentences
    texts = [documents.tokens[offsets[i] : offsets[i + 1]].tolist() for i in range(first, stop)]
    cut = 1 + int(draws.cut * (len(texts) - 1))
    a, b = ([token for text in part for token in text] for part in (texts[:cut], texts[cut:]))
    swapped = int(draws.swap * 2)
    if swapped:
        a, b = b, a
    n_lost = [0, 0]
    while len(a) + len(b) > target:
        side = 0 if len(a) > len(b) else 1
        longer, ends = ((a, draws.ends_a), (b, draws.ends_b))[side]
        if ends[n_lost[side]]:
            del longer[0]
        else:
            longer.pop()
        n_lost[side] += 1
    cls, sep, mask = (documents.meta[f"{role}_token_id"] for role in ("cls", "sep", "mask"))
    tokens = [cls, *a, sep, *b, sep]
    words: list[list[int]] = []
    for i in range(1, len(tokens) - 1):
        if i == len(a) + 1:
            continue
        if documents.continues[tokens[i]] and i not in (1, len(a) + 2):
            words[-1].append(i)
        else:
            words.append([i])
    budget = max(1.0, min(0.15 * target, max(1, round(0.15 * len(tokens)))))
    hidden: list[int] = []
    for word in sorted(range(len(words)), key=lambda w: draws.keys[w]):
        n = draws.spans[word]
        while n > 1 and len(hidden) + sum(map(len, words[word : word + n])) > budget:
            n -= 1
        pieces = [i for w in words[word : word + n] for i in w]
        if len(hidden) + len(pieces) <= budget and not set(hidden) & set(pieces):
            hidden += pieces
    if not hidden:
        hidden = words[min(range(len(words)), key=lambda w: draws.keys[w])]
    seen = list(tokens)
    for i in hidden:
        if draws.fates[i] < 0.8:
            seen[i] = mask
        elif draws.fates[i] >= 0.9:
            seen[i] = draws.ids[i]
    return seen, {i: tokens[i] for i in sorted(hidden)}, swapped, len(a)
