"""A data set's files under a data directory: `{train,val}.{source,target}` in the data set's folder.

The endings are those of the languages (`train.de`, `train.en`), or `src` and `trg`; the evaluation split may be called
`valid` or `dev`. A file has one sentence a line, or is a JSON list of sentences (News Commentary).
"""

import functools
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tasks.attention.texts.catalogue import plain
from tasks.attention.texts.parsing import check_text, content_hash, text_lines
from tasks.data.errors import DataError
from tasks.data.places import State, file_states

SPLITS = ("train", "val")
STEMS = {"train": ("train",), "val": ("val", "valid", "dev")}
LANGUAGES: dict[str, tuple[str, str]] = {
    "multi30k": ("de", "en"),
    "iwslt14": ("de", "en"),
    "news_commentary_v14_en_nl": ("en", "nl"),
    "news_commentary_v14_en_pt": ("en", "pt"),
    "news_commentary_v14_it_pt": ("it", "pt"),
}
"""Source and target of the published data sets."""
GENERAL = ("src", "trg")
"""Endings of source and target files where the languages are not."""


class Line(NamedTuple):
    """A pair of lines as they stand in the data."""

    source: str
    target: str
    place: str

    @property
    def empty_sides(self) -> int:
        """How many of the two have no text."""
        return (not self.source.strip()) + (not self.target.strip())


@dataclass(frozen=True, kw_only=True)
class PairFiles:
    """The files of a data set: source and target of each split."""

    train: tuple[Path, Path]
    val: tuple[Path, Path]

    def of(self, split: str) -> tuple[Path, Path]:
        return self.train if split == "train" else self.val

    @property
    def all(self) -> tuple[Path, ...]:
        return *self.train, *self.val


def find(dataset: str, languages: tuple[str, str], data_dir: Path) -> PairFiles:
    """The files of a data set.

    Raises:
        DataError: there are none, or only some of the four.
    """
    if not data_dir.is_dir():
        raise DataError(f"{data_dir}: no such directory; give --data-dir a directory with the folder {dataset} in it")
    folders = sorted(entry for entry in data_dir.iterdir() if entry.is_dir() and plain(entry.name) == plain(dataset))
    others = {plain(name) for name in LANGUAGES}
    if not folders and plain(data_dir.name) in others - {plain(dataset)}:
        raise DataError(f"{data_dir}: the folder of another data set than {dataset}; give --data-dir its own")
    folders = folders or [data_dir]  # it is the folder itself
    for folder in folders:
        for endings in (languages, GENERAL):
            found = {split: _split_files(folder, split, endings) for split in SPLITS}
            given = [pair for pair in found.values() if pair is not None]
            if len(given) == 2:
                return PairFiles(train=given[0], val=given[1])
            if given:
                missing = next(split for split in SPLITS if found[split] is None)
                names = " or ".join(f"{stem}.{endings[0]}" for stem in STEMS[missing])
                raise DataError(f"{given[0][0]}: no {missing} split beside it; expected {names} and its translation")
    source, target = languages
    raise DataError(
        f"{folders[0]}: no files of {dataset}; expected train.{source}, train.{target}, val.{source} and val.{target} "
        f"(or the endings {' and '.join(GENERAL)}); give --languages where the endings are others"
    )


def fingerprint(files: PairFiles) -> str:
    """First 16 hex digits of SHA-256 over the sizes and bytes; read again only when a file has changed."""
    return _hashed(files, file_states(files.all))


def count(files: PairFiles, legacy_empty_lines: bool = False) -> dict[str, int]:
    """Pairs of each split that a sweep works with; read again only when a file has changed.

    Args:
        files: of the data set.
        legacy_empty_lines: whether those with an empty side, and the one behind the last line break, are pairs too.

    Raises:
        DataError: as `read`.
    """
    return _counts(files, file_states(files.all), legacy_empty_lines)


def read(files: PairFiles, split: str, legacy_empty_lines: bool = False) -> Iterator[Line]:
    """The pairs of a split in the order of the files, with their line (from 1) or place in the list (from 0).

    Args:
        files: of the data set.
        split: train or val.
        legacy_empty_lines: whether the nothing behind the last line break is a line too.

    Raises:
        DataError: no UTF-8, a JSON list of something else than sentences, or files of different length.
    """
    source, target = files.of(split)
    pairs = itertools.zip_longest(_sentences(source, legacy_empty_lines), _sentences(target, legacy_empty_lines))
    for first, second in pairs:
        if first is None or second is None:
            counts = [sum(1 for _ in _sentences(path, legacy_empty_lines)) for path in (source, target)]
            raise DataError(
                f"{source} has {counts[0]} sentences and {target} has {counts[1]}; expected as many in both, each "
                "beside its translation: get the files again"
            )
        yield Line(first[1], second[1], f"{source}{first[0]} and {target}{second[0]}")


def _sentences(path: Path, legacy_empty_lines: bool) -> Iterator[tuple[str, str]]:
    """(place in the file, sentence); the carriage return of a foreign line end is no part of it."""
    if _is_list(path):
        for number, sentence in enumerate(_json_list(path)):
            yield f"[{number}]", sentence
        return
    number, ended = 0, True
    for number, line in enumerate(text_lines(path), start=1):
        ended = line.endswith("\n")
        yield f":{number}", line.removesuffix("\n").removesuffix("\r")
    if legacy_empty_lines and ended:
        yield f":{number + 1}", ""


def _is_list(path: Path) -> bool:
    """Whether a file is a JSON list of texts; a sentence may begin with a bracket, but not with one and a quote and
    end the file with a quote and one."""
    with open(path, "rb") as file:
        start = file.read(4096).lstrip()
        file.seek(max(0, path.stat().st_size - 4096))
        return bool(re.match(rb'\[\s*["\]]', start)) and bool(re.search(rb'["\[]\s*\]\s*$', file.read()))


def _json_list(path: Path) -> list[str]:
    try:
        found = json.loads("".join(text_lines(path)))
    except json.JSONDecodeError as problem:
        raise DataError(f"{path}:{problem.lineno}: no JSON ({problem.msg}, column {problem.colno})") from None
    for number, sentence in enumerate(found):
        if not isinstance(sentence, str):
            raise DataError(f"{path}[{number}] is {str(sentence)[:60]}; expected the text of a sentence")
        check_text(sentence, f"{path}[{number}]")
    return found


def _split_files(folder: Path, split: str, endings: tuple[str, str]) -> tuple[Path, Path] | None:
    for stem in STEMS[split]:
        source, target = (folder / f"{stem}.{ending}" for ending in endings)
        if source.is_file() and target.is_file():
            return source, target
        for there, missing in ((source, target), (target, source)):
            if there.is_file():
                raise DataError(f"{missing}: no such file; expected the translation of {there} there")
    return None


@functools.cache
def _hashed(files: PairFiles, state: State) -> str:
    return content_hash((f"{size}\n", path) for path, (_, size, _) in zip(files.all, state, strict=True))


@functools.cache
def _counts(files: PairFiles, state: State, legacy: bool) -> dict[str, int]:
    return {split: sum(1 for line in read(files, split, legacy) if legacy or not line.empty_sides) for split in SPLITS}
