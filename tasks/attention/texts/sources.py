"""Where the documents of a data set come from, and what labels they have. Imports no torch."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.attention.texts import builtin, files, hub
from tasks.attention.texts.catalogue import CATALOGUE, canonical
from tasks.attention.texts.documents import SPLITS, Documents
from tasks.data.errors import DataError
from tasks.data.sources import Kind

BINARY = ("0", "1")

Counts = Mapping[str, int]
"""Documents by label, as the data write it."""


@dataclass(frozen=True, kw_only=True)
class TextSource:
    """One data set by place, content and labels."""

    dataset: str
    kind: Kind
    fingerprint: str
    """Hash of the documents (builtin) or files, or the hub's commit."""
    labels: Mapping[str, Counts]
    """By split. The hub's are those of the published data set: nothing is downloaded to plan."""
    first: Mapping[str, str]
    """Where each label stands first, for messages."""
    path: str | None = None
    """The data directory, absolute, for `files`."""

    @property
    def places(self) -> dict[str, str]:
        """For `Job.paths`; `tasks.data.places.read_place` reads it."""
        revision = {"revision": self.fingerprint} if self.kind == "hub" else {}
        data = {} if self.path is None else {"data": self.path}
        return {"kind": self.kind, "fingerprint": self.fingerprint, **data, **revision}


def locate_texts(dataset: str, data_dir: str | None) -> TextSource:
    """Find a data set, count its labels and take its fingerprint.

    Raises:
        DataError: no such data set, missing or bad files, or a hub that can be reached neither over the network nor in
            its cache.
    """
    if dataset == builtin.NAME:
        labels = {split: Counter(document.label for document in builtin.documents(split)) for split in SPLITS}
        return TextSource(dataset=dataset, kind="builtin", fingerprint=builtin.fingerprint(), labels=labels, first={})
    dataset = canonical(dataset)
    if data_dir is not None:
        root = Path(data_dir).expanduser().absolute()
        found = files.find(dataset, root)
        counted = files.labels(found, dataset)
        return TextSource(
            dataset=dataset,
            kind="files",
            fingerprint=files.fingerprint(found),
            labels={split: counted[split].counts for split in SPLITS},
            first=counted["test"].first | counted["train"].first,
            path=str(root),
        )
    if dataset not in CATALOGUE:
        known = ", ".join((builtin.NAME, *CATALOGUE))
        raise DataError(
            f"no data set is called {dataset!r}: choose one of {known}, or give --data-dir DIR with the folder "
            f"{dataset}"
        )
    revision = hub.resolve_revision(dataset)
    sizes = CATALOGUE[dataset].labels
    labels = {split: {label: n[i] for label, n in sizes.items()} for i, split in enumerate(SPLITS)}
    return TextSource(dataset=dataset, kind="hub", fingerprint=revision, labels=labels, first={})


def fingerprint(kind: Kind, dataset: str, path: str | None, revision: str | None) -> str:
    """The fingerprint of the data on this machine, to be compared with the planned one.

    Raises:
        ValueError: when what the kind needs (path or revision) is None.
        DataError: missing files.
    """
    if kind == "builtin":
        return builtin.fingerprint()
    if kind == "files":
        return files.fingerprint(files.find(dataset, Path(_given(path, "path", kind))))
    return _given(revision, "revision", kind)


def read(kind: Kind, dataset: str, split: str, path: str | None, revision: str | None) -> Documents:
    """The documents of a split from the place that `locate_texts` found.

    Raises:
        ValueError: when what the kind needs (path or revision) is None.
        DataError: bad or missing data.
    """
    if kind == "builtin":
        return iter(builtin.documents(split))
    if kind == "files":
        return files.read(files.find(dataset, Path(_given(path, "path", kind))), dataset, split)
    return hub.read(dataset, split, _given(revision, "revision", kind))


def two_classes(source: TextSource, classes: tuple[str, str] | None) -> tuple[str, str]:
    """The labels of class 0 and class 1 as the data write them.

    Without `classes` they are 0 and 1 where the data have no other labels, else those of the published data set.

    Raises:
        DataError: labels that are not 0 and 1 and no classes given, or a class that no document of a split has.
    """
    seen = list(dict.fromkeys(label for split in SPLITS for label in source.labels[split]))
    if classes is None:
        known = CATALOGUE.get(source.dataset)
        if set(seen) <= set(BINARY):
            classes = BINARY
        elif known is not None and set(known.classes) <= set(seen) <= set(known.labels):
            classes = known.classes
        else:
            odd = next(label for label in seen if label not in BINARY)
            raise DataError(
                f"{source.first.get(odd, source.dataset)}: the label {odd!r} is neither 0 nor 1; labels that the data "
                f"have: {_some(seen)}; give two of them with --classes"
            )
    place = source.path or source.kind
    for split in SPLITS:
        for label in classes:
            if not source.labels[split].get(label):
                raise DataError(
                    f"{source.dataset} ({place}): no {split} document has the label {label!r}; labels that it has: "
                    f"{_some(list(source.labels[split]))}"
                )
    return classes


def _some(labels: list[str]) -> str:
    shown = ", ".join(repr(label) for label in sorted(labels)[:9])
    return shown if len(labels) <= 9 else f"{shown} and {len(labels) - 9} more"


def _given(value: str | None, name: str, kind: Kind) -> str:
    if value is None:
        raise ValueError(f"data of kind {kind!r} need a {name}")
    return value
