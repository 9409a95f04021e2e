"""Corpora from text files: one file, a directory of `*.txt`, or what wikiextractor writes (`AA/wiki_00`, …).

Files are read a line at a time, so that their size does not matter. Lines end at the byte 0x0A alone.
"""

import codecs
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.data.errors import DataError, decoded
from tasks.data.places import State, file_states, files_hash

WIKI = "wiki_*"  # wikiextractor's files, in folders AA, AB, … or beside each other
FORMS = "*.txt files or wikiextractor's AA/wiki_00 files"
JSON_LINE = '{"id":'  # how each line begins that wikiextractor writes with --json


@dataclass(frozen=True, kw_only=True)
class TextFiles:
    """The files of a corpus in the order in which they are read."""

    root: Path
    """The directory, or that of the one file."""
    train: tuple[Path, ...]
    test: tuple[Path, ...] = ()
    """Empty where the corpus has no part of its own for testing: passages of `train` are then set apart."""


def text_files(place: Path) -> TextFiles:
    """The files of a corpus. `train.txt` with `test.txt` (else `valid.txt`) beside it are the parts; no other file of
    such a directory is read.

    Raises:
        DataError: when there is no such place, or no text in it.
    """
    if place.is_file():
        return _filled(TextFiles(root=place.parent, train=(place,)))
    if not place.is_dir():
        raise DataError(f"{place}: no such file or directory; give a text file, or a directory with {FORMS}")
    for name in ("test.txt", "valid.txt"):
        if (place / "train.txt").is_file() and (place / name).is_file():
            return _filled(TextFiles(root=place, train=(place / "train.txt",), test=(place / name,)))
    found = _visible(place.glob("*.txt")) or _visible([*place.glob(WIKI), *place.glob(f"*/{WIKI}")])
    if not found:
        there = ", ".join(sorted(p.name for p in place.iterdir())[:9]) or "nothing"
        raise DataError(f"{place}: no text, found {there}; expected {FORMS}")
    return _filled(TextFiles(root=place, train=tuple(found)))


def fingerprint(files: TextFiles) -> str:
    """First 16 hex digits of SHA-256 over the names, sizes and bytes of the files.

    The bytes are read again only when a name, a size or a time of change is another one.
    """
    return _hashed(files.root, file_states((*files.train, *files.test)))


def lines(path: Path) -> Iterator[str]:
    """The lines of a file without blanks around them, empty ones left out.

    Raises:
        DataError: for bytes that are not UTF-8, and for JSON instead of text.
    """
    with open(path, "rb") as file:
        for number, raw in enumerate(file, start=1):
            content = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
            line = decoded(content, path, number).strip()
            if line.startswith(JSON_LINE):
                raise DataError(f"{path}:{number}: JSON where text was expected; run wikiextractor without --json")
            if line:
                yield line


def _visible(paths) -> list[Path]:
    return sorted(p for p in paths if p.is_file() and not p.name.startswith(".") and not p.name.endswith(".bz2"))


def _filled(files: TextFiles) -> TextFiles:
    for part in (files.train, files.test):
        if part and not any(path.stat().st_size for path in part):
            raise DataError(f"{part[0] if len(part) == 1 else files.root}: an empty corpus; give files with text")
    return files


@functools.cache
def _hashed(root: Path, state: State) -> str:
    return files_hash((Path(file).relative_to(root).as_posix(), Path(file)) for file, _, _ in state)
