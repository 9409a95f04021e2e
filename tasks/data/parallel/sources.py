"""Where the sentence pairs of a data set come from. Imports no torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tasks.data.errors import DataError
from tasks.data.parallel import builtin
from tasks.data.sources import Kind

SPLITS = ("train", "val")


class Line(NamedTuple):
    """A pair of lines as they stand in the data."""

    source: str
    target: str
    place: str


@dataclass(frozen=True, kw_only=True)
class PairSource:
    """One data set by place and content."""

    dataset: str
    kind: Kind
    fingerprint: str
    """Hash of the pairs (builtin) or files, or the hub's commit."""
    languages: tuple[str, str]
    """Of source and target; endings of the files, columns of the hub."""
    sizes: Mapping[str, int]
    """Pairs of each split. The hub's are those of the published data set: nothing is downloaded to plan."""
    path: str | None = None
    """The data directory, absolute, for `files`."""

    @property
    def places(self) -> dict[str, str]:
        """For `Job.paths`; `tasks.data.places.read_place` reads it."""
        revision = {"revision": self.fingerprint} if self.kind == "hub" else {}
        data = {} if self.path is None else {"data": self.path}
        return {"kind": self.kind, "fingerprint": self.fingerprint, **data, **revision}


def locate_pairs(dataset: str, data_dir: str | None, languages: str | None = None) -> PairSource:
    """Find a data set and take its fingerprint.

    Raises:
        DataError: no such data set, missing or bad files, or a hub that can be reached neither over the network nor in
            its cache.
    """
    if dataset == builtin.NAME:
        sizes = {split: len(builtin.pairs(split)) for split in SPLITS}
        return PairSource(
            dataset=dataset,
            kind="builtin",
            fingerprint=builtin.fingerprint(),
            languages=("en", "rule"),
            sizes=sizes,
        )
    raise DataError(f"no data set is called {dataset!r}; choose {builtin.NAME}")


def fingerprint(kind: Kind, dataset: str, languages: tuple[str, str], path: str | None, revision: str | None) -> str:
    """The fingerprint of the data on this machine, to be compared with the planned one."""
    return builtin.fingerprint()


def read(
    kind: Kind,
    dataset: str,
    split: str,
    languages: tuple[str, str],
    path: str | None,
    revision: str | None,
    legacy: bool = False,
) -> Iterator[Line]:
    """The lines of a split from the place that `locate_pairs` found."""
    for number, pair in enumerate(builtin.pairs(split), start=1):
        yield Line(pair.source, pair.target, f"builtin pair {number} of {split}")
