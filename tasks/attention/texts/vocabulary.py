"""Documents of two classes as numbers of their tokens, which tokens have an id, and documents as ids.

N documents, S tokens of one, V tokens that have an id, U tokens that occur.
"""

import itertools
from array import array
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import numpy as np

from tasks.attention.ragged import Ragged
from tasks.attention.texts.catalogue import Document, tokens
from tasks.data.errors import DataError

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


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """Some documents of a split as numbers of `Types`."""

    rows: Ragged
    """int32."""
    labels: np.ndarray
    """int8 [N]."""
    empty: int
    """Documents without a token."""
    first_empty: str
    """Where the first of those stands; empty where there is none."""


def numbered(
    documents: Iterable[Document], classes: tuple[str, str], rows: np.ndarray, types: Types, max_tokens: int
) -> Numbered:
    """Some of the documents of two classes as numbers of tokens; new tokens are added to `types`. No text is kept.

    Args:
        documents: in the order of the file.
        classes: labels; documents of others are passed over and have no number.
        rows: numbers of the documents that are wanted, int64 [N], in the order wanted.
        types: numbers of tokens.
        max_tokens: of all documents together, for which there is memory.

    Raises:
        DataError: there are more.
    """
    values, offsets, labels = array("i"), array("q", [0]), array("b")
    empty, first_empty = 0, ""
    wanted = np.zeros(rows.max() + 1, dtype=bool)
    wanted[rows] = True
    of_classes = (document for document in documents if document.label in classes)
    for document in itertools.compress(of_classes, wanted.tolist()):
        values.extend(types.of(tokens(document.text)))
        if len(values) > max_tokens:
            raise DataError(
                f"{document.place}: here are more than the {max_tokens:,} tokens that memory has room for; use fewer "
                "documents (--train-limit, --test-limit) or give the job more memory"
            )
        if len(values) == offsets[-1]:
            empty += 1
            first_empty = first_empty or document.place
        offsets.append(len(values))
        labels.append(classes.index(document.label))
    order = np.argsort(np.argsort(rows))  # of each wanted one among those that were read
    read_in = Ragged(np.array(values, dtype=np.int32), np.array(offsets, dtype=np.int64))
    return Numbered(
        rows=read_in.take(order) if np.any(np.diff(order) < 0) else read_in,
        labels=np.array(labels, dtype=np.int8)[order],
        empty=empty,
        first_empty=first_empty,
    )


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
