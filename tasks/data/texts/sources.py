"""Where the documents of a data set come from, and what labels they have. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.data.errors import DataError
from tasks.data.sources import Kind
from tasks.data.texts import builtin
from tasks.data.texts.documents import SPLITS, Documents

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
        labels = {split: _counts(document.label for document in builtin.documents(split)) for split in SPLITS}
        return TextSource(dataset=dataset, kind="builtin", fingerprint=builtin.fingerprint(), labels=labels, first={})
    raise DataError(f"no data set is called {dataset!r}; choose {builtin.NAME}")


def fingerprint(kind: Kind, dataset: str, path: str | None, revision: str | None) -> str:
    """The fingerprint of the data on this machine, to be compared with the planned one.

    Raises:
        DataError: missing files.
    """
    return builtin.fingerprint()


def read(kind: Kind, dataset: str, split: str, path: str | None, revision: str | None) -> Documents:
    """The documents of a split from the place that `locate_texts` found.

    Raises:
        DataError: bad or missing data.
    """
    return iter(builtin.documents(split))


def two_classes(source: TextSource, classes: tuple[str, str] | None) -> tuple[str, str]:
    """The labels of class 0 and class 1 as the data write them.

    Raises:
        DataError: labels that are not 0 and 1 and no classes given, or a class that no training document has.
    """
    zero, one = BINARY if classes is None else classes
    return zero, one


def _counts(labels) -> dict[str, int]:
    counts: dict[str, int] = {}
    for label in labels:
        counts[label] = counts.get(label, 0) + 1
    return counts
