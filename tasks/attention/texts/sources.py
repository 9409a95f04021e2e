"""Where the documents of a data set come from (builtin, files, the hub) and what labels they have. Imports no torch."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.attention.texts import builtin, files
from tasks.attention.texts.catalogue import CATALOGUE, SPLITS, Document, Documents, Hub, canonical, written_label
from tasks.data.errors import DataError
from tasks.data.hub_data import dataset_commit, load_split
from tasks.data.places import Place, Source
from tasks.training.seeds import permutation

BINARY = ("0", "1")
ROWS = 1000  # of the hub, read at once

Counts = Mapping[str, int]
"""Documents by label, as the data write it."""


@dataclass(frozen=True, kw_only=True)
class TextSource(Source):
    """One data set by place, content and labels."""

    labels: Mapping[str, Counts]
    """By split. The hub's are those of the published data set: nothing is downloaded to plan."""
    first: Mapping[str, str]
    """Where each label stands first, for messages."""


def locate_texts(dataset: str, data_dir: str | None) -> TextSource:
    """Find a data set, count its labels and take its fingerprint.

    Raises:
        DataError: no such data set, missing or bad files, or a hub that can be reached neither over the network nor in
            its cache.
    """
    if dataset == builtin.NAME:
        place, first = Place(kind="builtin"), {}
        labels = {split: Counter(document.label for document in builtin.documents(split)) for split in SPLITS}
    elif data_dir is not None:
        place = Place(kind="files", path=str(Path(data_dir).expanduser().absolute()))
        dataset = canonical(dataset)
        counted = files.labels(files.find(dataset, Path(str(place.path))), dataset)
        labels = {split: counted[split].counts for split in SPLITS}
        first = counted["test"].first | counted["train"].first
    else:
        dataset = canonical(dataset)
        if dataset not in CATALOGUE:
            known = ", ".join((builtin.NAME, *CATALOGUE))
            raise DataError(
                f"no data set is called {dataset!r}: choose one of {known}, or give --data-dir DIR with the folder "
                f"{dataset}"
            )
        place, first = Place(kind="hub", revision=dataset_commit(_hub(dataset).repo, _remedy(dataset))), {}
        sizes = CATALOGUE[dataset].labels
        labels = {split: {label: n[i] for label, n in sizes.items()} for i, split in enumerate(SPLITS)}
    return TextSource(
        task=dataset,
        kind=place.kind,
        fingerprint=fingerprint(dataset, place),
        sizes={split: sum(counts.values()) for split, counts in labels.items()},
        path=place.path,
        labels=labels,
        first=first,
    )


def fingerprint(dataset: str, place: Place) -> str:
    """The fingerprint of the data on this machine, to be compared with the planned one.

    Raises:
        DataError: missing files.
    """
    return place.pick(builtin.fingerprint, lambda root: files.fingerprint(files.find(dataset, root)), str)


def read(dataset: str, split: str, place: Place) -> Documents:
    """The documents of a split from the place that `locate_texts` found.

    Raises:
        DataError: bad or missing data.
    """
    return place.pick(
        lambda: iter(builtin.documents(split)),
        lambda root: files.read(files.find(dataset, root), dataset, split),
        lambda commit: read_hub(dataset, split, commit),
    )


def read_hub(dataset: str, split: str, revision: str) -> Documents:
    """The documents of a split at one commit of the hub.

    Raises:
        DataError: as `hub_rows`, or for a document without label.
    """
    hub, escaped = _hub(dataset), CATALOGUE[dataset].escaped_newlines
    part = "train" if hub.test_documents else split

    def chosen(n: int) -> np.ndarray:
        if hub.test_documents is None:
            return np.arange(n)
        tested = np.isin(np.arange(n), permutation(n, 0, "test", "texts", dataset)[: hub.test_documents])
        return np.flatnonzero(tested == (split == "test"))

    names = (hub.label, *hub.texts)
    for place, (label, *texts) in hub_rows(hub.repo, hub.config, part, revision, names, _remedy(dataset), chosen):
        text = " ".join(part or "" for part in texts)
        yield Document(_label(label, hub, place), text.replace("\\n", "\n") if escaped else text, place)


def hub_rows(
    repo: str,
    config: str | None,
    split: str,
    revision: str,
    names: Sequence[str],
    remedy: str,
    chosen: Callable[[int], np.ndarray] = np.arange,
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The place and the columns of rows of a hub data set at one commit; `chosen` says which of how many.

    Raises:
        DataError: it cannot be loaded, is cached at another commit, or lacks a column.
    """
    where = f"{repo} ({split}, {revision[:12]})"
    data = load_split(repo, config, split, revision, where, remedy)
    if missing := [name for name in names if name not in data.column_names]:
        raise DataError(f"{where}: no column {', '.join(missing)}, found {', '.join(data.column_names)}; {remedy}")
    rows = chosen(len(data))
    for start in range(0, len(rows), ROWS):
        some = rows[start : start + ROWS].tolist()
        columns = data[some]
        for row, values in zip(some, zip(*(columns[name] for name in names), strict=True), strict=True):
            yield f"{where}, row {row}", values


def two_classes(source: TextSource, classes: tuple[str, str] | None) -> tuple[str, str]:
    """The labels of class 0 and class 1 as the data write them.

    Without `classes` they are 0 and 1 where the data have no other labels, else those of the published data set.

    Raises:
        DataError: labels that are not 0 and 1 and no classes given, or a class that no document of a split has.
    """
    seen = list(dict.fromkeys(label for split in SPLITS for label in source.labels[split]))
    if classes is None:
        known = CATALOGUE.get(source.task)
        if set(seen) <= set(BINARY):
            classes = BINARY
        elif known is not None and set(known.classes) <= set(seen) <= set(known.labels):
            classes = known.classes
        else:
            odd = next(label for label in seen if label not in BINARY)
            raise DataError(
                f"{source.first.get(odd, source.task)}: the label {odd!r} is neither 0 nor 1; labels that the data "
                f"have: {_some(seen)}; give two of them with --classes"
            )
    for split in SPLITS:
        for label in classes:
            if not source.labels[split].get(label):
                raise DataError(
                    f"{source.task} ({source.path or source.kind}): no {split} document has the label {label!r}; "
                    f"labels that it has: {_some(list(source.labels[split]))}"
                )
    return classes


def _some(labels: list[str]) -> str:
    shown = ", ".join(repr(label) for label in sorted(labels)[:9])
    return shown if len(labels) <= 9 else f"{shown} and {len(labels) - 9} more"


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
