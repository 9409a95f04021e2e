"""The stage `text_tokens`, which makes a vocabulary and ids of a data set, and `text_report`, which counts them.

N documents, U tokens that occur.
"""

import itertools
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.data.errors import DataError
from tasks.data.places import check_fingerprint, read_place
from tasks.data.ragged import Ragged
from tasks.data.texts.artifact import Documents, open_texts, write_texts
from tasks.data.texts.documents import SPLITS, Document, tokens
from tasks.data.texts.plan import TextTokensParams
from tasks.data.texts.sources import fingerprint, read
from tasks.data.texts.vectors import locate_vectors, read_vectors
from tasks.data.texts.vocabulary import UNK, Types, encoded, vocabulary
from tasks.numerics import usable_bytes
from tasks.seeds import numpy_stream

if TYPE_CHECKING:
    from orchestrator.experiment import Context


ROOM = 8  # bytes of memory a token: numbers, their copy in another order, ids


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


def text_tokens(params: TextTokensParams, context: "Context") -> dict[str, Any]:
    """Write vocabulary, ids and labels of both splits into `context.artifact`; returns no rows.

    Raises:
        DataError: when the data on this machine are missing, bad or not the planned ones.
    """
    if context.artifact is None:
        raise ValueError("the text_tokens stage writes an artifact: give context.artifact, an empty directory")
    kind, path, revision = read_place(context.paths)
    here = fingerprint(kind, params.dataset, path, revision)
    check_fingerprint(params.dataset, path or kind, here, context.paths["fingerprint"])
    types, splits, sizes = Types(), {}, {}
    classes = (params.class_zero, params.class_one)
    for split in SPLITS:
        labels = Counter(document.label for document in read(kind, params.dataset, split, path, revision))
        sizes[split] = {"documents_found": sum(labels[label] for label in classes)}
        sizes[split]["other_classes"] = labels.total() - sizes[split]["documents_found"]
        if not sizes[split]["documents_found"]:
            raise DataError(
                f"{params.dataset} ({path or kind}): no {split} documents of the classes {params.class_zero} and "
                f"{params.class_one}; give --classes that the data have"
            )
        rows = chosen(sizes[split]["documents_found"], split, params)
        documents = read(kind, params.dataset, split, path, revision)
        splits[split] = numbered(documents, classes, rows, types, usable_bytes(context) // ROOM)
    vectors = _vectors(context, types)
    itos = vocabulary(types, splits["train"].rows, vectors or ())
    kept = [(i, vectors[word]) for i, word in enumerate(itos) if word in vectors] if vectors else []
    if vectors is not None and not kept:
        raise DataError(
            f"{context.paths['vectors']}: no word of {params.dataset} has a vector there; give another file"
        )
    meta: dict[str, Any] = {
        "dataset": params.dataset,
        "classes": [params.class_zero, params.class_one],
        "vocabulary": len(itos),
        "has_vectors": bool(kept),
        "splits": {},
    }
    written = {}
    for split, part in splits.items():
        ids, cut = encoded(part.rows, types, itos, params.max_length)
        written[split] = Documents(tokens=ids, labels=part.labels)
        inner = max(1, len(ids.values) - 2 * len(ids))
        meta["splits"][split] = {
            "documents": len(ids),
            **sizes[split],
            "tokens": len(ids.values),
            "longest": int(ids.lengths.max()),
            "class_one_share": float(part.labels.mean()),
            "unknown_share": float((ids.values == UNK).sum() / inner),
            "cut": cut,
            "empty": part.empty,
            "first_empty": part.first_empty,
        }
    arrays = (np.array([i for i, _ in kept]), np.stack([vector for _, vector in kept])) if kept else None
    write_texts(context.artifact, written, itos, arrays, meta)
    return {}


def text_report(params: TextTokensParams, context: "Context") -> dict[str, Any]:
    """A row of the table `data` for each split."""
    meta = open_texts(context.needs["data"]).meta
    return {"data": [{"split": split, "vocabulary": meta["vocabulary"], **meta["splits"][split]} for split in SPLITS]}


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


def _vectors(context: "Context", types: Types) -> dict[str, np.ndarray] | None:
    """Vectors of tokens that occur; None where no file was given."""
    path = context.paths.get("vectors")
    if path is None:
        return None
    here = locate_vectors(path).fingerprint
    check_fingerprint("the file of word vectors", path, here, context.paths["vectors_fingerprint"])
    return read_vectors(Path(path), types.numbers.keys())
