"""The records of protein files, before anything is made of their labels.

A record is a header, a sequence in capitals, and where a file has them a line of residue labels. FASTA: `>` header,
then lines of sequence; lines that begin with `#` are no part. `.3line`: header, sequence, labels, a line each. TSV: two
columns with a header `label<TAB>sequence`. JSON: a list of objects with `primary` and the label, as TAPE has it.
"""

import codecs
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.data.errors import DataError
from tasks.transfer.proteins.tokens import unknown_letters

JSON_LABELS = {"fluorescence": "log_fluorescence", "stability": "stability_score"}
COLUMNS = ("label", "sequence")
"""The columns of a TSV file that are read, in any order."""


@dataclass(frozen=True)
class Record:
    """One entry of a file."""

    where: str
    """`file:line: record 'name'`, for messages; the line is that of the header."""
    header: str
    """Without its `>`; in a table the label."""
    lines: tuple[tuple[int, bytes], ...]
    """The lines of the sequence with their numbers, in capitals."""
    residue_labels: bytes = b""
    """The third line of a `.3line` file."""

    @property
    def sequence(self) -> bytes:
        return b"".join(line for _, line in self.lines)

    @property
    def name(self) -> str:
        return (self.header.split() or [""])[0]

    def token(self, at: int, what: str) -> str:
        """The blank-separated word number `at` = 0, 1, … of the header.

        Raises:
            DataError: there is none.
        """
        words = self.header.split()
        if at >= len(words):
            raise DataError(f"{self.where}: the header has no {what} (its word {at + 1}); found {self.header!r}")
        return words[at]


def fasta_records(path: Path) -> Iterator[Record]:
    """The records of a FASTA file in their order.

    Raises:
        DataError: missing file, a sequence before the first header, a record without residues.
    """
    header, start = None, 0
    lines: list[tuple[int, bytes]] = []

    def record() -> Record:
        assert header is not None
        return _checked(Record(_where(path, start, header), header, tuple(lines)))

    for number, whole in enumerate(_lines(path), start=1):
        line = whole.strip()
        if line.startswith(b"#") or not line:
            continue
        if line.startswith(b">"):
            if header is not None:
                yield record()
            header, start, lines = line[1:].decode("utf-8", "replace").strip(), number, []
        elif header is None:
            raise DataError(f"{path}:{number}: a sequence before the first header; begin each record with `>name`")
        else:
            lines.append((number, line.upper()))
    if header is not None:
        yield record()


def three_line_records(path: Path) -> Iterator[Record]:
    """The records of a `.3line` file: header, sequence, labels.

    Raises:
        DataError: missing file, lines that are no multiple of three, a header without `>`, a record without residues.
    """
    stripped = ((n, line.strip()) for n, line in enumerate(_lines(path), start=1))
    lines = [(n, line) for n, line in stripped if line and not line.startswith(b"#")]
    if len(lines) % 3:
        raise DataError(
            f"{path}:{lines[-1][0]}: {len(lines)} lines are no multiple of three; a record is a header, a sequence and "
            "a line of labels"
        )
    for at in range(0, len(lines), 3):
        (start, head), (number, sequence), (_, labels) = lines[at : at + 3]
        if not head.startswith(b">"):
            raise DataError(f"{path}:{start}: {_shown(head)} is no header; expected `>name` every three lines")
        header = head[1:].decode("utf-8", "replace").strip()
        yield _checked(Record(_where(path, start, header), header, ((number, sequence.upper()),), labels.upper()))


def table_records(path: Path) -> Iterator[Record]:
    """The records of a TSV file with the columns `label` and `sequence`.

    Raises:
        DataError: missing file, a header without one of the columns, a line with another number of fields, an empty
            sequence.
    """
    lines = _lines(path)
    header = next(lines, b"").decode("latin-1").split("\t")  # which gives every byte back, so that each is one letter
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise DataError(
            f"{path}:1: the header has no column {' and no '.join(missing)}, found {', '.join(header)!r}; "
            f"expected {'<TAB>'.join(COLUMNS)}"
        )
    for number, line in enumerate(lines, start=2):
        if not line.strip():
            continue
        fields = line.decode("latin-1").split("\t")
        if len(fields) != len(header):
            raise DataError(
                f"{path}:{number}: {len(fields)} fields between tabs, expected {len(header)} ({', '.join(header)}); "
                "mend or remove the line"
            )
        label, sequence = (fields[header.index(name)] for name in COLUMNS)
        content = sequence.strip().encode("latin-1").upper()
        yield _checked(Record(f"{path}:{number}", label.strip(), ((number, content),)))


def json_records(path: Path, key: str) -> Iterator[Record]:
    """The records of a JSON file of TAPE: objects with `primary` and `key`, which holds a number or a list of one.

    Raises:
        DataError: missing file, no JSON, no list of objects, an object without one of the two, or with another form.
    """
    _check_file(path)
    try:
        entries = json.loads(path.read_bytes())
    except ValueError as problem:
        raise DataError(f"{path}: no JSON ({problem}); expected a list of objects as TAPE distributes it") from None
    if not isinstance(entries, list):
        raise DataError(f"{path}: expected a list of objects, found {type(entries).__name__}")
    for number, entry in enumerate(entries, start=1):
        where = f"{path}: record {number}"
        if not isinstance(entry, dict):
            raise DataError(f"{where}: expected an object with primary and {key}, found {type(entry).__name__}")
        missing = [name for name in ("primary", key) if name not in entry]
        if missing:
            raise DataError(f"{where}: no {' and no '.join(missing)}; it has {', '.join(entry) or 'nothing'}")
        sequence, value = entry["primary"], _alone(entry[key])
        if not isinstance(sequence, str):
            raise DataError(f"{where}: primary is {type(sequence).__name__}, expected a string of residues")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DataError(f"{where}: {key} is {value!r}, expected a number")
        content = sequence.strip().encode("latin-1", "replace").upper()
        yield _checked(Record(where, repr(value), ((0, content),)))


def check_letters(record: Record) -> None:
    """Refuse bytes that are no residues.

    Raises:
        DataError: with the line, the characters and how often each stands there.
    """
    for number, line in record.lines:
        wrong = unknown_letters(line)
        if wrong:
            counts = ", ".join(f"{letter!r} {n} times" for letter, n in sorted(wrong.items()))
            place = f"{record.where} (line {number})" if number else record.where
            raise DataError(
                f"{place}: no residues: {counts}; mend the sequence, or take legacy_unknown, which reads them as X"
            )


def number(text: str, where: str, what: str) -> float:
    """A finite number.

    Raises:
        DataError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{where}: {what} {text!r} is no number; mend the record")
    return value


def _alone(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _where(path: Path, line: int, header: str) -> str:
    return f"{path}:{line}: record {(header.split() or [''])[0]!r}"


def _checked(record: Record) -> Record:
    if not any(line for _, line in record.lines):
        raise DataError(f"{record.where}: no residues; a record needs a sequence")
    return record


def _shown(line: bytes) -> str:
    return repr(line[:30].decode("utf-8", "replace"))


def _lines(path: Path) -> Iterator[bytes]:
    """Lines without their ends, one at a time: a file of families may be larger than memory."""
    _check_file(path)
    with path.open("rb") as file:
        for number, line in enumerate(file):
            yield (line if number else line.removeprefix(codecs.BOM_UTF8)).rstrip(b"\r\n")


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"{path}: no such file; give the file of this split")
