"""The stage `protein_data`: its parameters and the job of a task's split. Imports no torch.

The proteins of a split are an artifact that all jobs share, whatever model reads them: ids of residues, not yet framed.
"""

from dataclasses import dataclass
from typing import Any

from orchestrator.experiment import Job, PlanError, Stage
from orchestrator.limits import Limited, Positive, require
from tasks.data.places import Source
from tasks.transfer.proteins.parsing import Kept
from tasks.transfer.proteins.sources import locate_proteins
from tasks.transfer.proteins.tasks import LOCALIZATION_KEPT, SPLITS, Split, protein_task


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
