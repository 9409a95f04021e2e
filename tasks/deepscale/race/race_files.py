"""RACE from its official files: `<data dir>/RACE/{train,dev}/{middle,high}/*.txt`, each a passage as JSON.

A file has `article`, `questions`, `options` (four a question), `answers` (A to D) and `id`. RACE may be had from its
authors for research only, so nothing of it ships here.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from tasks.data.errors import DataError
from tasks.deepscale.race.questions import RACE, Passage, check_split, n_questions, parse_passage

LEVELS = ("middle", "high")
KEYS = ("article", "questions", "options", "answers")


def folders(split: str, data_dir: Path) -> list[Path]:
    """The folders of a split: both levels of train, one of dev.

    Raises:
        ValueError: another split.
    """
    check_split(RACE, split)
    part, _, level = split.partition("_")
    return [Path(data_dir) / RACE / part / name for name in LEVELS if not level or name == level]


def read_split(split: str, data_dir: Path) -> list[Passage]:
    """The passages of a split, in the order of levels and file names.

    Raises:
        ValueError: another split.
        DataError: a missing or empty folder, bytes that are not UTF-8, no JSON, a missing key, or a bad question; with
            file and question.
    """
    return [_parse(path, content) for path, content in _files(split, Path(data_dir))]


def summarise(splits: tuple[str, ...], data_dir: Path) -> tuple[str, dict[str, int]]:
    """(fingerprint, questions of each split): 16 hex digits of SHA-256 over names, sizes and bytes of all files.

    Every file is parsed, so that what is wrong with one shows before anything runs.

    Raises:
        DataError: as `read_split`.
    """
    digest, sizes = hashlib.sha256(), {}
    for split in splits:
        sizes[split] = 0
        for path, content in _files(split, Path(data_dir)):
            digest.update(f"{split}/{path.parent.name}/{path.name} {len(content)}\n".encode())
            digest.update(content)
            sizes[split] += n_questions([_parse(path, content)])
    return digest.hexdigest()[:16], sizes


def _files(split: str, data_dir: Path) -> Iterator[tuple[Path, bytes]]:
    for folder in folders(split, data_dir):
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; expected the official layout, DIR/RACE/train/middle and so on")
        paths = sorted(folder.glob("*.txt"), key=lambda path: path.name)
        if not paths:
            raise DataError(f"{folder}: no *.txt in it; expected a file a passage, unpack RACE.tar.gz again")
        for path in paths:
            yield path, path.read_bytes()


def _parse(path: Path, content: bytes) -> Passage:
    try:
        given = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as problem:
        raise DataError(
            f"{path}: byte 0x{content[problem.start]:02x} at {problem.start} is not UTF-8; convert the file to UTF-8"
        ) from None
    except ValueError as problem:
        raise DataError(f"{path}: not JSON ({problem}); get the file again") from None
    if not isinstance(given, dict):
        raise DataError(f"{path}: a JSON {type(given).__name__}, expected an object with {', '.join(KEYS)}")
    if missing := [key for key in KEYS if key not in given]:
        raise DataError(f"{path}: the key {' and the key '.join(map(repr, missing))} is missing; get the file again")
    name = given["id"] if isinstance(given.get("id"), str) else path.name
    article, questions, options, answers = (given[key] for key in KEYS)
    return parse_passage(name, article, questions, options, answers, str(path))
