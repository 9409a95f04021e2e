"""Where the passages and questions of a task come from, and what they are. Imports no torch."""

import functools
from collections.abc import Sequence
from pathlib import Path

from tasks.data.errors import DataError
from tasks.data.sources import Kind, Source
from tasks.deepscale.race import builtin, race_files, race_hub
from tasks.deepscale.race.questions import CONTINUATION, RACE, SPLITS, Passage, check_split, n_questions


def locate(task: str, data_dir: str | None) -> Source:
    """Find a task's data and take their fingerprint; RACE's files are read once, and again when one has changed.

    Raises:
        ValueError: for an unknown task.
        DataError: missing or bad files, or a hub that can be reached neither over the network nor in its cache.
    """
    check_split(task, "train")
    if task == CONTINUATION:
        sizes = {split: n_questions(builtin.passages(split)) for split in SPLITS[task]}
        return Source(task=task, kind="builtin", fingerprint=builtin.fingerprint(), sizes=sizes)
    if data_dir is None:
        return Source(task=task, kind="hub", fingerprint=race_hub.resolve_revision(), sizes=race_hub.SIZES)
    root = Path(data_dir).expanduser().absolute()
    if not (root / RACE).is_dir():
        raise DataError(f"{root / RACE}: no such folder; give --data-dir a directory with RACE/train/middle and so on")
    content, sizes = _summary(root, _state(root))
    return Source(task=task, kind="files", fingerprint=content, sizes=sizes, path=str(root))


def fingerprint(kind: Kind, path: str | None, revision: str | None) -> str:
    """The fingerprint of the data on this machine, to be compared with the planned one.

    Raises:
        ValueError: when what the kind needs (path or revision) is None.
        DataError: when files are missing or bad.
    """
    if kind == "builtin":
        return builtin.fingerprint()
    if kind == "files":
        return race_files.summarise(SPLITS[RACE], Path(_given(path, "path", kind)))[0]
    return _given(revision, "revision", kind)


def read(kind: Kind, split: str, path: str | None, revision: str | None) -> Sequence[Passage]:
    """One split from the place that `locate` found.

    Raises:
        ValueError: for an unknown split, or when what the kind needs (path or revision) is None.
        DataError: for bad or missing data.
    """
    if kind == "builtin":
        return builtin.passages(split)
    if kind == "files":
        return race_files.read_split(split, Path(_given(path, "path", kind)))
    return race_hub.read_split(split, _given(revision, "revision", kind))


def _given(value: str | None, name: str, kind: Kind) -> str:
    if value is None:
        raise ValueError(f"data of kind {kind!r} need a {name}")
    return value


State = tuple[tuple[str, int, int], ...]


def _state(root: Path) -> State:
    """Names, sizes and times of the files: when none changes, the bytes are taken to be the same."""
    found = {folder for split in SPLITS[RACE] for folder in race_files.folders(split, root)}
    files = sorted(path for folder in found for path in folder.glob("*.txt"))
    return tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files)


@functools.cache
def _summary(root: Path, state: State) -> tuple[str, dict[str, int]]:
    return race_files.summarise(SPLITS[RACE], root)
