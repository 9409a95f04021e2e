"""Where the data of a job lie on this machine, and whether they are the planned ones. Imports no torch.

Data are built in, files of a directory, or a hub data set at one commit; a reader says by `Place.pick` what it does
with each. Where data lie is no part of a job's identity; their fingerprint is.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from tasks.data.errors import DataError

if TYPE_CHECKING:
    from tasks.data.tokenizers import TokenizerRef

Kind = Literal["builtin", "files", "hub"]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a data set lies."""

    kind: Kind
    path: str | None = None
    """The data directory, absolute, of `files`."""
    revision: str | None = None
    """The commit of the `hub`."""

    def __str__(self) -> str:
        return self.path or self.kind

    def pick(self, builtin: Callable[[], T], files: Callable[[Path], T], hub: Callable[[str], T] | None = None) -> T:
        """What the function of this kind gives: of nothing, the directory, or the commit.

        Raises:
            ValueError: the place lacks what its kind needs, or no data of this kind can be read.
        """
        if self.kind == "builtin":
            return builtin()
        if self.kind == "files" and self.path is not None:
            return files(Path(self.path))
        if self.kind == "hub" and self.revision is not None and hub is not None:
            return hub(self.revision)
        raise ValueError(f"no data are read from {self}; expected builtin, files with a path, or hub with a revision")


@dataclass(frozen=True, kw_only=True)
class Found:
    """Data as a plan finds them: where they lie, and what they are."""

    kind: Kind
    fingerprint: str
    """Part of a job's identity: hash of the examples or the text (builtin), of the files, or the hub's commit."""
    path: str | None = None
    """The file or directory, absolute, for `files`."""

    @property
    def revision(self) -> str | None:
        """The hub's commit, for `hub`."""
        return self.fingerprint if self.kind == "hub" else None

    @property
    def place(self) -> Place:
        """Where the data lie, for readers."""
        return Place(kind=self.kind, path=self.path, revision=self.revision)

    @property
    def places(self) -> dict[str, str]:
        """What a stage must know of the place, for `Job.paths`: kind, fingerprint, data (path), revision (hub)."""
        optional = {"data": self.path, "revision": self.revision}
        given = {name: value for name, value in optional.items() if value is not None}
        return {"kind": self.kind, "fingerprint": self.fingerprint, **given}


@dataclass(frozen=True, kw_only=True)
class Source(Found):
    """One data set of examples."""

    task: str
    """Name of the data set."""
    sizes: Mapping[str, int]
    """Examples of each split. The hub's are the published ones: nothing is downloaded to plan."""


def places(source: Found, ref: "TokenizerRef") -> dict[str, str]:
    """`Found.places`, and `tokenizer`, its directory, where it has one."""
    return source.places | ({"tokenizer": ref.path} if ref.path is not None else {})


def place_here(name: str, paths: Mapping[str, str], fingerprint: Callable[[Place], str]) -> Place:
    """The place that `Context.paths` name, whose data must be the planned ones.

    Args:
        name: the data set's, for messages.
        paths: as `Found.places` makes them.
        fingerprint: of the data at a place.

    Raises:
        ValueError: for paths that `places` did not make.
        DataError: the data here are others.
    """
    lacking = [key for key in ("kind", "fingerprint") if key not in paths]
    if lacking:
        raise ValueError(f"context.paths lacks {', '.join(lacking)}; make it with tasks.data.places.places")
    kind = paths["kind"]
    if kind not in ("builtin", "files", "hub"):
        raise ValueError(f"data of kind {kind!r}; expected builtin, files or hub")
    place = Place(kind=kind, path=paths.get("data"), revision=paths.get("revision"))
    check_fingerprint(name, str(place), fingerprint(place), paths["fingerprint"])
    return place


def check_fingerprint(name: str, place: str, here: str, planned: str) -> None:
    """Whether the data here are the planned ones.

    Raises:
        DataError: when not.
    """
    if here != planned:
        raise DataError(
            f"{name} ({place}) was {planned} when the sweep was planned and is {here} here: the data have changed, or "
            "another machine has other data; make them the same and start the sweep again"
        )


State = tuple[tuple[str, int, int], ...]


def file_states(files: Iterable[Path]) -> State:
    """Paths, sizes and times of the files that are there: when none changes, their bytes are taken to be the same."""
    stats = ((file, file.stat()) for file in files if file.is_file())
    return tuple((str(file), stat.st_size, stat.st_mtime_ns) for file, stat in stats)


def files_hash(files: Iterable[tuple[str, Path]]) -> str:
    """First 16 hex digits of SHA-256 over the names, sizes and bytes of files, which are read piece by piece."""
    digest = hashlib.sha256()
    for name, path in files:
        digest.update(f"{name} {path.stat().st_size}\n".encode())
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]
