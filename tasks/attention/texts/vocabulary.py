"""Which tokens have an id, and documents as ids (attention_dynamics 2.2).

N documents, S tokens of one, V tokens that have an id, U tokens that occur.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import numpy as np

from tasks.attention.ragged import Ragged

SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>")
PAD, BOS, EOS, UNK = range(4)
OFTEN = 2  # a word that occurs more often has an id


@dataclass
class Types:
    """All tokens that occur, numbered from 0 in the order in which they first appear."""

    numbers: dict[str, int] = field(default_factory=dict)

    def of(self, tokens: Iterable[str]) -> list[int]:
        """The number of each token; new ones are added."""
        numbers = self.numbers
        return [numbers.setdefault(token, len(numbers)) for token in tokens]


def vocabulary(types: Types, train: Ragged, pretrained: Collection[str] = ()) -> list[str]:
    """The four special tokens, then words by falling count in `train`; of equal counts the first to appear is first.

    A word stays when it occurs more than twice in training, or once where it has a pretrained vector. Words that are
    written like a special token have no id of their own.

    Args:
        types: numbers of tokens, those of `train` in the order in which they first appear there.
        train: numbers of the training documents' tokens, without special ones.
        pretrained: words with a vector.
    """
    words = list(types.numbers)
    counts = np.bincount(train.values, minlength=len(words))
    order = np.argsort(-counts, kind="stable")
    ranked = [(words[number], count) for number, count in zip(order.tolist(), counts[order].tolist(), strict=True)]
    kept = [word for word, count in ranked if count > OFTEN or (count and word in pretrained)]
    return [*SPECIAL, *(word for word in kept if word not in SPECIAL)]


def encoded(rows: Ragged, types: Types, itos: list[str], max_length: int | None = None) -> tuple[Ragged, int]:
    """Documents as `<bos>` ids `<eos>`, int32, and how many of them were cut.

    Args:
        rows: numbers of tokens.
        max_length: tokens of a document at most, the two special ones included.
    """
    ids = np.full(len(types.numbers), UNK, dtype=np.int32)
    for token_id, token in enumerate(itos[len(SPECIAL) :], start=len(SPECIAL)):
        if token in types.numbers:
            ids[types.numbers[token]] = token_id
    inner, values = rows.lengths, rows.values
    cut = 0
    if max_length is not None:
        cut = int((inner > max_length - 2).sum())
        at = np.arange(len(values)) - np.repeat(rows.offsets[:-1], inner)
        values, inner = values[at < max_length - 2], np.minimum(inner, max_length - 2)
    offsets = np.concatenate([[0], np.cumsum(inner + 2)]).astype(np.int64)
    flat = np.full(int(offsets[-1]), -1, dtype=np.int32)
    flat[offsets[:-1]] = BOS
    flat[offsets[1:] - 1] = EOS
    flat[flat < 0] = ids[values]
    return Ragged(flat, offsets), cut
