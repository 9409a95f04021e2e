"""Proteins with their labels from the files of every task (README 7).

Letters: N proteins, S residues of all of them.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from orchestrator.limits import Limited, Positive, require
from tasks.data.errors import DataError
from tasks.transfer.proteins.records import (
    JSON_LABELS,
    Record,
    check_letters,
    fasta_records,
    json_records,
    number,
    table_records,
    three_line_records,
)
from tasks.transfer.proteins.tasks import ProteinTaskInfo, protein_task
from tasks.transfer.proteins.tokens import LETTERS, encode

SCOP = re.compile(r"([a-z])\.(\d+)\.(\d+)\.(\d+)")
MEMBRANE = {ord(letter): at for at, letter in enumerate("IOM")}


@dataclass(frozen=True, kw_only=True)
class Kept(Limited):
    """What is kept of a file."""

    min_length: Positive = 1
    """Residues; shorter proteins are dropped."""
    drop_longer: Positive | None = None
    """Residues; longer proteins are dropped."""
    max_length: Positive | None = None
    """Residues kept of a longer protein: its head; for localization the first and the last half, since signals stand
    at both ends."""
    min_members: Positive = 1
    """pfam: families with fewer proteins, after the lengths, are dropped (published: 1000)."""
    legacy_unknown: bool = False
    """Read any byte that is no residue as X, as published code does, and count them; else it is an error."""

    def __post_init__(self):
        super().__post_init__()
        fine = self.drop_longer is None or self.drop_longer >= self.min_length
        require(fine, "drop_longer", self.drop_longer, f"at least the min-length, {self.min_length}")


Label = int | float | str | np.ndarray | tuple[int, ...]


@dataclass
class Parsed:
    """What was read."""

    sequences: list[np.ndarray] = field(default_factory=list)
    """N arrays of ids, uint8."""
    labels: list[Label] = field(default_factory=list)
    """N labels: an index, a number, an array of classes of residues, or four numbers of SCOP each."""
    label_names: tuple[str, ...] = ()
    """What the indices mean; the families of the file for pfam."""
    counts: Counter[str] = field(default_factory=Counter)
    """What was found and changed: records, unknown (bytes read as X), shorter, longer, truncated, rare."""


def parse(path: Path, task: str, kept: Kept) -> Parsed:
    """The proteins of one file in its order.

    Raises:
        ValueError: an unknown task, or one that has no files.
        DataError: an extension that the task's files do not have; bad records, with file, line and name: a label that
            is missing, unknown or no number, an empty sequence, bytes that are no residues, records of which there
            should be pairs or triples; or a file that leaves no proteins.
    """
    info = protein_task(task)
    if not info.extensions:
        raise ValueError(f"{task} has no files; it is made")
    if path.suffix.lower() not in info.extensions:
        raise DataError(f"{path}: {path.suffix or 'no extension'}; {task} is read from {', '.join(info.extensions)}")
    found = Parsed(label_names=info.label_names)
    for record, label in _labelled(path, info):
        _keep(found, record, label, info, kept)
    if info.labels == "family":
        _families(found, kept.min_members)
    if not found.sequences:
        dropped = ", ".join(f"{found.counts[name]} {name}" for name in ("records", "shorter", "longer", "rare"))
        raise DataError(f"{path}: no proteins are left ({dropped}); give a file with records, or other lengths")
    return found


def count_records(path: Path, task: str) -> int:
    """Proteins in a file, without reading sequences or labels.

    Raises:
        DataError: as `parse`, as far as the form of the file goes.
    """
    info = protein_task(task)
    if path.suffix.lower() == ".json":
        return sum(1 for _ in json_records(path, JSON_LABELS[task]))
    if path.suffix.lower() == ".tsv":
        return sum(1 for _ in table_records(path))
    with path.open("rb") as file:
        headers = sum(line.startswith(b">") for line in file)
    return headers // 2 if info.name == "secstr" else headers


def _labelled(path: Path, info: ProteinTaskInfo) -> Iterator[tuple[Record, Label]]:
    kind = path.suffix.lower()
    if info.name == "transmembrane":
        yield from ((record, _membrane(record)) for record in three_line_records(path))
    elif info.name == "secstr":
        yield from _structures(path)
    elif kind in (".tsv", ".json"):
        records = table_records(path) if kind == ".tsv" else json_records(path, JSON_LABELS[info.name])
        yield from ((record, number(record.header, record.where, "the label")) for record in records)
    else:
        yield from ((record, _label(record, info)) for record in fasta_records(path))


def _label(record: Record, info: ProteinTaskInfo) -> Label:
    """The label in the header of a FASTA record."""
    if info.labels == "number":
        return number(record.token(1, "label"), record.where, "the label")
    if info.name == "localization":
        place = record.token(1, "location").split("-")[0]
        if place not in info.label_names:
            raise DataError(
                f"{record.where}: unknown location {place!r}; expected one of {', '.join(info.label_names)}"
            )
        return info.label_names.index(place)
    if info.name == "solubility":
        text = record.token(1, "label")
        value = number(text, record.where, "the label")
        if value not in (0, 1):
            raise DataError(f"{record.where}: the label {text!r} is neither 0 nor 1; mend the record")
        return int(value)
    if info.labels == "scop":
        text = record.token(1, "SCOP classification")
        match = SCOP.fullmatch(text)
        if not match:
            raise DataError(f"{record.where}: {text!r} is no SCOP classification like a.1.2.3; mend the record")
        return (ord(match[1]) - ord("a"), int(match[2]), int(match[3]), int(match[4]))
    fields = record.token(2, "family").split(";")
    if len(fields) < 2 or not fields[1]:
        raise DataError(f"{record.where}: {record.token(2, 'family')!r} names no family; expected accession;family")
    return fields[1]


def _structures(path: Path) -> Iterator[tuple[Record, np.ndarray]]:
    """Pairs of records `>name:sequence` and `>name:secstr`, one digit a residue."""
    records = fasta_records(path)
    for record in records:
        name, _, part = record.header.rpartition(":")
        if part != "sequence":
            raise DataError(f"{record.where}: expected a header `>name:sequence`, found {record.header!r}")
        other = next(records, None)
        if other is None:
            raise DataError(f"{record.where}: no record `{name}:secstr` follows; they come in pairs")
        if other.header != f"{name}:secstr":
            raise DataError(f"{other.where}: expected a header `>{name}:secstr`, found {other.header!r}")
        yield record, _classes(other.sequence, record, other.where, {ord(c): int(c) for c in "01234567"})


def _membrane(record: Record) -> np.ndarray:
    return _classes(record.residue_labels, record, record.where, MEMBRANE)


def _classes(content: bytes, record: Record, where: str, meaning: dict[int, int]) -> np.ndarray:
    """A class a residue, uint8."""
    if len(content) != len(record.sequence):
        raise DataError(f"{where}: {len(content)} labels for {len(record.sequence)} residues; mend the record")
    wrong = sorted({chr(byte) for byte in content if byte not in meaning})
    if wrong:
        expected = "".join(chr(byte) for byte in meaning)
        raise DataError(f"{where}: unknown labels {''.join(wrong)!r}; expected one of {expected}")
    return np.array([meaning[byte] for byte in content], dtype=np.uint8)


def _keep(found: Parsed, record: Record, label: Label, info: ProteinTaskInfo, kept: Kept) -> None:
    """Add a record, unless its length is out of bounds."""
    sequence = record.sequence
    found.counts["records"] += 1
    n_unknown = len(sequence.translate(None, bytes(LETTERS)))
    if n_unknown and not kept.legacy_unknown:
        check_letters(record)
    if len(sequence) < kept.min_length:
        found.counts["shorter"] += 1
        return
    if kept.drop_longer is not None and len(sequence) > kept.drop_longer:
        found.counts["longer"] += 1
        return
    ids = encode(sequence).astype(np.uint8)
    if kept.max_length is not None and len(ids) > kept.max_length:
        places = _places(len(ids), kept.max_length, both_ends=info.name == "localization")
        ids, label = ids[places], label[places] if isinstance(label, np.ndarray) else label
        found.counts["truncated"] += 1
    found.counts["unknown"] += n_unknown
    found.sequences.append(ids)
    found.labels.append(label)


def _places(length: int, most: int, both_ends: bool) -> np.ndarray:
    """Places of the residues that stay."""
    tail = most // 2 if both_ends else 0
    return np.concatenate([np.arange(most - tail), np.arange(length - tail, length)])


def _families(found: Parsed, min_members: int) -> None:
    """Names of families become indices in the order of their first proteins; rare families go."""
    members = Counter(str(label) for label in found.labels)
    kept = [name for name in members if members[name] >= min_members]
    index = {name: at for at, name in enumerate(kept)}
    stays = [str(label) in index for label in found.labels]
    found.counts["rare"] = stays.count(False)
    found.sequences = [s for s, stay in zip(found.sequences, stays, strict=True) if stay]
    found.labels = [index[str(label)] for label, stay in zip(found.labels, stays, strict=True) if stay]
    found.label_names = tuple(kept)
