"""Documents of two classes as numbers of their tokens: which of them, and no more than memory has room for.

N documents.
"""

import itertools
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tasks.attention.ragged import Ragged
from tasks.attention.texts.documents import Document, tokens
from tasks.attention.texts.plan import TextTokensParams
from tasks.attention.texts.vocabulary import Types
from tasks.data.errors import DataError
from tasks.training.seeds import numpy_stream


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


def chosen(n_documents: int, split: str, params: TextTokensParams) -> np.ndarray:
    """Which documents are used, int64: training ones in the order of the file, test ones in a fixed random order.

    Published code tests on the first documents of the file, which is biased where files are sorted (quirk C5).
    """
    limit = params.limit(split)
    size = n_documents if limit is None else min(limit, n_documents)
    if split == "test" and params.legacy_order:
        return np.arange(size)
    raw = numpy_stream(0, "limit", "texts", params.dataset, split).bit_generator.random_raw(n_documents)
    drawn = np.argsort(raw, kind="stable")[:size]
    return drawn if split == "test" else np.sort(drawn)


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
