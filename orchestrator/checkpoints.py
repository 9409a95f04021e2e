"""Checkpoints: what a long job has saved on its way, under `<out>/checkpoints/<stage>/<id[:2]>/<id>-<step>/`.

A job that is tried again goes on from them: after an exception, a killed worker or a killed driver, and with any number
of workers. Each is published like an artifact, whole or not at all, with the sizes and hashes of its files. Two are
kept, so that one is left where the newest is damaged; they go when the rows of the job are in the store.

    checkpoints = Checkpoints(Storage.at("somewhere"), "pretrain", "0123456789abcdef")
"""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from orchestrator.artifacts import ArtifactError, Artifacts
from orchestrator.names import inside, relative
from orchestrator.storage import Storage

log = logging.getLogger(__name__)

KEPT = 2  # the newest, and the one before it, should the newest be damaged


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one job; see `experiment.Checkpoints`."""

    storage: Storage
    """The root of all checkpoints: `<out>/checkpoints`."""
    stage: str
    job_id: str

    @property
    def _artifacts(self) -> Artifacts:
        return Artifacts(self.storage)

    @property
    def _folder(self) -> str:
        """Where those of this job and its neighbours lie; `Artifacts` puts what is named `<id>-<step>` there."""
        return relative(f"{self.stage}/{self.job_id[:2]}")

    def _name(self, step: int) -> str:
        return f"{self.job_id}-{step}"

    def _steps(self) -> list[int]:
        """The steps of which anything is there, whole or not, newest first."""
        start = f"{self.job_id}-"
        ends = (name.removeprefix(start) for name in self.storage.folders(self._folder) if name.startswith(start))
        return sorted((int(end) for end in ends if end.isascii() and end.isdigit()), reverse=True)

    def save(self, step: int, directory: Path) -> None:
        """Move the files of a directory here, as the state after `step` steps; all but the one before it go.

        What is there of later steps goes too: the job has passed it over, or it would not be at this step.

        Raises:
            ValueError: for a negative step.
            ArtifactError: when the directory has anything but plain files in it.
        """
        if step < 0:
            raise ValueError(f"the checkpoint of step {step} of job {self.job_id}: steps are counted from 0")
        artifacts, name = self._artifacts, self._name(step)
        workspace = artifacts.workspace(self.stage, name)
        try:
            for entry in list(directory.iterdir()):
                shutil.move(entry, workspace / entry.name)
            if step in self._steps():  # half of it is there, or a damaged one: `publish` would leave it as it is
                artifacts.delete(self.stage, name)
            artifacts.publish(workspace, self.stage, name)
        finally:
            shutil.rmtree(workspace, ignore_errors=True)
        whole = [other for other in self._steps() if other < step and artifacts.is_done(self.stage, self._name(other))]
        kept = {step, *whole[: KEPT - 1]}
        for other in self._steps():
            if other not in kept:
                artifacts.delete(self.stage, self._name(other))

    def latest(self) -> tuple[int, Path] | None:
        """(step, directory) of the newest checkpoint whose files are all as they were saved; None: there is none.

        What is half-written or damaged is passed over for the one before, with a warning that names the file. The
        directory is for reading; one from an object store is downloaded to this machine.
        """
        for step in self._steps():
            try:
                return step, self._artifacts.fetch(self.stage, self._name(step), hashes=True)
            except (ArtifactError, FileNotFoundError) as problem:
                log.warning("the checkpoint of step %d of job %s is passed over: %s", step, self.job_id, problem)
        return None

    def clear(self) -> None:
        """Delete all checkpoints of this job, and what killed workers have left half-saved."""
        for step in self._steps():
            self._artifacts.delete(self.stage, self._name(step))
        if self.storage.is_local:
            folder = Path(self.storage.root, relative(self.stage))
            if folder.is_dir():
                inside(self.storage.root, folder)
                for left in folder.glob(f"_tmp-{self.job_id}-*"):
                    shutil.rmtree(left, ignore_errors=True)


def unneeded(storage: Storage, keep: set[str]) -> list[Checkpoints]:
    """The checkpoints of jobs that are not to be kept.

    Args:
        storage: the root of all checkpoints.
        keep: ids of jobs.
    """
    found = {(stage, name.partition("-")[0]) for stage, name in Artifacts(storage).all()}
    return [Checkpoints(storage, stage, job_id) for stage, job_id in sorted(found) if job_id not in keep]
