import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestrator.artifacts import ArtifactError, Artifacts
from orchestrator.storage import Storage


def test_a_file_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    storage = Storage.at(tmp_path)
    storage.write("a/x.parquet", b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        storage.write("a/x.parquet", b"new and longer")
    with pytest.raises(OSError, match="No space left"):
        storage.write("a/y.parquet", b"new")
    monkeypatch.undo()
    assert storage.read("a/x.parquet") == b"old"
    assert os.listdir(tmp_path / "a") == ["x.parquet"]  # and nothing half written is left
    with pytest.raises(TypeError):
        storage.write("a/x.parquet", 3)
    assert storage.read("a/x.parquet") == b"old"


def test_a_file_that_is_being_written_is_no_file_yet(tmp_path, monkeypatch):
    storage, seen = Storage.at(tmp_path), []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append((storage.names("a"), os.listdir(tmp_path / "a"))))
    storage.write("a/x.parquet", b"x")
    [(names, files)] = seen
    assert names == []
    assert len(files) == 1
    assert files[0].startswith("_tmp-")  # pandas skips such names in a folder of Parquet files


def test_reading_and_deleting_what_is_not_there(tmp_path):
    storage = Storage.at(tmp_path)
    assert storage.names("nowhere") == storage.folders("nowhere") == []
    assert not storage.exists("x")
    storage.delete("x")
    storage.delete_folder("x")
    storage.move("x", "y")
    with pytest.raises(FileNotFoundError):
        storage.read("x")


def test_places_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Storage.at("results").root == str(tmp_path / "results")


def test_the_options_of_an_address_stay_at_its_end():
    storage = Storage.at("s3://bucket/sweeps/?endpoint_override=localhost:9000&scheme=http").below("toy", "x")
    assert storage.root == "s3://bucket/sweeps/toy/x"
    assert storage.address == "s3://bucket/sweeps/toy/x?endpoint_override=localhost:9000&scheme=http"
    assert Storage.at(storage.address) == storage
    assert Storage.at("gs://bucket/a").below("b").address == "gs://bucket/a/b"


def make_artifact(artifacts: Artifacts, text: str = "hello") -> None:
    workspace = artifacts.workspace("prepare", "0123456789abcdef")
    (workspace / "deep").mkdir()
    (workspace / "deep" / "x.txt").write_text(text)
    artifacts.publish(workspace, "prepare", "0123456789abcdef")


def test_artifacts(tmp_path):
    artifacts = Artifacts(Storage.at(tmp_path))
    with pytest.raises(ArtifactError, match="is missing"):
        artifacts.fetch("prepare", "0123456789abcdef")
    make_artifact(artifacts)
    assert (artifacts.fetch("prepare", "0123456789abcdef") / "deep" / "x.txt").read_text() == "hello"
    make_artifact(artifacts, "of another run")  # what is published stays
    assert (artifacts.fetch("prepare", "0123456789abcdef") / "deep" / "x.txt").read_text() == "hello"
    assert artifacts.all() == [("prepare", "0123456789abcdef")]
    assert not list(tmp_path.glob("prepare/_tmp-*"))
    artifacts.delete("prepare", "0123456789abcdef")
    assert artifacts.all() == []
    assert not artifacts.is_done("prepare", "0123456789abcdef")


def test_two_runs_publish_one_artifact_at_once(tmp_path, monkeypatch):
    artifacts = Artifacts(Storage.at(tmp_path))
    monkeypatch.setattr(Artifacts, "is_done", lambda *_: False)  # neither has seen the other
    make_artifact(artifacts, "first")
    monkeypatch.undo()
    looks = iter([False, True])
    monkeypatch.setattr(Artifacts, "is_done", lambda *_: next(looks))
    monkeypatch.setattr(Path, "exists", lambda _: False)
    make_artifact(artifacts, "second")
    monkeypatch.undo()
    assert (artifacts.fetch("prepare", "0123456789abcdef") / "deep" / "x.txt").read_text() == "first"


def test_a_damaged_artifact_is_named(tmp_path):
    artifacts = Artifacts(Storage.at(tmp_path))
    make_artifact(artifacts)
    place = artifacts.fetch("prepare", "0123456789abcdef") / "deep" / "x.txt"
    place.write_text("hell")
    with pytest.raises(ArtifactError, match=r"x\.txt is missing or not 5 bytes"):
        artifacts.fetch("prepare", "0123456789abcdef")


def test_an_artifact_broken_off_while_it_was_deleted_is_made_again(tmp_path):
    artifacts = Artifacts(Storage.at(tmp_path))
    make_artifact(artifacts)
    place = artifacts.fetch("prepare", "0123456789abcdef")
    (place / "_DONE.json").unlink()
    assert not artifacts.is_done("prepare", "0123456789abcdef")
    make_artifact(artifacts, "again")
    assert (artifacts.fetch("prepare", "0123456789abcdef") / "deep" / "x.txt").read_text() == "again"


@pytest.fixture
def bucket(s3) -> str:
    """The address of a place in a bucket on a server in this process."""
    return s3.url("some/where")


@pytest.mark.slow
def test_storage_in_a_bucket(bucket):
    storage = Storage.at(bucket)
    assert storage.names("a") == []
    storage.write("a/x.parquet", pa.py_buffer(b"old"))
    storage.write("a/x.parquet", b"new")
    storage.write("a/y.parquet", b"y")
    assert storage.names("a") == ["x.parquet", "y.parquet"]
    assert storage.folders() == ["a"]
    assert storage.read("a/x.parquet") == b"new"
    storage.move("a/y.parquet", "a/y.parquet.corrupt")
    storage.delete("a/x.parquet")
    assert storage.names("a") == ["y.parquet.corrupt"]
    with pytest.raises(FileNotFoundError):
        storage.read("a/x.parquet")


@pytest.mark.slow
def test_artifacts_in_a_bucket(bucket):
    artifacts = Artifacts(Storage.at(bucket))
    make_artifact(artifacts)
    for _ in range(2):
        assert (artifacts.fetch("prepare", "0123456789abcdef") / "deep" / "x.txt").read_text() == "hello"
    assert artifacts.all() == [("prepare", "0123456789abcdef")]
    artifacts.delete("prepare", "0123456789abcdef")
    assert not artifacts.is_done("prepare", "0123456789abcdef")


@pytest.mark.slow
def test_a_sweep_into_a_bucket(bucket, sweep):
    assert sweep("--numbers", "1-3", "--out", bucket) == 0
    assert sweep("--numbers", "1-4", "--out", bucket) == 0
    storage = Storage.at(bucket)
    assert len(pq.read_table(storage.open("toy/squares.parquet"))) == 8
    assert {"jobs.parquet", "report.html", "squares.parquet"} <= set(storage.names("toy"))
    assert storage.exists(f"toy/_runs/{storage.folders('toy/_runs')[0]}/log")
