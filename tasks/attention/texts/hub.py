"""The published data sets from the hub, by commit."""

import numpy as np

from tasks.attention.texts.catalogue import CATALOGUE, Hub
from tasks.attention.texts.documents import Document, Documents, written_label
from tasks.data.commits import dataset_commit
from tasks.data.errors import DataError
from tasks.data.hub_split import load_split
from tasks.training.seeds import numpy_stream

ROWS = 1000  # read at once


def resolve_revision(dataset: str) -> str:
    """The commit of a data set: the hub's own, or without network that of the local hub cache.

    Raises:
        DataError: when there is neither, or the hub does not have the data set.
    """
    return dataset_commit(_hub(dataset).repo, _remedy(dataset))


def read(dataset: str, split: str, revision: str) -> Documents:
    """The documents of a split at one commit.

    Raises:
        DataError: it cannot be loaded, is cached at another commit, lacks a column, or has a document without label.
    """
    hub = _hub(dataset)
    part = "train" if hub.test_documents else split
    where = f"{hub.repo} ({part}, {revision[:12]})"
    data = load_split(hub.repo, hub.config, part, revision, where, _remedy(dataset))
    if missing := [name for name in (*hub.texts, hub.label) if name not in data.column_names]:
        found = ", ".join(data.column_names)
        raise DataError(f"{where}: no column {', '.join(missing)}, found {found}; {_remedy(dataset)}")
    rows = np.arange(len(data))
    if hub.test_documents:
        raw = numpy_stream(0, "test", "texts", dataset).bit_generator.random_raw(len(data))
        tested = np.zeros(len(data), dtype=bool)
        tested[np.argsort(raw, kind="stable")[: hub.test_documents]] = True
        rows = rows[tested == (split == "test")]
    escaped = CATALOGUE[dataset].escaped_newlines
    for start in range(0, len(rows), ROWS):
        chunk = rows[start : start + ROWS]
        columns = data[chunk.tolist()]
        texts = zip(*(columns[name] for name in hub.texts), strict=True)
        for row, label, parts in zip(chunk.tolist(), columns[hub.label], texts, strict=True):
            place = f"{where}, row {row}"
            text = " ".join(part or "" for part in parts)
            yield Document(_label(label, hub, place), text.replace("\\n", "\n") if escaped else text, place)


def _label(label: object, hub: Hub, place: str) -> str:
    if hub.labels is None:
        return written_label(label, place)
    if type(label) is not int or not 0 <= label < len(hub.labels):
        raise DataError(f"{place}: the label is {label!r}; expected 0 to {len(hub.labels) - 1}")
    return hub.labels[label]


def _hub(dataset: str) -> Hub:
    hub = CATALOGUE[dataset].hub
    if hub is None:
        raise DataError(f"the hub has no data set {dataset}; {_remedy(dataset)}")
    return hub


def _remedy(dataset: str) -> str:
    return (
        f"give --data-dir DIR with {dataset}_train.json and {dataset}_test.json, or with {dataset}/train.csv and "
        f"{dataset}/test.csv"
    )
