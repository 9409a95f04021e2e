"""A data set of documents on disk: `open_texts` reads what the stage `text_tokens` wrote.

    train.npy, train.offsets.npy, train.labels.npy   ids (int32) end to end, offsets, labels (int8); the same for test
    vocabulary.json                                  the token of each id
    vectors.npy, vector_ids.npy                      float32 [n, D] and int64 [n], where word vectors were given
    meta.json                                        names, counts of each split

N documents, S tokens of one, V tokens that have an id, D numbers of a word vector.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.attention.ragged import Ragged, open_array
from tasks.attention.texts.documents import SPLITS
from tasks.data.artifacts import read_meta, write_meta

STAGE = "text_tokens"


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


def write_texts(
    directory: Path,
    splits: dict[str, Documents],
    vocabulary: list[str],
    vectors: tuple[np.ndarray, np.ndarray] | None,
    meta: dict[str, Any],
) -> None:
    """Write a data set into an empty directory; `vectors` are ids and vectors."""
    for split, documents in splits.items():
        documents.tokens.save(directory, split)
        np.save(directory / f"{split}.labels.npy", documents.labels, allow_pickle=False)
    (directory / "vocabulary.json").write_text(json.dumps(vocabulary, ensure_ascii=False), "utf-8")
    if vectors is not None:
        np.save(directory / "vector_ids.npy", vectors[0], allow_pickle=False)
        np.save(directory / "vectors.npy", vectors[1], allow_pickle=False)
    write_meta(directory, {"stage": STAGE, **meta})


def open_texts(directory: Path) -> Texts:
    """The data set of an artifact.

    Raises:
        DataError: it is not there, or is another stage's.
    """
    directory = Path(directory)
    meta = read_meta(directory, STAGE)
    parts = {
        split: Documents(tokens=Ragged.open(directory, split), labels=open_array(directory / f"{split}.labels.npy"))
        for split in SPLITS
    }
    given = meta["has_vectors"]
    return Texts(
        name=meta["dataset"],
        train=parts["train"],
        test=parts["test"],
        vocabulary=json.loads((directory / "vocabulary.json").read_text("utf-8")),
        vector_ids=open_array(directory / "vector_ids.npy") if given else None,
        vectors=open_array(directory / "vectors.npy") if given else None,
        meta=meta,
    )
