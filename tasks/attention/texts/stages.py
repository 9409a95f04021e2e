"""The stage `text_tokens`, which makes a vocabulary and ids of a data set, and `text_report`, which counts them.

n tokens with a vector, D numbers of a vector.
"""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.attention.texts.artifact import Documents, open_texts, write_texts
from tasks.attention.texts.documents import SPLITS
from tasks.attention.texts.numbering import Numbered, chosen, numbered
from tasks.attention.texts.plan import TextTokensParams
from tasks.attention.texts.sources import fingerprint, read
from tasks.attention.texts.vectors import locate_vectors, read_vectors
from tasks.attention.texts.vocabulary import UNK, Types, encoded, vocabulary
from tasks.data.errors import DataError
from tasks.data.places import check_fingerprint, read_place
from tasks.training.numerics import usable_bytes

if TYPE_CHECKING:
    from orchestrator.experiment import Context


ROOM = 24  # bytes of memory a token while documents are cut to a length, which takes the most


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
    types, splits = Types(), {}
    classes = (params.class_zero, params.class_one)
    for split in SPLITS:
        labels = Counter(document.label for document in read(kind, params.dataset, split, path, revision))
        n_found = sum(labels[label] for label in classes)
        if not n_found:
            raise DataError(
                f"{params.dataset} ({path or kind}): no {split} documents of the classes {classes[0]} and "
                f"{classes[1]}; give --classes that the data have"
            )
        documents = read(kind, params.dataset, split, path, revision)
        rows = chosen(n_found, split, params)
        part = numbered(documents, classes, rows, types, usable_bytes(context) // ROOM)
        splits[split] = (part, {"documents_found": n_found, "other_classes": labels.total() - n_found})
    vectors = _vectors(context, types)
    itos = vocabulary(types, splits["train"][0].rows, vectors or ())
    written, counts = {}, {}
    for split, (part, sizes) in splits.items():
        ids, cut = encoded(part.rows, types, itos, params.max_length)
        written[split] = Documents(tokens=ids, labels=part.labels)
        counts[split] = {**sizes, **_counts(written[split], part, cut)}
    meta = {
        "dataset": params.dataset,
        "classes": classes,
        "vocabulary": len(itos),
        "has_vectors": vectors is not None,
        "splits": counts,
    }
    write_texts(context.artifact, written, itos, _of_ids(vectors, itos, params, context), meta)
    return {}


def text_report(params: TextTokensParams, context: "Context") -> dict[str, Any]:
    """A row of the table `data` for each split."""
    meta = open_texts(context.needs["data"]).meta
    return {"data": [{"split": split, "vocabulary": meta["vocabulary"], **meta["splits"][split]} for split in SPLITS]}


def _vectors(context: "Context", types: Types) -> dict[str, np.ndarray] | None:
    """Vectors of tokens that occur; None where no file was given."""
    path = context.paths.get("vectors")
    if path is None:
        return None
    here = locate_vectors(path).fingerprint
    check_fingerprint("the file of word vectors", path, here, context.paths["vectors_fingerprint"])
    return read_vectors(Path(path), types.numbers.keys())


def _of_ids(
    vectors: dict[str, np.ndarray] | None, itos: list[str], params: TextTokensParams, context: "Context"
) -> tuple[np.ndarray, np.ndarray] | None:
    """Ids with a vector, int64 [n], and the vectors, float32 [n, D]."""
    if vectors is None:
        return None
    ids = [i for i, token in enumerate(itos) if token in vectors]
    if not ids:
        raise DataError(
            f"{context.paths['vectors']}: no word of {params.dataset} has a vector there; give another file"
        )
    return np.array(ids, dtype=np.int64), np.stack([vectors[itos[i]] for i in ids])


def _counts(documents: Documents, part: Numbered, cut: int) -> dict[str, Any]:
    ids = documents.tokens
    inner = len(ids.values) - 2 * len(ids)
    return {
        "documents": len(ids),
        "tokens": len(ids.values),
        "longest": int(ids.lengths.max()),
        "class_one_share": float(documents.labels.mean()),
        "unknown_share": float((ids.values == UNK).sum() / max(1, inner)),
        "cut": cut,
        "empty": part.empty,
        "first_empty": part.first_empty,
    }
