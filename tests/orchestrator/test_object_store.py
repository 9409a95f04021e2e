"""Sweeps into an S3 server that refuses, drops and dies: the tables equal those of a sweep onto a local disk."""

import logging
import os
import random
import signal
import time
from pathlib import Path

import pandas as pd
import pytest

from orchestrator import persistence
from orchestrator.artifacts import Artifacts
from orchestrator.persistence import StorageError, persist
from orchestrator.storage import Storage
from tests.s3 import DENIED, Server

log = logging.getLogger(__name__)
SQUARES = ("--numbers", "1-6", "--scale", "3")


@pytest.fixture(autouse=True)
def _quiet():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)


def table(place: Storage, name: str = "squares") -> pd.DataFrame:
    return pd.read_parquet(place.below("toy").open(f"{name}.parquet"))


@pytest.fixture
def undisturbed(sweep, tmp_path: Path) -> pd.DataFrame:
    assert sweep(*SQUARES, "--out", tmp_path / "undisturbed") == 0
    return table(Storage.at(tmp_path / "undisturbed"))


def check(s3: Server, undisturbed: pd.DataFrame, url: str, runs: int = 2) -> None:
    """The store in the bucket has the undisturbed rows, each job has run once, and the artifact is whole."""
    s3.fails = lambda number, method, path: False
    storage = Storage.at(url)
    pd.testing.assert_frame_equal(table(storage), undisturbed)
    jobs = table(storage, "jobs")
    assert jobs["status"].tolist() == ["done"] * 7
    assert jobs["attempt"].tolist() == [1] * 7
    assert jobs["job_id"].is_unique
    artifacts = Artifacts(storage.below("artifacts"))
    [artifact] = artifacts.all()
    assert (artifacts.fetch(*artifact) / "scale.txt").read_text() == "3.0"
    assert {"report.html", "squares.parquet"} <= set(storage.below("toy").names())
    assert len(storage.below("toy").names("_parts/jobs")) == runs  # merged, one of each


@pytest.mark.slow
def test_every_third_request_is_refused(s3, sweep, undisturbed):
    s3.fails = lambda number, method, path: number % 3 == 0
    url = s3.url("third")
    assert sweep("--numbers", "1-3", "--scale", "3", "--out", url) == 0
    assert sweep(*SQUARES, "--out", url) == 0
    assert s3.failed >= 20
    check(s3, undisturbed, url)


@pytest.mark.slow
def test_a_third_of_the_requests_is_refused_at_random(s3, sweep, undisturbed):
    seed = random.randrange(10**6)
    log.warning("seed %d", seed)
    chance = random.Random(seed)
    s3.fails = lambda number, method, path: chance.random() < 1 / 3
    url = s3.url("random")
    assert sweep(*SQUARES, "--out", url) == 0
    assert s3.failed >= 10
    check(s3, undisturbed, url, runs=1)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["_parts/squares", "artifacts/toy_prepare"])
def test_an_outage_longer_than_the_patience_of_the_client(s3, sweep, undisturbed, where):
    """The client itself gives up after six seconds; this outage lasts nine, from the first write of one kind on."""
    began: list[float] = []

    def fails(number: int, method: str, path: str) -> bool:
        if not began and where in path and method in ("PUT", "POST"):
            began.append(time.monotonic())
        return bool(began) and time.monotonic() - began[0] < 9

    s3.fails = fails
    assert sweep(*SQUARES, "--out", s3.url("outage")) == 0
    assert s3.failed >= 30  # five a second
    check(s3, undisturbed, s3.url("outage"), runs=1)


@pytest.fixture
def impatient(monkeypatch) -> None:
    """No tries but the client's own, which take six seconds."""
    monkeypatch.setattr(persistence, "PERSIST_SECONDS", 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("request_", ["partNumber=2", "POST"], ids=["second piece", "completion"])
def test_a_put_that_fails_half_way_leaves_the_old_object(s3, impatient, request_):
    """More than ten megabytes go up in pieces, which become an object by one last request."""
    storage, data = Storage.at(s3.url("big")), os.urandom(12 * 2**20)
    storage.write("x", b"old")
    s3.fails = lambda number, method, path: f"{method} {path}".find(request_) >= 0 and "uploadId" in path
    with pytest.raises(StorageError, match=r"writing x in s3://sweeps/big failed 1 times"):
        storage.write("x", data)
    assert s3.failed
    s3.fails = lambda number, method, path: False
    assert storage.read("x") == b"old"
    storage.write("x", data)
    assert storage.read("x") == data


@pytest.mark.parametrize("size", [1000, 12 * 2**20])
def test_ctrl_c_during_a_put_publishes_the_whole_object(s3, size):
    storage, data = Storage.at(s3.url("interrupted")), os.urandom(size)
    hits: list[str] = []

    def fails(number: int, method: str, path: str) -> bool:
        hits.append(method)
        if len(hits) == 1:  # the parts of a large object are put at the same time
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)  # the main thread sees it before the request is answered
        return False

    s3.fails = fails
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            storage.write("x", data)
    finally:
        signal.signal(signal.SIGINT, before)
        s3.fails = lambda number, method, path: False
    assert hits
    assert storage.read("x") == data


def test_what_is_no_data_publishes_nothing(s3):
    storage = Storage.at(s3.url("typed"))
    with pytest.raises(TypeError):
        storage.write("x", 3)
    assert not storage.exists("x")


def test_what_waiting_does_not_mend_is_said_at_once(s3, sweep, capsys):
    storage = Storage.at(s3.url("denied"))
    s3.error, s3.fails = DENIED, lambda number, method, path: method in ("PUT", "POST")
    assert sweep(*SQUARES, "--out", s3.url("denied")) == 2
    assert "results cannot be written to s3://sweeps/denied/toy" in (said := capsys.readouterr().err)
    assert "ACCESS_DENIED" in said
    assert s3.failed == 1
    s3.fails = lambda number, method, path: True
    with pytest.raises(StorageError, match=r"reading x in s3://sweeps/denied is refused: .*ACCESS_DENIED"):
        storage.read("x")
    assert s3.failed == 2
    s3.fails = lambda number, method, path: False
    with pytest.raises(FileNotFoundError):
        storage.read("x")
    missing = s3.url("x").replace("s3://sweeps", "s3://no-such-bucket")
    assert sweep(*SQUARES, "--out", missing) == 2
    assert "NO_SUCH_BUCKET" in capsys.readouterr().err


@pytest.mark.slow
def test_a_dead_server_is_one_line(s3, impatient, sweep, capsys):
    s3.stop()
    assert sweep(*SQUARES, "--out", s3.url("dead")) == 2
    shown = capsys.readouterr().err
    assert "sweep.py: listing _parts/jobs in s3://sweeps/dead/toy failed 1 times in 6 s" in shown
    assert "Is the store up, and the address right?" in shown
    assert len(shown.splitlines()) == 1


@pytest.mark.slow
def test_a_server_that_dies_during_the_sweep_ends_it_with_what_is_lost(s3, impatient, sweep, monkeypatch, capsys):
    monkeypatch.setattr("orchestrator.runner.LAST_TRIES", 1)
    monkeypatch.setattr("orchestrator.runner.RETRY_SECONDS", 0.0)
    s3.fails = lambda number, method, path: s3.failed > 0 or ("_parts/squares" in path and method == "POST")
    assert sweep(*SQUARES, "--out", s3.url("dies")) == 1
    shown = capsys.readouterr()
    assert "the rows of 7 attempts could not be written" in shown.err
    assert "the tables could not be written, --reduce-only tries it again" in shown.out
    assert "Traceback" not in shown.out + shown.err
    s3.fails = lambda number, method, path: False
    assert sweep(*SQUARES, "--out", s3.url("dies")) == 0
    assert sorted(set(table(Storage.at(s3.url("dies")))["number"])) == [1, 2, 3, 4, 5, 6]


def test_the_endpoint_from_the_environment(s3, sweep, undisturbed, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{s3.address}")
    assert sweep(*SQUARES, "--out", "s3://sweeps/environment") == 0
    check(s3, undisturbed, s3.url("environment"), runs=1)


def test_an_address_of_no_known_kind_is_one_line(sweep, capsys):
    assert sweep(*SQUARES, "--out", "s4://bucket/x") == 2
    assert "the address s4://bucket/x/toy cannot be opened" in capsys.readouterr().err


def test_tries_are_bounded_and_their_pauses_grow(monkeypatch):
    clock, pauses = [0.0], []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock[0] += seconds

    def busy() -> None:
        clock[0] += 6
        raise OSError("AWS Error SLOW_DOWN during GetObject operation")

    monkeypatch.setattr(persistence.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(persistence.time, "sleep", sleep)
    with pytest.raises(StorageError, match=r"reading x failed 4 times in 31 s: AWS Error SLOW_DOWN"):
        persist(busy, "reading x")
    assert pauses == [1.0, 2.0, 4.0]
    for error in (FileNotFoundError(2, "no such file"), OSError(28, "No space left on device")):
        with pytest.raises(type(error)):
            persist(lambda error=error: (_ for _ in ()).throw(error), "reading x")
    assert len(pauses) == 3
