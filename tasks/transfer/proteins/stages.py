"""The stage `protein_data`: its parameters, its job, and where proteins come from. Imports no torch.

The proteins of a split are an artifact that all jobs share, whatever model reads them: ids of residues, not yet framed.

`builtin` needs nothing; the other tasks are read from `--data-dir`: `<data dir>/<task>/<Task>_{train,dev,test}.fa`, or
`{train,dev,test}.tsv`, `.json` and `.3line` where the task has such files, in either case. None of them is public on
the hub in this form, so nothing is fetched.
"""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.experiment import Job, PlanError, Stage
from orchestrator.limits import Limited, Positive, require
from tasks.data.errors import DataError
from tasks.data.places import Place, Source, State, file_states
from tasks.transfer.proteins import builtin
from tasks.transfer.proteins.parsing import Kept, Parsed, count_records, parse
from tasks.transfer.proteins.tasks import LOCALIZATION_KEPT, SPLITS, ProteinTaskInfo, Split, protein_task

STEMS = {"train": ("train",), "dev": ("dev", "valid"), "test": ("test",)}  # TAPE calls its dev part valid


@dataclass(frozen=True, kw_only=True)
class _Part(Limited):
    task: str
    split: Split = "test"
    limit: Positive | None = None
    """Maximum number of proteins, a fixed random part: a smaller limit's are among a larger one's."""


@dataclass(frozen=True, kw_only=True)
class ProteinDataParams(Kept, _Part):
    """Everything that shapes the bytes of a split, beside the data's fingerprint."""

    def __post_init__(self):
        super().__post_init__()
        protein_task(self.task)
        require(self.split in SPLITS, "split", self.split, f"one of {', '.join(SPLITS)}")


PROTEIN_DATA = Stage(
    name="protein_data",
    function="tasks.transfer.proteins.artifact:protein_data",
    params=ProteinDataParams,
    artifact=True,
)


def proteins_job(task: str, data_dir: str | None, *, max_length: int | None = None, **fields: Any) -> Job:
    """The job that reads a split. Where its files lie is no part of its identity; what is in them is.

    Args:
        task: a key of `PROTEIN_TASKS`.
        data_dir: the directory with the tasks' folders.
        max_length: residues kept of a longer protein; None: all, of localization the published 1000.
        fields: further fields of `ProteinDataParams`.

    Raises:
        ValueError: for an unknown task or split, or a bad number.
        DataError: when the data are missing.
        PlanError: when the task's data have no such split.
    """
    if max_length is None and task == "localization":
        max_length = LOCALIZATION_KEPT
    params = ProteinDataParams(task=task, max_length=max_length, **fields)
    source = locate_proteins(task, data_dir)
    planned_proteins(source, params.split, params.limit)
    name = "builtin_proteins" if task == "builtin" else task  # what the data are called in the column `data`
    return Job(stage=PROTEIN_DATA, params=params, fingerprints={name: source.fingerprint}, paths=source.places)


def planned_proteins(source: Source, split: str, limit: int | None) -> int:
    """Proteins of a split after the limit, for the cost of a plan; those that a length will drop are counted too.

    Raises:
        PlanError: the source has no such split.
    """
    if split not in source.sizes:
        raise PlanError(
            f"{source.task} has no split {split} in {source.path or source.kind}; choose {', '.join(source.sizes)}"
        )
    size = source.sizes[split]
    return size if limit is None else min(size, limit)


def locate_proteins(task: str, data_dir: str | None) -> Source:
    """Find a task's proteins, take their fingerprint and count them.

    Files are read once, and again only when one has changed.

    Raises:
        ValueError: for an unknown task.
        DataError: no data directory, no folder of the task in it, no file of any split, or two of one.
    """
    info = protein_task(task)
    if task == "builtin":
        return Source(task=task, kind="builtin", fingerprint=builtin.fingerprint(), sizes=builtin.SIZES)
    if data_dir is None:
        raise DataError(
            f"{task} needs --data-dir with {task}/{_examples(info)} in it; no hub data set has it in a published form "
            "(the task builtin needs no files)"
        )
    root = Path(data_dir).expanduser().absolute()
    return _files_source(task, root, file_states(split_files(task, root).values()))


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


def fingerprint(task: str, place: Place) -> str:
    """The fingerprint of the proteins on this machine, to be compared with the planned one.

    Raises:
        DataError: when files are missing.
    """
    return place.pick(builtin.fingerprint, lambda root: _hash(split_files(task, root)))


def read_proteins(task: str, split: str, place: Place, kept: Kept) -> Parsed:
    """One split from the place that `locate_proteins` found.

    Raises:
        ValueError: an unknown split.
        DataError: for bad or missing data.
    """

    def of_files(root: Path) -> Parsed:
        files = split_files(task, root)
        if split not in files:
            raise DataError(f"{root}: {task} has no split {split}; files are there for {', '.join(files)}")
        return parse(files[split], task, kept)

    return place.pick(lambda: _builtin(split, kept), of_files)


def _builtin(split: str, kept: Kept) -> Parsed:
    sequences, labels = builtin.arrays(split)
    found = Parsed()
    found.counts["records"] = len(sequences)
    for ids, label in zip(sequences, labels, strict=True):
        if len(ids) < kept.min_length:
            found.counts["shorter"] += 1
            continue
        if kept.drop_longer is not None and len(ids) > kept.drop_longer:
            found.counts["longer"] += 1
            continue
        found.counts["truncated"] += kept.max_length is not None and len(ids) > kept.max_length
        found.sequences.append(ids[: kept.max_length])
        found.labels.append(label)
    if not found.sequences:
        raise DataError(f"builtin proteins have {builtin.SHORTEST} to {builtin.LONGEST} residues; give other lengths")
    return found


def _examples(info: ProteinTaskInfo) -> str:
    first = info.extensions[0]
    stem = "{train,dev,test}" if first != ".fa" else f"{info.name.capitalize()}_{{train,dev,test}}"
    others = "".join(f", or {{train,dev,test}}{extension}" for extension in info.extensions[1:])
    return f"{stem}{first}{others}"


def _hash(files: Mapping[str, Path]) -> str:
    """First 16 hex digits of SHA-256 over splits, extensions and bytes of the files; their names are no part."""
    digest = hashlib.sha256()
    for split, path in files.items():
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{split}{path.suffix.lower()}:{content}\n".encode())
    return digest.hexdigest()[:16]


@functools.cache
def _files_source(task: str, root: Path, state: State) -> Source:
    files = split_files(task, root)
    sizes = {split: count_records(path, task) for split, path in files.items()}
    return Source(task=task, kind="files", fingerprint=_hash(files), sizes=sizes, path=str(root))
