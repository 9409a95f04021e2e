"""Where proteins come from, and what they are: builtin families, or files. Used while planning: imports no torch.

`builtin` needs nothing; the other tasks are read from `--data-dir`: `<data dir>/<task>/<Task>_{train,dev,test}.fa`, or
`{train,dev,test}.tsv`, `.json` and `.3line` where the task has such files, in either case. None of them is public on
the hub in this form, so nothing is fetched.
"""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tasks.data.errors import DataError
from tasks.transfer.proteins import builtin
from tasks.transfer.proteins.parsing import Parsed, ParsingOptions, count_records, parse
from tasks.transfer.proteins.tasks import SPLITS, ProteinTaskInfo, protein_task

STEMS = {"train": ("train",), "dev": ("dev", "valid"), "test": ("test",)}  # TAPE calls its dev part valid


@dataclass(frozen=True, kw_only=True)
class ProteinSource:
    """One task's proteins."""

    task: str
    kind: Literal["builtin", "files"]
    fingerprint: str
    """Part of a job's identity: hash of the proteins (builtin) or of the files of all splits."""
    sizes: Mapping[str, int]
    """Records of each split that is there."""
    path: str | None = None
    """The data directory, absolute, for `files`."""


def locate_proteins(task: str, data_dir: str | None) -> ProteinSource:
    """Find a task's proteins, take their fingerprint and count them.

    Files are read once, and again only when one has changed.

    Raises:
        ValueError: for an unknown task.
        DataError: no data directory, no folder of the task in it, no file of any split, or two of one.
    """
    info = protein_task(task)
    if task == "builtin":
        return ProteinSource(task=task, kind="builtin", fingerprint=builtin.fingerprint(), sizes=builtin.SIZES)
    if data_dir is None:
        raise DataError(
            f"{task} needs --data-dir with {task}/{_examples(info)} in it; no hub data set has it in a published form "
            "(the task builtin needs no files)"
        )
    root = Path(data_dir).expanduser().absolute()
    stats = [(split, path, path.stat()) for split, path in split_files(task, root).items()]
    return _files_source(
        task, root, tuple((split, path, stat.st_size, stat.st_mtime_ns) for split, path, stat in stats)
    )


def split_files(task: str, root: Path) -> dict[str, Path]:
    """The file of each split that is there.

    Raises:
        DataError: no folder of the task, no file of any split, or two of one.
    """
    info = protein_task(task)
    if not root.is_dir():
        raise DataError(f"{root}: no such directory; give --data-dir a directory with the folder {task} in it")
    folders = [place for place in sorted(root.iterdir()) if place.is_dir() and place.name.lower() == task]
    if not folders:
        there = ", ".join(sorted(place.name for place in root.iterdir() if place.is_dir())) or "none"
        raise DataError(
            f"{root / task}: no such folder; folders that are there: {there}; give --data-dir a directory with {task} "
            "in it"
        )
    folder, found = folders[0], {}
    for split in SPLITS:
        stems = {name for stem in STEMS[split] for name in (stem, f"{task}_{stem}")}
        files = sorted(p for p in folder.iterdir() if p.stem.lower() in stems and p.suffix.lower() in info.extensions)
        if len(files) > 1:
            raise DataError(f"{folder}: {' and '.join(p.name for p in files)} are both {split} of {task}; keep one")
        if files:
            found[split] = files[0]
    if not found:
        names = ", ".join(sorted(p.name for p in folder.iterdir())) or "nothing"
        raise DataError(f"{folder}: no proteins, it has {names}; give it {_examples(info)}")
    return found


def fingerprint(task: str, kind: str, path: str | None) -> str:
    """The fingerprint of the proteins on this machine, to be compared with the planned one.

    Raises:
        ValueError: when files have no path.
        DataError: when files are missing.
    """
    if kind == "builtin":
        return builtin.fingerprint()
    return _hash(split_files(task, Path(_given(path))))


def read_proteins(task: str, kind: str, split: str, path: str | None, options: ParsingOptions) -> Parsed:
    """One split from the place that `locate_proteins` found.

    Raises:
        ValueError: an unknown split, or when files have no path.
        DataError: for bad or missing data.
    """
    if kind == "builtin":
        return _builtin(split, options)
    files = split_files(task, Path(_given(path)))
    if split not in files:
        raise DataError(f"{path}: {task} has no split {split}; files are there for {', '.join(files)}")
    return parse(files[split], task, options)


def _builtin(split: str, options: ParsingOptions) -> Parsed:
    sequences, labels = builtin.arrays(split)
    found = Parsed()
    found.counts["records"] = len(sequences)
    for ids, label in zip(sequences, labels, strict=True):
        if len(ids) < options.min_length:
            found.counts["shorter"] += 1
            continue
        if options.max_length is not None and len(ids) > options.max_length:
            found.counts["longer"] += 1
            continue
        found.counts["truncated"] += options.truncate is not None and len(ids) > options.truncate
        found.sequences.append(ids[: options.truncate])
        found.labels.append(label)
    if not found.sequences:
        raise DataError(f"builtin proteins have {builtin.SHORTEST} to {builtin.LONGEST} residues; give other lengths")
    return found


def _examples(info: ProteinTaskInfo) -> str:
    first = info.extensions[0]
    stem = "{train,dev,test}" if first != ".fa" else f"{info.name.capitalize()}_{{train,dev,test}}"
    others = "".join(f", or {{train,dev,test}}{extension}" for extension in info.extensions[1:])
    return f"{stem}{first}{others}"


def _given(path: str | None) -> str:
    if path is None:
        raise ValueError("proteins of kind 'files' need a path")
    return path


def _hash(files: Mapping[str, Path]) -> str:
    """First 16 hex digits of SHA-256 over splits, extensions and bytes of the files; their names are no part."""
    digest = hashlib.sha256()
    for split, path in files.items():
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{split}{path.suffix.lower()}:{content}\n".encode())
    return digest.hexdigest()[:16]


State = tuple[tuple[str, Path, int, int], ...]


@functools.cache
def _files_source(task: str, root: Path, state: State) -> ProteinSource:
    """`state`: splits, files, their sizes and times; when none changes, the bytes are taken to be the same."""
    files = {split: path for split, path, _, _ in state}
    sizes = {split: count_records(path, task) for split, path in files.items()}
    return ProteinSource(task=task, kind="files", fingerprint=_hash(files), sizes=sizes, path=str(root))
