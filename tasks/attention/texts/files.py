"""A data set's files under a data directory: where they are, their hash, and their documents.

Looked for, in the directory, in its folder of the data set's name, or in the directory where it is that folder itself:
`<name>_train.json` and `<name>_test.json` (the published form), else `train` and `test` as csv, tsv, jsonl or json.
Case, `_`, `-` and blanks of names do not matter.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tasks.attention.texts.catalogue import CATALOGUE, SPLITS, Documents, canonical, same
from tasks.attention.texts.parsing import ENDINGS, content_hash, read_published, read_texts
from tasks.data.errors import DataError
from tasks.data.places import State, file_states


@dataclass(frozen=True, kw_only=True)
class TextFiles:
    """The files of a data set."""

    train: Path
    test: Path
    published: bool
    """Whether they are of the published form, ids and their vocabulary."""


class Labels(NamedTuple):
    """The labels of a split's documents, in the order in which they first appear."""

    counts: dict[str, int]
    first: dict[str, str]
    """Where each label stands first."""


def find(dataset: str, data_dir: Path) -> TextFiles:
    """The files of a data set.

    Raises:
        DataError: there are none, only one split's, or two of one split.
    """
    if not data_dir.is_dir():
        raise DataError(f"{data_dir}: no such directory; give --data-dir a directory with the folder {dataset} in it")
    folders = sorted(entry for entry in data_dir.iterdir() if entry.is_dir() and same(entry.name, dataset))
    if same(data_dir.name, dataset) or canonical(data_dir.name) not in CATALOGUE:
        folders.append(data_dir)  # it is the data set's folder, or at least not another data set's
    for published in (True, False):
        for folder in dict.fromkeys([*folders, data_dir] if published else folders):
            found = {split: _split_file(folder, split, dataset, published) for split in SPLITS}
            if found["train"] and found["test"]:
                return TextFiles(train=found["train"], test=found["test"], published=published)
            if there := found["train"] or found["test"]:
                missing = "test" if found["train"] else "train"
                raise DataError(f"{there}: the file of the {missing} split is missing beside it")
    raise DataError(
        f"{data_dir}: no files of {dataset}; expected {dataset}_train.json and {dataset}_test.json, or the folder "
        f"{dataset} with train and test, each one of {', '.join(ENDINGS)}"
    )


def fingerprint(files: TextFiles) -> str:
    """First 16 hex digits of SHA-256 over the forms, sizes and bytes; read again only when a file has changed."""
    return _hashed(files, file_states((files.train, files.test)))


def labels(files: TextFiles, dataset: str) -> dict[str, Labels]:
    """The labels of each split; files are read again only when one has changed.

    Every document is read, so that what is wrong with one shows before anything runs.

    Raises:
        DataError: as `read`.
    """
    return _labels(files, dataset, file_states((files.train, files.test)))


def read(files: TextFiles, dataset: str, split: str) -> Documents:
    """The documents of a split in the order of the file.

    Raises:
        DataError: as `read_published` and `read_texts`.
    """
    path = files.train if split == "train" else files.test
    if files.published:
        return read_published(path, files.train)
    known = CATALOGUE.get(dataset)
    return read_texts(path, known is not None and known.escaped_newlines)


def _split_file(folder: Path, split: str, dataset: str, published: bool) -> Path | None:
    files = sorted(entry for entry in folder.iterdir() if entry.is_file())
    if published:
        ending = f"_{split}.json"
        found = [f for f in files if f.name.endswith(ending) and same(f.name.removesuffix(ending), dataset)]
    else:
        found = [f for f in files if f.stem == split and f.suffix in ENDINGS]
    if len(found) > 1:
        names = " and ".join(f.name for f in found)
        raise DataError(f"{folder}: {names} both hold the {split} split; keep one of them")
    return found[0] if found else None


@functools.cache
def _hashed(files: TextFiles, state: State) -> str:
    pairs = zip(SPLITS, (files.train, files.test), state, strict=True)
    return content_hash(
        (f"{split}{path.suffix} {files.published} {size}\n", path) for split, path, (_, size, _) in pairs
    )


@functools.cache
def _labels(files: TextFiles, dataset: str, state: State) -> dict[str, Labels]:
    found = {}
    for split in SPLITS:
        counts: dict[str, int] = {}
        first: dict[str, str] = {}
        for document in read(files, dataset, split):
            counts[document.label] = counts.get(document.label, 0) + 1
            first.setdefault(document.label, document.place)
        if not counts:
            path = files.train if split == "train" else files.test
            raise DataError(f"{path}: no documents; expected at least one, get the file again")
        found[split] = Labels(counts, first)
    return found
