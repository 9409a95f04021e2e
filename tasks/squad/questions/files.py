"""SQuAD 2.0 from JSON files: `<data dir>/{train,dev}-v2.0.json`, the official ones or those of the CS224N course."""

import hashlib
import json
from pathlib import Path
from typing import Any

from tasks.data.errors import DataError
from tasks.squad.questions.examples import Paragraph, Problems, SquadSplit, parse_paragraph

NAMES = {"train": "train-v2.0.json", "dev": "dev-v2.0.json"}
REMEDY = "get the file again (SQuAD 2.0 in its official JSON form), or mend it"


def split_file(split: str, data_dir: Path) -> Path:
    """The file of a split, which need not be there.

    Raises:
        ValueError: for another split than train and dev.
    """
    if split not in NAMES:
        raise ValueError(f"SQuAD 2.0 has no split {split!r}; choose one of {', '.join(NAMES)}")
    return Path(data_dir) / NAMES[split]


def read_split(split: str, data_dir: Path) -> SquadSplit:
    """Read one split. What is wrong in single articles, paragraphs and questions is among its problems.

    Raises:
        DataError: a missing file, bytes that are not UTF-8, broken JSON, another top level than an object with the
            list `data`, no usable question, or a split whose answers are withheld.
    """
    path = split_file(split, data_dir)
    raw = _json(path)
    if not isinstance(raw, dict) or not isinstance(raw.get("data"), list):
        raise DataError(f'{path}: expected an object with a list of articles at "data"; {REMEDY}')
    problems, seen, paragraphs = Problems(), set(), []
    for number, article in enumerate(raw["data"], start=1):
        paragraphs += _article(article, number, path.name, seen, problems)
    found = SquadSplit(tuple(paragraphs), problems)
    check_usable(found, _says_impossible(raw["data"]), str(path))
    return found


def _article(raw: Any, number: int, file: str, seen: set[str], problems: Problems) -> list[Paragraph]:
    where = f"{file}, article {number}"
    if not isinstance(raw, dict) or not isinstance(raw.get("paragraphs"), list):
        problems.add("malformed", "", where, "it is no object with a list of paragraphs; the article is left out")
        return []
    title = raw.get("title")
    name = title if isinstance(title, str) and title.isprintable() and title else f"article {number}"
    found = []
    for at, paragraph in enumerate(raw["paragraphs"], start=1):
        place = f"{where}, paragraph {at}"
        if not isinstance(paragraph, dict):
            problems.add("malformed", "", place, "it is no object; the paragraph is left out")
            continue
        parsed = parse_paragraph(name, paragraph.get("context"), paragraph.get("qas"), place, seen, problems)
        if parsed is not None:
            found.append(parsed)
    return found


def check_usable(split: SquadSplit, says_impossible: bool, where: str) -> None:
    """Refuse a split without usable questions, and one whose answers are withheld.

    `says_impossible`: whether any question is marked as impossible, so that a split without answers means it.

    Raises:
        DataError: names `where` and the first problem.
    """
    if not split.n_questions:
        first = "".join(f" (first problem: {problem.where}: {problem.said})" for problem in split.problems.kept[:1])
        raise DataError(f"{where}: no usable question{first}; {REMEDY}")
    if not says_impossible and not any(q.answers for p in split.paragraphs for q in p.questions):
        raise DataError(
            f"{where}: all {split.n_questions} questions are without answers and none is marked is_impossible: a file "
            "whose answers are withheld, as a test split's, can be neither scored nor trained on; give one with answers"
        )


def _says_impossible(articles: list[Any]) -> bool:
    paragraphs = (p for a in articles if isinstance(a, dict) for p in _list(a, "paragraphs") if isinstance(p, dict))
    questions = (q for p in paragraphs for q in _list(p, "qas") if isinstance(q, dict))
    return any(question.get("is_impossible") is True for question in questions)


def _list(raw: dict, key: str) -> list:
    value = raw.get(key)
    return value if isinstance(value, list) else []


def _json(path: Path) -> Any:
    content = read_bytes(path)
    try:
        text = content.decode("utf-8-sig")  # with or without a byte-order mark
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        column = problem.start - content.rfind(b"\n", 0, problem.start)
        raise DataError(f"{path}:{line}:{column}: not UTF-8 (byte {content[problem.start]:#04x}); {REMEDY}") from None
    try:
        return json.loads(text)
    except json.JSONDecodeError as problem:
        where = f"{path}:{problem.lineno}:{problem.colno}"
        said = "the file is empty" if not text.strip() else f"broken JSON ({problem.msg})"
        raise DataError(f"{where}: {said}; {REMEDY}") from None
    except (ValueError, RecursionError) as problem:  # a number of thousands of digits; lists in lists in lists
        raise DataError(f"{path}: JSON that cannot be read ({type(problem).__name__}: {problem}); {REMEDY}") from None


def fingerprint(data_dir: Path) -> str:
    """First 16 hex digits of SHA-256 over the names, sizes and bytes of both files.

    Raises:
        DataError: when one is missing.
    """
    digest = hashlib.sha256()
    for split in NAMES:
        path = split_file(split, data_dir)
        content = read_bytes(path)
        digest.update(f"{path.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def read_bytes(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        DataError: when it is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file; give --data-dir DIR with {' and '.join(NAMES.values())}, or --dataset builtin"
        ) from None
    except OSError as problem:
        raise DataError(f"{path} cannot be read ({problem.strerror}); mend its permissions or get it again") from None
