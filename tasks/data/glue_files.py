"""GLUE from the official TSV files: `<data dir>/<task>/{train,dev,dev_matched,dev_mismatched}.tsv`.

A line is a row and a tab is a border: there is no quoting (`csv.QUOTE_NONE`), and lines end at the byte 0x0A alone,
since carriage returns and U+2028 stand inside real sentences. Columns are found by their names in the header, so a file
of another layout is refused instead of read wrongly.
"""

import codecs
import logging
import math
from dataclasses import dataclass
from pathlib import Path

from tasks.data.errors import DataError, decoded
from tasks.data.examples import Examples, TaskInfo, glue_info, task_info
from tasks.data.places import files_hash

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where a task's texts and labels stand in its files."""

    texts: tuple[str, ...]
    label: str
    labels: tuple[str, ...] = ("0", "1")
    """The labels as written in the file, in the order of the label indices."""
    columns: tuple[str, ...] | None = None
    """Names of the columns of a file that has no header."""


LAYOUTS: dict[str, Layout] = {
    "CoLA": Layout(texts=("sentence",), label="label", columns=("source", "label", "mark", "sentence")),
    "SST-2": Layout(texts=("sentence",), label="label"),
    "MRPC": Layout(texts=("#1 String", "#2 String"), label="Quality"),
    "STS-B": Layout(texts=("sentence1", "sentence2"), label="score"),
    "QQP": Layout(texts=("question1", "question2"), label="is_duplicate"),
    "MNLI": Layout(  # 12 columns in train.tsv, 16 in dev_*.tsv (five annotators' labels); both end in gold_label
        texts=("sentence1", "sentence2"), label="gold_label", labels=("contradiction", "entailment", "neutral")
    ),
    "QNLI": Layout(texts=("question", "sentence"), label="label", labels=("entailment", "not_entailment")),
    "RTE": Layout(texts=("sentence1", "sentence2"), label="label", labels=("entailment", "not_entailment")),
    "WNLI": Layout(texts=("sentence1", "sentence2"), label="label"),
}

MAX_SCORE = 5.0  # STS-B


def split_file(task: str, split: str, data_dir: Path) -> Path:
    """The file of a split, which need not be there.

    Raises:
        ValueError: for a task that is no GLUE task or a split that the task does not have.
    """
    glue_info(task, split)
    return Path(data_dir) / task / f"{split}.tsv"


def read_split(task: str, split: str, data_dir: Path) -> Examples:
    """Read one split.

    Short lines of QQP's train.tsv, of which the official file has a few (line breaks inside questions), are skipped and
    their number is logged as a warning, as the published code skips them. Anywhere else a short line is an error.

    Raises:
        DataError: missing file or folder, bytes that are not UTF-8, a header without a needed column, an unknown label,
            a score that is no number in 0..5, a wrong number of fields, a file without rows.
    """
    path, info, layout = split_file(task, split, data_dir), task_info(task), LAYOUTS[task]
    header, rows = _rows(path, layout)
    at_texts = [header.index(name) for name in layout.texts]
    at_label = header.index(layout.label)
    first_line = 1 if layout.columns else 2
    texts: list[list[str]] = [[] for _ in at_texts]
    labels: list = []
    skipped = 0
    for line, row in enumerate(rows, start=first_line):
        fields = row.removesuffix("\r").split("\t")
        if len(fields) != len(header):
            if len(fields) < len(header) and _may_be_short(task, split):
                skipped += 1
                continue
            raise DataError(
                f"{path}:{line}: {len(fields)} fields between tabs, expected {len(header)} "
                f"({', '.join(header)}); mend or remove the line"
            )
        labels.append(_label(fields[at_label], info, layout, f"{path}:{line}"))
        for column, at in zip(texts, at_texts, strict=True):
            column.append(fields[at])
    if skipped:
        log.warning("%s: skipped %d lines with fewer than %d fields", path, skipped, len(header))
    if not labels:
        raise DataError(f"{path}:{first_line}: no rows; expected at least one example, get the file again")
    return Examples(first=texts[0], second=texts[1] if info.is_pair else None, labels=labels)


def count(task: str, data_dir: Path) -> dict[str, int]:
    """Number of examples of each split, without reading texts or labels.

    Raises:
        DataError: as `read_split`, as far as files, encoding and headers go.
    """
    sizes = {}
    for split in task_info(task).splits:
        header, rows = _rows(split_file(task, split, data_dir), LAYOUTS[task])
        if _may_be_short(task, split):
            sizes[split] = sum(row.count("\t") + 1 >= len(header) for row in rows)
        else:
            sizes[split] = len(rows)
    return sizes


def fingerprint(task: str, data_dir: Path) -> str:
    """First 16 hex digits of SHA-256 over the names, sizes and bytes of the files of the task's splits.

    Raises:
        DataError: when a file is missing.
    """
    paths = [_there(split_file(task, split, data_dir)) for split in task_info(task).splits]
    return files_hash((path.name, path) for path in paths)


def _may_be_short(task: str, split: str) -> bool:
    return task == "QQP" and split == "train"


def _there(path: Path) -> Path:
    if not path.parent.is_dir():
        raise DataError(f"{path.parent}: no such folder; expected the official GLUE layout with {path.name} in it")
    if not path.is_file():
        found = ", ".join(sorted(p.name for p in path.parent.iterdir())) or "nothing"
        raise DataError(f"{path}: no such file; the folder has {found}; get the official GLUE file")
    return path


def _rows(path: Path, layout: Layout) -> tuple[list[str], list[str]]:
    """Names of the columns, and the lines below the header without their ends."""
    content = _there(path).read_bytes().removeprefix(codecs.BOM_UTF8)  # some copies of MRPC begin with this mark
    rows = decoded(content, path).split("\n")
    while rows and rows[-1] in ("", "\r"):
        rows.pop()
    if not rows:
        raise DataError(f"{path}:1: the file is empty; get it again")
    if layout.columns:
        return list(layout.columns), rows
    header = rows[0].removesuffix("\r").split("\t")
    missing = [name for name in (*layout.texts, layout.label) if name not in header]
    if missing:
        raise DataError(
            f"{path}:1: the header has no column {' and no '.join(map(repr, missing))}, found {', '.join(header)}; "
            "get the file in the official GLUE layout"
        )
    if len(rows) == 1:
        raise DataError(f"{path}:2: no rows below the header; expected at least one example, get the file again")
    return header, rows[1:]


def _label(text: str, info: TaskInfo, layout: Layout, where: str) -> int | float:
    if info.is_regression:
        try:
            score = float(text)
        except ValueError:
            score = math.nan
        if not 0.0 <= score <= MAX_SCORE:  # false for NaN as well
            raise DataError(
                f"{where}: {layout.label} {text!r}, expected a number from 0 to {MAX_SCORE:g}; mend the line"
            )
        return score
    if text not in layout.labels:
        raise DataError(f"{where}: {layout.label} {text!r}, expected one of {', '.join(layout.labels)}; mend the line")
    return layout.labels.index(text)
