"""The stage `protein_data` as the plan sees it: its parameters and the job of a task's split. Imports no torch.

The proteins of a split are an artifact that all jobs share, whatever model reads them: ids of residues, not yet framed.
"""

from dataclasses import dataclass

from orchestrator.experiment import Job, PlanError, Stage
from tasks.transfer.proteins.parsing import ParsingOptions
from tasks.transfer.proteins.sources import ProteinSource, locate_proteins
from tasks.transfer.proteins.tasks import LOCALIZATION_KEPT, SPLITS, Split, protein_task


@dataclass(frozen=True, kw_only=True)
class ProteinDataParams:
    """Everything that shapes the bytes of a split, beside the data's fingerprint."""

    task: str
    split: Split = "test"
    limit: int | None = None
    """At most this many proteins, a fixed random part: a smaller limit's are among a larger one's."""
    min_length: int = 1
    """Residues; shorter proteins are dropped."""
    drop_longer: int | None = None
    """Residues; longer proteins are dropped."""
    max_length: int | None = None
    """Residues kept of a longer protein: the head; of localization the first and the last half."""
    min_members: int = 1
    """pfam: families with fewer proteins in the file are dropped."""
    legacy_unknown: bool = False
    """Read bytes that are no residues as X, as published code does; else they are an error."""

    def __post_init__(self):
        protein_task(self.task)
        if self.split not in SPLITS:
            raise ValueError(f"split is {self.split!r}; choose one of {', '.join(SPLITS)}")
        for name in ("limit", "min_length", "drop_longer", "max_length", "min_members"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; give 1 or more")
        if self.drop_longer is not None and self.drop_longer < self.min_length:
            raise ValueError(f"drop_longer is {self.drop_longer}, below min_length {self.min_length}: nothing is left")

    @property
    def parsing(self) -> ParsingOptions:
        """What the reader keeps."""
        return ParsingOptions(
            min_length=self.min_length,
            max_length=self.drop_longer,
            truncate=self.max_length,
            legacy_unknown=self.legacy_unknown,
            min_members=self.min_members,
        )


PROTEIN_DATA = Stage(
    name="protein_data",
    function="tasks.transfer.proteins.stages:protein_data",
    params=ProteinDataParams,
    artifact=True,
)


def proteins_job(
    task: str,
    data_dir: str | None,
    *,
    split: Split = "test",
    limit: int | None = None,
    min_length: int = 1,
    drop_longer: int | None = None,
    max_length: int | None = None,
    min_members: int = 1,
    legacy_unknown: bool = False,
) -> Job:
    """The job that reads a split. Where its files lie is no part of its identity; what is in them is.

    For localization a `max_length` of None is the published one, 1000.

    Raises:
        ValueError: for an unknown task or split, or a bad number.
        DataError: when the data are missing.
        PlanError: when the task's data have no such split.
    """
    if max_length is None and task == "localization":
        max_length = LOCALIZATION_KEPT
    params = ProteinDataParams(
        task=task,
        split=split,
        limit=limit,
        min_length=min_length,
        drop_longer=drop_longer,
        max_length=max_length,
        min_members=min_members,
        legacy_unknown=legacy_unknown,
    )
    source = locate_proteins(task, data_dir)
    planned_proteins(source, split, limit)
    optional = {} if source.path is None else {"data": source.path}
    paths = {"kind": source.kind, "fingerprint": source.fingerprint, **optional}
    return Job(stage=PROTEIN_DATA, params=params, fingerprints={_name(task): source.fingerprint}, paths=paths)


def planned_proteins(source: ProteinSource, split: str, limit: int | None) -> int:
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


def _name(task: str) -> str:
    """What the data are called in the column `data`."""
    return "builtin_proteins" if task == "builtin" else task
