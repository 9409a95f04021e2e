"""Names that become files: experiments, stages, tables, figures, summary tables. And paths that stay where they belong.

A store is written by names alone, so a name that could leave its directory, or be taken for what the orchestrator keeps
there (`_parts`, `_runs`, `jobs.parquet`, `artifacts/`, `checkpoints/`), is refused where it is declared.
"""

import os
import re
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

_GOOD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", re.ASCII)
RESERVED = {"experiment": ("artifacts", "checkpoints"), "table": ("jobs",)}


class UnsafePath(PermissionError):
    """A path that leads out of the directory it belongs to; the message names it."""


def check_name(kind: str, name: object) -> None:
    """Refuse a name that is no good file name everywhere.

    Args:
        kind: what it names: experiment, stage, table, figure, summary table.

    Raises:
        ValueError: for anything but letters, digits, `_`, `-` and `.`, for one that begins with `_`, `-` or `.`, and
            for the orchestrator's own names (also in capitals: some disks do not tell them apart).
    """
    if not isinstance(name, str) or not _GOOD.fullmatch(name):
        raise ValueError(
            f"the {kind} name {name!r} is no file name: use letters, digits, _ - and . (128 at most), "
            "a letter or digit first"
        )
    if name.lower() in RESERVED.get(kind, ()):
        raise ValueError(f"the {kind} name {name!r} is the orchestrator's own: choose another")


def is_name(kind: str, name: str) -> bool:
    """Whether `check_name` takes it."""
    return _GOOD.fullmatch(name) is not None and name.lower() not in RESERVED.get(kind, ())


def check_names(kind: str, names: Iterable[object]) -> None:
    """`check_name` for each of them."""
    for name in names:
        check_name(kind, name)


def relative(path: str) -> str:
    """The path, when it is one below where it starts: parts joined by slashes, none of them empty, `.` or `..`.

    Raises:
        UnsafePath: for an absolute path, one with `..`, NUL, or a backslash (a slash on other systems).
    """
    parts = path.split("/")
    if not path or "\0" in path or "\\" in path or any(part in ("", ".", "..") for part in parts):
        raise UnsafePath(f"{path!r} is no path inside a store: it is empty, absolute, or has .., NUL or a backslash")
    return path


def inside(root: str | Path, path: str | Path) -> None:
    """Refuse a path that links lead out of `root` (which may itself be reached by links).

    Raises:
        UnsafePath: with both places.
    """
    real, target = Path(root).resolve(), Path(path).resolve()
    if not target.is_relative_to(real):
        raise UnsafePath(f"{path} is a link to {target}, outside of {real}: remove the link")


def private_folder(name: str) -> Path:
    """A folder of this user's alone among the machine's temporary files, which are everybody's.

    Raises:
        UnsafePath: when somebody else has made it, or others may write into it.
    """
    place = Path(tempfile.gettempdir(), f"{name}-{os.getuid()}")
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = place.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o022:
        raise UnsafePath(f"{place} is a link, or others may write there: remove it, or set TMPDIR to a place of yours")
    return place
