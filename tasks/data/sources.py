"""Where a task's data come from, and what they are: builtin sentences, TSV files, or the hub.

Used while planning, so this module imports neither torch nor transformers nor datasets. A builtin task needs nothing; a
GLUE task is read from `--data-dir` where one is given, else from the hub; nothing is substituted for what is missing.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tasks.data import builtin, glue_files, glue_hub
from tasks.data.errors import DataError
from tasks.data.examples import BUILTIN_TASKS, Examples, task_info

Kind = Literal["builtin", "files", "hub"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """One task's data."""

    task: str
    kind: Kind
    fingerprint: str
    """Part of a job's identity: hash of the examples (builtin), of the files, or the hub's commit."""
    sizes: Mapping[str, int]
    """Examples of each split. The hub's are those of the published GLUE: nothing is downloaded to plan."""
    path: str | None = None
    """The data directory, absolute, for `files`."""

    @property
    def revision(self) -> str | None:
        """The hub's commit, for `hub`."""
        return self.fingerprint if self.kind == "hub" else None


def locate(task: str, data_dir: str | None) -> Source:
    """Find a task's data and take their fingerprint.

    Files are read once (a second for MNLI) and again only when one has changed.

    Raises:
        ValueError: for an unknown task.
        DataError: when the data directory or the task's folder in it is missing, when files are bad, or when the hub
            can be reached neither over the network nor in its cache.
    """
    task_info(task)
    if task in BUILTIN_TASKS:
        return Source(task=task, kind="builtin", fingerprint=builtin.fingerprint(task), sizes=builtin.sizes(task))
    if data_dir is None:
        return Source(task=task, kind="hub", fingerprint=glue_hub.resolve_revision(task), sizes=glue_hub.SIZES[task])
    root = Path(data_dir).expanduser().absolute()
    _check_folder(task, root)
    return _files_source(task, root, _state(task, root))


def fingerprint(kind: Kind, task: str, path: str | None, revision: str | None) -> str:
    """The fingerprint of the data on this machine, to be compared with the planned one.

    Raises:
        ValueError: when what the kind needs (path or revision) is None.
        DataError: when files are missing.
    """
    if kind == "builtin":
        return builtin.fingerprint(task)
    if kind == "files":
        root = Path(_given(path, "path", kind))
        _check_folder(task, root)
        return glue_files.fingerprint(task, root)
    return _given(revision, "revision", kind)


def read(kind: Kind, task: str, split: str, path: str | None, revision: str | None) -> Examples:
    """One split from the place that `locate` found.

    Raises:
        ValueError: for an unknown task or split, or when what the kind needs (path or revision) is None.
        DataError: for bad or missing data.
    """
    if kind == "builtin":
        return builtin.examples(task, split)
    if kind == "files":
        return glue_files.read_split(task, split, Path(_given(path, "path", kind)))
    return glue_hub.read_split(task, split, _given(revision, "revision", kind))


def _given(value: str | None, name: str, kind: Kind) -> str:
    if value is None:
        raise ValueError(f"data of kind {kind!r} need a {name}")
    return value


def _check_folder(task: str, root: Path) -> None:
    if not root.is_dir():
        raise DataError(f"{root}: no such directory; give --data-dir a directory with the folder {task} in it")
    if not (root / task).is_dir():
        there = [name for name in glue_files.LAYOUTS if (root / name).is_dir()]
        found = ", ".join(there) or "none of the nine"
        raise DataError(
            f"{root / task}: no such folder; task folders that are there: {found}; "
            f"give --data-dir a directory with {task} in it"
        )


State = tuple[tuple[str, int, int], ...]


def _state(task: str, root: Path) -> State:
    """Names, sizes and times of the files: when none changes, the bytes are taken to be the same."""
    files = [glue_files.split_file(task, split, root) for split in task_info(task).splits]
    stats = [(file, file.stat()) for file in files if file.is_file()]
    return tuple((file.name, stat.st_size, stat.st_mtime_ns) for file, stat in stats)


@functools.cache
def _files_source(task: str, root: Path, state: State) -> Source:
    return Source(
        task=task,
        kind="files",
        fingerprint=glue_files.fingerprint(task, root),
        sizes=glue_files.count(task, root),
        path=str(root),
    )
