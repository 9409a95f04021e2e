"""Artifacts: big outputs of jobs (tokenised data, checkpoints), under `<out>/artifacts/<stage>/<id[:2]>/<id>/`.

An artifact is complete when its `_DONE.json` is there: it is written last and holds the sizes and SHA-256 of the files.
Artifacts are shared by all experiments of one `--out`, since a job's id says everything about them.
"""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from orchestrator.storage import Storage

DONE = "_DONE.json"


class ArtifactError(OSError):
    """An artifact is missing or damaged; the message names the file."""


@dataclass(frozen=True)
class Artifacts:
    storage: Storage

    def _name(self, stage: str, job_id: str) -> str:
        return f"{stage}/{job_id[:2]}/{job_id}"

    def is_done(self, stage: str, job_id: str) -> bool:
        return self.storage.exists(f"{self._name(stage, job_id)}/{DONE}")

    def workspace(self, stage: str, job_id: str) -> Path:
        """An empty directory here for a job to write into, on the artifacts' own disk where that is local."""
        parent = None
        if self.storage.is_local:
            parent = Path(self.storage.root, stage)
            parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f"_tmp-{job_id}-", dir=parent))

    def publish(self, workspace: Path, stage: str, job_id: str) -> None:
        """Move the workspace to its place, `_DONE.json` last. What another run has published of the job stays.

        On a local disk one rename publishes everything; in an object store the manifest goes up after the files.
        """
        name = self._name(stage, job_id)
        manifest = {
            str(path.relative_to(workspace)): {"size": path.stat().st_size, "sha256": _sha256(path)}
            for path in sorted(workspace.rglob("*"))
            if path.is_file()
        }
        text = json.dumps(manifest, indent=1).encode()
        if self.is_done(stage, job_id):
            shutil.rmtree(workspace, ignore_errors=True)
            return
        if self.storage.is_local:
            target = Path(self.storage.root, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():  # a deletion that was broken off has left it without its manifest
                shutil.rmtree(target)
            Storage(str(workspace)).write(DONE, text)
            try:
                os.replace(workspace, target)
            except OSError:
                if not self.is_done(stage, job_id):  # else another run was first
                    raise
                shutil.rmtree(workspace, ignore_errors=True)
        else:
            self.storage.upload(workspace, name)
            self.storage.write(f"{name}/{DONE}", text)
            shutil.rmtree(workspace, ignore_errors=True)

    def fetch(self, stage: str, job_id: str) -> Path:
        """A directory on this machine with the artifact; from an object store it is downloaded once a machine.

        Raises:
            ArtifactError: when it is not there, or a file has not the size it was published with.
        """
        name = self._name(stage, job_id)
        if not self.is_done(stage, job_id):
            raise ArtifactError(f"artifact {self.storage.root}/{name} is missing: run the sweep again to remake it")
        manifest = json.loads(self.storage.read(f"{name}/{DONE}"))
        if self.storage.is_local:
            place = Path(self.storage.root, name)
        else:
            place = Path(tempfile.gettempdir(), f"sweep-artifacts-{os.getuid()}", name)
            if not (place / DONE).exists():
                partial = place.with_name(f"_tmp-{os.getpid()}-{job_id}")
                self.storage.download(name, partial)
                if place.exists():
                    shutil.rmtree(partial)
                else:
                    os.replace(partial, place)
        for file, facts in manifest.items():
            path = place / file
            if not path.exists() or path.stat().st_size != facts["size"]:
                raise ArtifactError(
                    f"artifact file {path} is missing or not {facts['size']} bytes long: "
                    f"delete {place} and run the sweep again to remake it"
                )
        return place

    def all(self) -> list[tuple[str, str]]:
        """(stage, job id) of every artifact, finished or not."""
        found = []
        for stage in self.storage.folders():
            for prefix in self.storage.folders(stage):
                if prefix.startswith("_tmp-"):
                    continue
                found += [(stage, job_id) for job_id in self.storage.folders(f"{stage}/{prefix}")]
        return found

    def delete(self, stage: str, job_id: str) -> None:
        """Remove an artifact; `_DONE.json` goes first, so that nobody takes the rest for whole."""
        name = self._name(stage, job_id)
        self.storage.delete(f"{name}/{DONE}")
        self.storage.delete_folder(name)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
