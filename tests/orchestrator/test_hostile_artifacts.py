"""Artifacts with links, and manifests and caches that somebody else has written; one download a machine."""

import json
import os
import threading
from pathlib import Path

import pandas as pd
import pytest

from orchestrator.artifacts import DONE, ArtifactError, Artifacts
from orchestrator.names import UnsafePath, private_folder
from orchestrator.storage import Storage
from tests import toy

STAGE, JOB = "prepare", "0123456789abcdef"


def workspace(artifacts: Artifacts) -> Path:
    place = artifacts.workspace(STAGE, JOB)
    (place / "good.txt").write_text("good")
    return place


@pytest.mark.parametrize("kind", ["file", "folder", "dangling", "deep", "fifo", "manifest"])
def test_an_artifact_of_anything_but_plain_files_is_not_published(kind, tmp_path):
    artifacts = Artifacts(Storage.at(tmp_path / "artifacts"))
    place = workspace(artifacts)
    (place / "deep").mkdir()
    if kind == "fifo":
        os.mkfifo(place / "pipe")  # reading it would wait for ever
    elif kind == "manifest":
        (place / DONE).write_text("{}")
    else:
        target = {"file": "/etc/passwd", "folder": "/etc", "dangling": "/nowhere", "deep": "../../../x"}[kind]
        (place / "deep" / "link").symlink_to(target)
    with pytest.raises(ArtifactError, match=r"stage prepare left .* write plain files"):
        artifacts.publish(place, STAGE, JOB)
    assert not artifacts.is_done(STAGE, JOB)


def test_a_stage_that_leaves_a_link_fails_and_its_workspace_goes(sweep, out, monkeypatch):
    monkeypatch.setattr(toy, "prepare", lambda params, context: (context.artifact / "x").symlink_to("/etc/passwd"))
    assert sweep("--numbers", "1") == 1
    jobs = pd.read_parquet(out / "toy" / "jobs.parquet")
    assert jobs["error"].unique().tolist() == ["ArtifactError"]
    assert "a link to /etc/passwd" in jobs["message"].iloc[0]
    assert not [p for p in (out / "artifacts").rglob("*") if not p.is_dir()]


HOSTILE = [
    {"../../../../secret": {"size": 6, "sha256": ""}},
    {"/etc/passwd": {"size": 1, "sha256": ""}},
    {"a\\..\\b": {"size": 1, "sha256": ""}},
    {"x\0": {"size": 1, "sha256": ""}},
    {"": {"size": 1, "sha256": ""}},
    {"good.txt": {"size": "four"}},
    {"good.txt": 4},
    [],
    "text",
    None,
]


@pytest.mark.parametrize("manifest", HOSTILE)
def test_a_hostile_manifest_is_refused(manifest, tmp_path):
    artifacts = Artifacts(Storage.at(tmp_path / "artifacts"))
    artifacts.publish(workspace(artifacts), STAGE, JOB)
    (tmp_path / "secret").write_text("secret")
    artifacts.storage.write(f"{STAGE}/01/{JOB}/{DONE}", json.dumps(manifest).encode())
    with pytest.raises(ArtifactError, match=r"is not to be trusted|is damaged"):
        artifacts.fetch(STAGE, JOB)


def test_links_inside_a_published_artifact_are_not_followed(tmp_path):
    artifacts = Artifacts(Storage.at(tmp_path / "artifacts"))
    artifacts.publish(workspace(artifacts), STAGE, JOB)
    (tmp_path / "secret").write_text("1234")
    place = Path(artifacts.storage.root, STAGE, "01", JOB)
    (place / "good.txt").unlink()
    (place / "good.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(UnsafePath, match="remove the link"):
        artifacts.fetch(STAGE, JOB)


def test_gc_deletes_nothing_behind_a_link(sweep, out, tmp_path):
    assert sweep("--numbers", "1") == 0
    (tmp_path / "precious" / "id").mkdir(parents=True)
    (tmp_path / "precious" / "id" / DONE).write_text("{}")
    (out / "artifacts" / "toy_prepare" / "id").symlink_to(tmp_path / "precious")
    assert sweep("--numbers", "1", "--gc") == 2
    assert (tmp_path / "precious" / "id" / DONE).exists()


def test_a_cache_that_others_may_write_into_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    place = tmp_path / f"sweep-artifacts-{os.getuid()}"
    place.symlink_to("/")
    with pytest.raises(UnsafePath, match="remove it"):
        private_folder("sweep-artifacts")
    place.unlink()
    place.mkdir()
    place.chmod(0o777)
    with pytest.raises(UnsafePath, match="remove it"):
        private_folder("sweep-artifacts")
    place.rmdir()
    assert private_folder("sweep-artifacts").stat().st_mode & 0o777 == 0o700


class Slow(Storage):
    """A store elsewhere: a local one that says it is none, counts what is fetched and is slow."""

    fetched: list[str] = []  # noqa: RUF012
    is_local = False  # pyright: ignore[reportAssignmentType]

    def download(self, name, directory, files):
        for file in files:
            Slow.fetched.append(file)
            (directory / file).parent.mkdir(parents=True, exist_ok=True)
            threading.Event().wait(0.2)
            (directory / file).write_bytes(Path(self.root, name, file).read_bytes())

    def _open(self):
        return Storage(self.root)._open()


def test_one_machine_downloads_an_artifact_once(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    local = Artifacts(Storage.at(tmp_path / "artifacts"))
    local.publish(workspace(local), STAGE, JOB)
    remote, places = Artifacts(Slow(local.storage.root)), []
    Slow.fetched.clear()
    threads = [threading.Thread(target=lambda: places.append(remote.fetch(STAGE, JOB))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Slow.fetched == ["good.txt"]
    assert len(places) == 6
    assert len(set(places)) == 1
    assert (places[0] / "good.txt").read_text() == "good"


def test_what_was_downloaded_is_what_was_published(tmp_path, monkeypatch):
    """Another store's file of the same name and size is never taken for this one's."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    local = Artifacts(Storage.at(tmp_path / "artifacts"))
    local.publish(workspace(local), STAGE, JOB)
    Path(local.storage.root, STAGE, "01", JOB, "good.txt").write_text("evil")
    with pytest.raises(ArtifactError, match="not what was published"):
        Artifacts(Slow(local.storage.root)).fetch(STAGE, JOB)
    assert not list(tmp_path.rglob("sweep-artifacts-*/**/good.txt"))
