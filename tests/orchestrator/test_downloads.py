"""Artifacts in an object store: each machine downloads one once, however many of its workers want it at once."""

import contextlib
import hashlib
import json
import logging
import multiprocessing
import os
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator.artifacts import DONE, ArtifactError, Artifacts
from orchestrator.storage import Storage

pytestmark = pytest.mark.slow

STAGE, JOB = "prepare", "0123456789abcdef"
SIZE = 8 * 2**20


class Requests(logging.Handler):
    """Requests that the server has answered, from its log."""

    def __init__(self):
        super().__init__(logging.INFO)
        self.seen: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        request = re.search(r"(GET|HEAD|PUT) (/\S*)", record.getMessage())
        if request is not None:
            self.seen[f"{request[1]} {request[2].partition('?')[0].rpartition('/')[2]}"] += 1


@dataclass
class Bucket:
    folder: str
    address: str
    client: Any
    requests: Requests = field(default_factory=Requests)


@pytest.fixture
def bucket(monkeypatch) -> Iterator[Bucket]:
    server_module = pytest.importorskip("moto.server")
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = server_module.ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}")
    client.create_bucket(Bucket="sweeps")
    folder = uuid.uuid4().hex  # all servers of one process share their buckets
    bucket = Bucket(folder, f"s3://sweeps/{folder}?endpoint_override={host}:{port}&scheme=http", client)
    log = logging.getLogger("werkzeug")
    before = log.level
    log.addHandler(bucket.requests)
    log.setLevel(logging.INFO)
    yield bucket
    log.removeHandler(bucket.requests)
    log.setLevel(before)
    server.stop()


def publish(bucket: Bucket) -> bytes:
    artifacts = Artifacts(Storage.at(bucket.address))
    workspace = artifacts.workspace(STAGE, JOB)
    data = os.urandom(SIZE)
    (workspace / "deep").mkdir()
    (workspace / "deep" / "data.bin").write_bytes(data)
    (workspace / "empty.txt").touch()
    artifacts.publish(workspace, STAGE, JOB)
    return data


def fetch(address: str, machine: str, barrier, results) -> None:
    """A worker process of a machine; machines differ in where their temporary files are."""
    import tempfile

    tempfile.tempdir = machine
    artifacts = Artifacts(Storage.at(address))
    barrier.wait()
    for _ in range(3):
        place = artifacts.fetch(STAGE, JOB)
        results.put((str(place), hashlib.sha256((place / "deep" / "data.bin").read_bytes()).hexdigest()))


def run_workers(address: str, machines: list[Path]) -> list[tuple[str, str]]:
    """Start a worker a machine named, all at once; returns what each of them got, three times."""
    spawn = multiprocessing.get_context("spawn")
    barrier, results = spawn.Barrier(len(machines)), spawn.Queue()
    workers = [spawn.Process(target=fetch, args=(address, str(m), barrier, results)) for m in machines]
    for worker in workers:
        worker.start()
    got = [results.get(timeout=120) for _ in range(3 * len(workers))]
    for worker in workers:
        worker.join()
    return got


def machine(tmp_path: Path, name: str) -> Path:
    (tmp_path / name).mkdir()
    return tmp_path / name


def test_workers_of_one_machine_download_once(bucket, tmp_path):
    digest = hashlib.sha256(publish(bucket)).hexdigest()
    bucket.requests.seen.clear()
    alone = machine(tmp_path, "alone")
    run_workers(bucket.address, [alone])
    once = bucket.requests.seen["GET data.bin"]
    assert once > 0  # a large file comes in several requests
    bucket.requests.seen.clear()
    one, two = machine(tmp_path, "one"), machine(tmp_path, "two")
    got = run_workers(bucket.address, [one, one, one, two])
    assert bucket.requests.seen["GET data.bin"] == 2 * once  # one download for each of the two machines
    assert {found for _, found in got} == {digest}
    assert len({place for place, _ in got}) == 2
    assert not list(tmp_path.rglob("_tmp-*"))


def test_a_download_that_was_broken_off_is_made_again(bucket, tmp_path, monkeypatch):
    data = publish(bucket)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    artifacts = Artifacts(Storage.at(bucket.address))
    download = Storage.download

    def half(self, name, directory, files):
        download(self, name, directory, list(files)[:1])
        (directory / "deep" / "data.bin").write_bytes(data[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(Storage, "download", half)
    with contextlib.suppress(KeyboardInterrupt):
        artifacts.fetch(STAGE, JOB)
    monkeypatch.setattr(Storage, "download", download)
    assert (artifacts.fetch(STAGE, JOB) / "deep" / "data.bin").read_bytes() == data


def test_an_artifact_made_anew_under_its_id_is_downloaded_anew(bucket, tmp_path, monkeypatch):
    """With --rerun-drifted the copy that this machine has is of other code."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    artifacts = Artifacts(Storage.at(bucket.address))
    for _ in range(2):
        data = publish(bucket)
        assert (artifacts.fetch(STAGE, JOB) / "deep" / "data.bin").read_bytes() == data
        artifacts.delete(STAGE, JOB)


def test_keys_with_dots_lead_nowhere(bucket, tmp_path, monkeypatch):
    """In a bucket `a/../../b` is a key like any other: what the manifest names is checked, the rest is not fetched."""
    publish(bucket)
    home = machine(tmp_path, "cache")
    monkeypatch.setattr("tempfile.tempdir", str(home))
    artifacts = Artifacts(Storage.at(bucket.address))
    root = f"{bucket.folder}/{STAGE}/01/{JOB}"
    for key in ("../../../../../../outside.txt", "extra.txt", "/absolute.txt"):
        bucket.client.put_object(Bucket="sweeps", Key=f"{root}/{key}", Body=b"planted")
    keys = [item["Key"] for item in bucket.client.list_objects_v2(Bucket="sweeps", Prefix=root)["Contents"]]
    assert f"{root}/../../../../../../outside.txt" in keys  # the server has it under that name
    place = artifacts.fetch(STAGE, JOB)
    assert sorted(p.name for p in place.rglob("*")) == [DONE, "data.bin", "deep", "empty.txt"]
    assert not list(tmp_path.rglob("outside.txt"))
    manifest = {"../../../../../../outside.txt": {"size": 7, "sha256": hashlib.sha256(b"planted").hexdigest()}}
    bucket.client.put_object(Bucket="sweeps", Key=f"{root}/{DONE}", Body=json.dumps(manifest).encode())
    with pytest.raises(ArtifactError, match="not to be trusted"):
        artifacts.fetch(STAGE, JOB)
    assert not list(tmp_path.rglob("outside.txt"))
    artifacts.storage.delete(f"{STAGE}/01/{JOB}/{DONE}")
    bucket.client.put_object(Bucket="sweeps", Key=f"{root}/{DONE}", Body=b"not JSON")
    with pytest.raises(ArtifactError, match="is damaged"):
        artifacts.fetch(STAGE, JOB)
