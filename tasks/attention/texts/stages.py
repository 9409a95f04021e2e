"""The stage `text_tokens`, which makes a vocabulary and ids of a data set, and `text_report`, which counts them.

`open_texts` reads what `text_tokens` wrote:

    train.npy, train.offsets.npy, train.labels.npy   ids (int32) end to end, offsets, labels (int8); the same for test
    vocabulary.json                                  the token of each id
    vectors.npy, vector_ids.npy                      float32 [n, D] and int64 [n], where word vectors were given
    meta.json                                        names, counts of each split

N documents, S tokens of one, V tokens that have an id, n of them with a word vector, D numbers of a vector.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.experiment import Context
from tasks.attention.ragged import Ragged, artifact_of, open_array
from tasks.attention.texts.catalogue import SPLITS
from tasks.attention.texts.plan import TextTokensParams
from tasks.attention.texts.sources import fingerprint, read
from tasks.attention.texts.vectors import locate_vectors, read_vectors
from tasks.attention.texts.vocabulary import UNK, Numbered, Types, encoded, numbered, vocabulary
from tasks.data.artifacts import read_meta, write_meta
from tasks.data.errors import DataError
from tasks.data.places import check_fingerprint, place_here
from tasks.training.numerics import usable_bytes
from tasks.training.seeds import permutation

STAGE = "text_tokens"
ROOM = 24  # bytes of memory a token while documents are cut to a length, which takes the most


@dataclass(frozen=True, kw_only=True)
class Documents:
    """The documents of a split, mapped from the files."""

    tokens: Ragged
    """int32: `<bos>` ids `<eos>` of each document."""
    labels: np.ndarray
    """int8 [N]: 0 or 1."""

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True, kw_only=True)
class Texts:
    """A data set."""

    name: str
    train: Documents
    test: Documents
    vocabulary: list[str]
    """The token of each id: `<pad>`, `<bos>`, `<eos>`, `<unk>`, then words by falling count in training."""
    vector_ids: np.ndarray | None
    """int64 [n]: ids of the tokens that have a pretrained vector; None where no vectors were given."""
    vectors: np.ndarray | None
    """float32 [n, D]: those vectors."""
    meta: dict[str, Any]
    """dataset, classes, vocabulary (size), and for each split its counts, as in the table `data`."""


def open_texts(directory: Path) -> Texts:
    """The data set of an artifact.

    Raises:
        DataError: it is not there, or is another stage's.
    """
    meta = read_meta(directory, STAGE)
    train, test = (
        Documents(tokens=Ragged.open(directory, split), labels=open_array(directory / f"{split}.labels.npy"))
        for split in SPLITS
    )
    given = meta["has_vectors"]
    return Texts(
        name=meta["dataset"],
        train=train,
        test=test,
        vocabulary=json.loads((directory / "vocabulary.json").read_text("utf-8")),
        vector_ids=open_array(directory / "vector_ids.npy") if given else None,
        vectors=open_array(directory / "vectors.npy") if given else None,
        meta=meta,
    )


def text_tokens(params: TextTokensParams, context: Context) -> dict[str, Any]:
    """Write vocabulary, ids and labels of both splits into `context.artifact`; returns no rows.

    Raises:
        DataError: when the data on this machine are missing, bad or not the planned ones.
    """
    artifact = artifact_of(context, STAGE)
    place = place_here(params.dataset, context.paths, lambda here: fingerprint(params.dataset, here))
    types, found, sizes = Types(), {}, {}
    classes = (params.class_zero, params.class_one)
    for split in SPLITS:
        labels = Counter(document.label for document in read(params.dataset, split, place))
        n_found = sum(labels[label] for label in classes)
        if not n_found:
            raise DataError(
                f"{params.dataset} ({place}): no {split} documents of the classes {classes[0]} and {classes[1]}; give "
                "--classes that the data have"
            )
        documents = read(params.dataset, split, place)
        found[split] = numbered(
            documents, classes, chosen(n_found, split, params), types, usable_bytes(context) // ROOM
        )
        sizes[split] = {"documents_found": n_found, "other_classes": labels.total() - n_found}
    vectors = _vectors(context, types)
    itos = vocabulary(types, found["train"].rows, vectors or ())
    for split, part in found.items():
        ids, cut = encoded(part.rows, types, itos, params.max_length)
        ids.save(artifact, split)
        np.save(artifact / f"{split}.labels.npy", part.labels, allow_pickle=False)
        sizes[split] |= _counts(ids, part, cut)
    (artifact / "vocabulary.json").write_text(json.dumps(itos, ensure_ascii=False), "utf-8")
    if vectors is not None:
        _write_vectors(vectors, itos, params, artifact)
    meta = {"stage": STAGE, "dataset": params.dataset, "classes": classes, "vocabulary": len(itos)}
    write_meta(artifact, {**meta, "has_vectors": vectors is not None, "splits": sizes})
    return {}


def text_report(params: TextTokensParams, context: Context) -> dict[str, Any]:
    """A row of the table `data` for each split."""
    meta = open_texts(context.needs["data"]).meta
    return {"data": [{"split": split, "vocabulary": meta["vocabulary"], **meta["splits"][split]} for split in SPLITS]}


def chosen(n_documents: int, split: str, params: TextTokensParams) -> np.ndarray:
    """Which documents are used, int64: training ones in the order of the file, test ones in a fixed random order.

    Published code tests on the first documents of the file, which is biased where files are sorted.
    """
    limit = params.limit(split)
    size = n_documents if limit is None else min(limit, n_documents)
    if split == "test" and params.legacy_order:
        return np.arange(size)
    drawn = permutation(n_documents, 0, "limit", "texts", params.dataset, split)[:size]
    return drawn if split == "test" else np.sort(drawn)


def _vectors(context: Context, types: Types) -> dict[str, np.ndarray] | None:
    """Vectors of tokens that occur; None where no file was given."""
    path = context.paths.get("vectors")
    if path is None:
        return None
    _, here = locate_vectors(path)
    check_fingerprint("the file of word vectors", path, here, context.paths["vectors_fingerprint"])
    return read_vectors(Path(path), types.numbers.keys())


def _write_vectors(vectors: dict[str, np.ndarray], itos: list[str], params: TextTokensParams, directory: Path) -> None:
    """Ids with a vector, int64 [n], and the vectors, float32 [n, D]."""
    ids = [i for i, token in enumerate(itos) if token in vectors]
    if not ids:
        raise DataError(f"--word-vectors: no word of {params.dataset} has a vector there; give another file")
    np.save(directory / "vector_ids.npy", np.array(ids, dtype=np.int64), allow_pickle=False)
    np.save(directory / "vectors.npy", np.stack([vectors[itos[i]] for i in ids]), allow_pickle=False)


def _counts(ids: Ragged, part: Numbered, cut: int) -> dict[str, Any]:
    inner = len(ids.values) - 2 * len(ids)
    return {
        "documents": len(ids),
        "tokens": len(ids.values),
        "longest": int(ids.lengths.max()),
        "class_one_share": float(part.labels.mean()),
        "unknown_share": float((ids.values == UNK).sum() / max(1, inner)),
        "cut": cut,
        "empty": part.empty,
        "first_empty": part.first_empty,
    }
