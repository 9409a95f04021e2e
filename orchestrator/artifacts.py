"""Artifacts: big outputs of jobs (tokenised data, checkpoints), under `<out>/artifacts/<stage>/<id[:2]>/<id>/`.

An artifact is complete when its `_DONE.json` is there: it is written last and holds the sizes and SHA-256 of the files.
Artifacts are shared by all experiments of one `--out`, since a job's id says everything about them. Jobs open the files
in place (memory-mapped, so that the jobs of one machine share its page cache); those in an object store are downloaded
once a machine, to a folder named by the manifest, so that one store's files are never taken for another's.
"""

import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.names import UnsafePath, inside, private_folder, relative
from orchestrator.storage import Storage

DONE = "_DONE.json"


class ArtifactError(OSError):
    """An artifact is missing or damaged; the message names the file."""


@dataclass(frozen=True)
class Artifacts:
    storage: Storage

    def _name(self, stage: str, job_id: str) -> str:
        return relative(f"{stage}/{job_id[:2]}/{job_id}")

    def is_done(self, stage: str, job_id: str) -> bool:
        return self.storage.exists(f"{self._name(stage, job_id)}/{DONE}")

    def workspace(self, stage: str, job_id: str) -> Path:
        """An empty directory here for a job to write into, on the artifacts' own disk where that is local."""
        parent = None
        if self.storage.is_local:
            parent = Path(self.storage.root, relative(stage))
            inside(self.storage.root, parent)
            parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f"_tmp-{job_id}-", dir=parent))

    def publish(self, workspace: Path, stage: str, job_id: str) -> None:
        """Move the workspace to its place, `_DONE.json` last. What another run has published of the job stays.

        On a local disk one rename publishes everything; in an object store the manifest goes up after the files.

        Raises:
            ArtifactError: when the stage has left anything but plain files: a link would publish what it leads to.
        """
        name = self._name(stage, job_id)
        manifest = {
            file: {"size": (workspace / file).stat().st_size, "sha256": _sha256(workspace / file)}
            for file in _plain_files(workspace, stage)
        }
        text = json.dumps(manifest, indent=1).encode()
        if self.is_done(stage, job_id):
            shutil.rmtree(workspace, ignore_errors=True)
            return
        if self.storage.is_local:
            target = Path(self.storage.root, name)
            inside(self.storage.root, target)
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
            self.storage.upload(workspace, name, manifest)
            self.storage.write(f"{name}/{DONE}", text)
            shutil.rmtree(workspace, ignore_errors=True)

    def fetch(self, stage: str, job_id: str, hashes: bool = False) -> Path:
        """A directory on this machine with the artifact; from an object store it is downloaded once a machine.

        Args:
            hashes: whether to read all files and compare their hashes too.

        Raises:
            ArtifactError: when it is not there, or a file has not the size it was published with, or not the hash.
        """
        name = self._name(stage, job_id)
        where = f"{self.storage.root}/{name}"
        try:
            text = self.storage.read(f"{name}/{DONE}")
        except FileNotFoundError:
            raise ArtifactError(f"artifact {where} is missing: run the sweep again to remake it") from None
        manifest = _manifest(text, where)
        place = Path(where) if self.storage.is_local else self._downloaded(name, text, manifest)
        for file, facts in manifest.items():
            path = place / file
            inside(place, path)
            if not path.is_file() or path.stat().st_size != facts["size"]:
                raise ArtifactError(
                    f"artifact file {path} is missing or not {facts['size']} bytes long: "
                    f"delete {place} and run the sweep again to remake it"
                )
            if hashes and _sha256(path) != facts["sha256"]:
                raise ArtifactError(
                    f"artifact file {path} is not what was published, its SHA-256 differs: "
                    f"delete {place} and run the sweep again to remake it"
                )
        return place

    def _downloaded(self, name: str, text: bytes, manifest: Mapping[str, Mapping[str, Any]]) -> Path:
        """This machine's copy; the first process that wants it downloads it, the others wait for that one."""
        place = private_folder("sweep-artifacts") / name / hashlib.sha256(text).hexdigest()[:16]
        if (place / DONE).exists():
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.with_name(f"{place.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # a process that dies lets go of it
            if (place / DONE).exists():
                return place
            partial = place.with_name(f"_tmp-{place.name}")
            shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
            try:
                partial.mkdir()
                self.storage.download(name, partial, manifest)
                for file, facts in manifest.items():
                    if _sha256(partial / file) != facts["sha256"]:
                        raise ArtifactError(
                            f"artifact file {self.storage.root}/{name}/{file} is not what was published: "
                            f"delete {self.storage.root}/{name} and run the sweep again to remake it"
                        )
                (partial / DONE).write_bytes(text)
                os.replace(partial, place)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
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


def _manifest(text: bytes, where: str) -> dict[str, dict[str, Any]]:
    """The files of `_DONE.json` with their sizes and hashes. It may have been written by anybody: names are checked."""
    try:
        manifest = {
            relative(file): {"size": int(f["size"]), "sha256": str(f["sha256"])} for file, f in json.loads(text).items()
        }
    except UnsafePath as problem:
        raise ArtifactError(f"artifact {where} is not to be trusted: its {DONE} names {problem}") from problem
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise ArtifactError(
            f"{where}/{DONE} is damaged: delete {where} and run the sweep again to remake it"
        ) from problem
    return manifest


def _plain_files(workspace: Path, stage: str) -> list[str]:
    """Names of the files in a workspace, sorted, as paths from it."""
    found = []
    for folder, folders, files in os.walk(workspace):
        for path in (Path(folder, entry) for entry in (*folders, *files)):
            file, kind = path.relative_to(workspace).as_posix(), path.lstat().st_mode
            if stat.S_ISREG(kind) and file != DONE:
                found.append(relative(file))
            elif not stat.S_ISDIR(kind):
                what = f"is a link to {os.readlink(path)}" if stat.S_ISLNK(kind) else "is no plain file"
                what = "is the orchestrator's own name" if file == DONE else what
                raise ArtifactError(
                    f"stage {stage} left {file!r} in its artifact, which {what}: write plain files there"
                )
    return sorted(found)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
