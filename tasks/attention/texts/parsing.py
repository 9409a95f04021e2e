"""Documents of one file: the published JSON of ids, or CSV, TSV, JSON and JSON lines of texts."""

import codecs
import contextlib
import csv
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.attention.texts.catalogue import Document, Documents, written_label
from tasks.data.errors import DataError

LABELS = ("label", "class", "category")
TEXTS = ("title", "text", "content", "sentence", "review", "sms", "document", "description")
ENDINGS = (".csv", ".tsv", ".jsonl", ".json")


def read_texts(path: Path, escaped_newlines: bool = False) -> Documents:
    """The documents of a CSV, TSV, JSON or JSON lines file.

    CSV and TSV have a header with a label (`label`, `class`) and texts (`title`, `text`, …), or none: the label first,
    and all that follows is text. In CSV a field may stand in quotes, and a quote inside it is doubled; backslashes are
    left as they are. In TSV there is no quoting. JSON is a list of objects with `label` and `text`, JSON lines one
    such object a line. Empty lines are passed over.

    Args:
        path: the file.
        escaped_newlines: whether the two characters backslash and n mean a line break.

    Raises:
        DataError: no such file, no UTF-8, a line or object that is not of this form; with the line.
    """
    for document in _READERS[path.suffix](path):
        if escaped_newlines and isinstance(document.text, str):
            document = document._replace(text=document.text.replace("\\n", "\n"))
        yield document


def read_published(path: Path, vocabulary: Path) -> Documents:
    """The documents of `<name>_train.json` or `<name>_test.json`, the published form.

    Args:
        path: the file: `XY`, a list of [ids, label].
        vocabulary: the training file: `vocab`, the token of each id.

    Raises:
        DataError: no such file, no UTF-8 or JSON, a missing key, an id without a token, a bad label; with the number of
            the document from 0.
    """
    words = _key(_load(vocabulary), "vocab", vocabulary)
    for number, word in enumerate(words):
        if not isinstance(word, str):
            raise DataError(f"{vocabulary}: vocab[{number}] is {word!r}; expected the text of a token")
        check_text(word, f"{vocabulary}: vocab[{number}]")
    pairs = _key(_load(path), "XY", path)
    for number, pair in enumerate(pairs):
        place = f"{path}: XY[{number}]"
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], list):
            raise DataError(f"{place} is {str(pair)[:60]}; expected [ids, label]")
        ids, label = pair
        if ids and (set(map(type, ids)) != {int} or min(ids) < 0 or max(ids) >= len(words)):
            odd = next(i for i in ids if type(i) is not int or not 0 <= i < len(words))
            raise DataError(f"{place} has the id {odd!r}; expected 0 to {len(words) - 1}, as vocab has tokens")
        yield Document(written_label(label, place), [words[i] for i in ids], place)


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a file with their ends, which are the byte 0x0A alone.

    Raises:
        DataError: no such file, or bytes that are not UTF-8; with the line.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    with open(path, "rb") as file:
        for number, raw in enumerate(file, start=1):
            content = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
            try:
                yield content.decode()
            except UnicodeDecodeError as problem:
                raise DataError(
                    f"{path}:{number}: byte 0x{content[problem.start]:02x} is not UTF-8; "
                    "convert the file to UTF-8 (for example with iconv)"
                ) from None


def content_hash(files: Iterable[tuple[str, Path]]) -> str:
    """First 16 hex digits of SHA-256 over what stands for each file, such as its size, and its bytes."""
    digest = hashlib.sha256()
    for head, path in files:
        digest.update(head.encode())
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]


def check_text(text: str, place: str) -> None:
    """Refuse what JSON can write and UTF-8 cannot: one half of a character that takes two (`\\ud800`).

    Raises:
        DataError: there is one.
    """
    try:
        text.encode()
    except UnicodeEncodeError as problem:
        half = ord(text[problem.start])
        raise DataError(f"{place}: the text has half a character, \\u{half:04x}; mend or remove it") from None


def _csv(path: Path) -> Documents:
    with _long_fields():
        reader = csv.reader(text_lines(path), strict=True)
        while True:
            line = reader.line_num + 1
            try:
                row = next(reader, None)
            except csv.Error as problem:
                raise DataError(f"{path}:{line}: {problem}; mend the quotes of the record that begins here") from None
            if row is None:
                return
            if reader.line_num and line == 1:
                at_label, at_texts = _columns(row)
                if at_texts is not None:
                    continue
            if row:
                yield _of_row(row, at_label, at_texts, f"{path}:{line}")


def _tsv(path: Path) -> Documents:
    at_label, at_texts = 0, None
    for line, text in enumerate(text_lines(path), start=1):
        row = text.rstrip("\r\n").split("\t")
        if line == 1:
            at_label, at_texts = _columns(row)
            if at_texts is not None:
                continue
        if row != [""]:
            yield _of_row(row, at_label, at_texts, f"{path}:{line}")


def _columns(row: Sequence[str]) -> tuple[int, list[int] | None]:
    """Where label and texts stand if the row is a header; else the label is first and None stands for the rest."""
    names = [field.strip().lower() for field in row]
    at_label = [names.index(name) for name in LABELS if name in names]
    at_texts = [i for i, name in enumerate(names) if name in TEXTS]
    return (at_label[0], at_texts) if at_label and at_texts else (0, None)


def _of_row(row: Sequence[str], at_label: int, at_texts: list[int] | None, place: str) -> Document:
    texts = range(1, len(row)) if at_texts is None else at_texts
    if not texts or len(row) <= max(at_label, *texts):
        raise DataError(f"{place}: {len(row)} fields; expected a label and at least one text; mend or remove the line")
    return Document(written_label(row[at_label], place), " ".join(row[i] for i in texts), place)


def _json_lines(path: Path) -> Documents:
    for number, line in enumerate(text_lines(path), start=1):
        if line.strip():
            yield _of_object(_parsed(line, f"{path}:{number}"), f"{path}:{number}")


def _json(path: Path) -> Documents:
    first = next((line.lstrip()[0] for line in text_lines(path) if line.strip()), "")
    if first == "{":  # JSON lines under another name
        yield from _json_lines(path)
        return
    objects = _load(path)
    if not isinstance(objects, list):
        raise DataError(f"{path}: JSON of another form; expected a list of objects with label and text")
    for number, one in enumerate(objects):
        yield _of_object(one, f"{path}: object {number}")


def _of_object(one: Any, place: str) -> Document:
    if not isinstance(one, dict):
        raise DataError(f"{place} is {str(one)[:60]}; expected an object with label and text")
    label = next((one[name] for name in LABELS if name in one), None)
    texts = [one[name] for name in TEXTS if name in one]
    if label is None or not texts:
        found = ", ".join(map(str, one)) or "none"
        raise DataError(f"{place}: keys {found}; expected a label (`label`) and a text (`text`)")
    for text in texts:
        if not isinstance(text, str):
            raise DataError(f"{place}: the text is {str(text)[:60]}; expected text")
        check_text(text, place)
    return Document(written_label(label, place), " ".join(texts), place)


def _load(path: Path) -> Any:
    return _parsed("".join(text_lines(path)), str(path))


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as problem:
        at = place if "\n" not in text.rstrip() else f"{place}:{problem.lineno}"
        raise DataError(f"{at}: no JSON ({problem.msg}, column {problem.colno}); get the file again") from None
    except (RecursionError, ValueError) as problem:  # nested a thousand deep, or a number of thousands of digits
        raise DataError(f"{place}: JSON that cannot be read ({problem}); get the file again") from None


def _key(content: Any, name: str, path: Path) -> list:
    found = content.get(name) if isinstance(content, dict) else None
    if not isinstance(found, list):
        raise DataError(f"{path}: no list under the key {name}; expected the published form, see the README")
    return found


@contextlib.contextmanager
def _long_fields() -> Iterator[None]:
    """The csv module refuses fields over 131,072 letters unless told not to; a document may be longer."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


_READERS = {".csv": _csv, ".tsv": _tsv, ".jsonl": _json_lines, ".json": _json}
