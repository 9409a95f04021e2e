"""`--tracker mlflow` against a local MLflow file store, and against servers that do not answer."""

import importlib
import importlib.util
import math
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from orchestrator import tracking
from orchestrator.backend import CannotRun
from orchestrator.call import Outcome
from orchestrator.experiment import Job
from orchestrator.options import parse
from orchestrator.tracking import MlflowTracker, make_tracker
from tests import toy

RUN = "20261121T093000-0f42a1b7"
needs_mlflow = pytest.mark.skipif(
    importlib.util.find_spec("mlflow") is None, reason="mlflow-skinny is not installed: pip install '.[mlflow]'"
)


@pytest.fixture
def server(tmp_path, monkeypatch) -> str:
    """A file store; recent versions of MLflow want to be told that it is meant."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    return (tmp_path / "mlruns").as_uri()


def jobs(count: int = 1) -> list[Job]:
    return list(toy.plan(toy.Config(numbers=tuple(range(1, count + 1)))))


def done(values: list[float | None], **facts) -> Outcome:
    rows = [{"part": i, "value": value} for i, value in enumerate(values)]
    table = pa.Table.from_pylist(rows, schema=toy.SQUARES.schema)
    given = {"started_at": datetime(2026, 11, 21, 9, 30, tzinfo=UTC), "seconds": 2.5, "host": "node-1", "device": "cpu"}
    return Outcome(status="done", tables={"squares": table}, **{**given, "code": "c0de", "peak_rss_mb": 7.0, **facts})


def runs(server: str) -> tuple[list[Any], Any]:
    """What the server has of the experiment toy, and a client for the rest."""
    client = importlib.import_module("mlflow.tracking").MlflowClient(server)
    return list(client.search_runs([client.get_experiment_by_name("toy").experiment_id])), client


@needs_mlflow
def test_a_job_becomes_a_run(server):
    notes: list[str] = []
    tracker = make_tracker("toy", RUN, notes.append)
    [job] = jobs()
    tracker.ended(job, done([1.0, 4.0]), 1)
    tracker.close()
    [run], client = runs(server)
    assert notes == []
    assert run.info.status == "FINISHED"
    assert run.info.start_time == 1795253400000
    assert run.info.end_time == 1795253402500
    assert run.data.params == {"number": "1", "scale": "1.0", "parts": "[0, 1]", "data": "numbers@v1"}
    expected = {"squares": 4.0, "job.seconds": 2.5, "job.peak_rss_mb": 7.0, "job.passes": 2.0}
    assert run.data.metrics == expected
    assert [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "squares")] == [(0, 1.0), (1, 4.0)]
    tags = {name.removeprefix("sweep."): value for name, value in run.data.tags.items() if name.startswith("sweep.")}
    assert tags == {
        "key": f"{job.id}/{RUN}/1",
        "job": job.id,
        "run": RUN,
        "stage": "toy_square",
        "attempt": "1",
        "status": "done",
        "host": "node-1",
        "device": "cpu",
        "code": "c0de",
    }
    assert run.info.run_name == f"toy_square-{job.id[:8]}-1"


@needs_mlflow
def test_a_failed_attempt_is_a_failed_run_without_secrets(server, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_0123456789abcdef")
    notes: list[str] = []
    tracker = make_tracker("toy", RUN, notes.append)
    [job] = jobs()
    for attempt, status in enumerate(("failed", "lost", "timeout"), 1):
        message = f"\x1b[31m no hf_0123456789abcdef {'x' * 9000}"
        tracker.ended(job, Outcome(status=status, error="ValueError", message=message), attempt)
    tracker.close()
    found, _ = runs(server)
    assert notes == []
    assert {run.info.status for run in found} == {"FAILED"}
    assert sorted(run.data.tags["sweep.status"] for run in found) == ["failed", "lost", "timeout"]
    for run in found:
        assert run.data.tags["sweep.error"] == "ValueError"
        assert run.data.tags["sweep.message"].startswith("\\x1b[31m no *** xxx")
    written = b"".join(p.read_bytes() for p in Path(server.removeprefix("file://")).rglob("*") if p.is_file())
    assert b"0123456789abcdef" not in written.replace(job.id.encode(), b"")


@needs_mlflow
def test_nan_and_infinity_are_counted_and_the_others_are_there(server):
    tracker = make_tracker("toy", RUN, print)
    tracker.ended(jobs()[0], done([1.0, math.nan, math.inf, None, 5.0]), 1)
    tracker.close()
    [run], client = runs(server)
    assert [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "squares")] == [(0, 1.0), (4, 5.0)]
    assert run.data.tags["sweep.not_finite"] == "2"


@needs_mlflow
def test_an_attempt_never_becomes_two(server):
    [job] = jobs()
    for _ in range(2):  # a second tracker of the same run reads what the first has told
        tracker = make_tracker("toy", RUN, print)
        for attempt in (1, 1, 2):
            tracker.ended(job, done([1.0]), attempt)
        tracker.close()
    found, _ = runs(server)
    assert sorted(run.data.tags["sweep.attempt"] for run in found) == ["1", "2"]
    tracker = make_tracker("toy", "20261121T100000-0f42a1b7", print)  # another run of the sweep is another attempt
    tracker.ended(job, done([1.0]), 1)
    tracker.close()
    assert len(runs(server)[0]) == 3


@needs_mlflow
def test_more_metrics_than_a_request_takes(server, monkeypatch):
    monkeypatch.setattr(tracking, "METRICS_PER_JOB", 2_500)
    tracker = make_tracker("toy", RUN, print)
    tracker.ended(jobs()[0], done([float(i) for i in range(2_600)]), 1)
    tracker.close()
    [run], client = runs(server)
    assert len(client.get_metric_history(run.info.run_id, "squares")) == 2_500
    assert run.data.tags["sweep.metrics_left_out"] == "100"


@needs_mlflow
def test_a_server_that_is_down_is_said_once_and_stops_nothing(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:u5er-passw0rd@127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    notes: list[str] = []
    tracker = make_tracker("toy", RUN, notes.append)
    for job in jobs(5):
        tracker.ended(job, done([1.0]), 1)
    tracker.close()
    [first, last] = notes
    assert first.startswith("MLflow does not get every job: ")
    assert last.startswith("5 of 5 attempts are not in MLflow")
    assert "u5er-passw0rd" not in first + last


class Stuck:
    """A client whose server never answers."""

    def __init__(self):
        self.free = threading.Event()

    def __getattr__(self, name):
        return lambda *_, **__: self.free.wait()


@needs_mlflow
def test_a_server_that_hangs_neither_slows_the_sweep_nor_holds_its_end(monkeypatch):
    monkeypatch.setattr(tracking, "QUEUE", 3)
    notes: list[str] = []
    client = Stuck()
    tracker = MlflowTracker(client, "toy", RUN, notes.append, close_seconds=0.2)
    [job] = jobs()
    began = time.monotonic()
    for attempt in range(1000):
        tracker.ended(job, done([1.0]), attempt)
    tracker.close()
    assert time.monotonic() - began < 60
    assert notes[0] == "MLflow does not get every job: the tracking server is slower than the sweep; the sweep goes on"
    assert notes[1].startswith("1000 of 1000 attempts are not in MLflow")
    client.free.set()


@needs_mlflow
@pytest.mark.parametrize("address", ["nonsense://u:pass-w0rd1@x", None])
def test_an_address_that_mlflow_does_not_take_is_one_line(address, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    if address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    else:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    with pytest.raises(CannotRun, match="MLflow cannot be used") as caught:
        make_tracker("toy", RUN, print)
    assert "\n" not in str(caught.value)
    assert "pass-w0rd1" not in str(caught.value)
    assert address or "MLFLOW_ALLOW_FILE_STORE" in str(caught.value)  # MLflow says itself what to do


def test_without_the_package_the_line_says_what_to_install(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "mlflow" else find(name, *rest)
    )
    with pytest.raises(CannotRun, match=r'pip install "mlflow-skinny'):
        make_tracker("toy", RUN, print)


def test_nothing_of_mlflow_is_imported_unasked():
    import subprocess

    code = "import sys, orchestrator.tracking, orchestrator.commands; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_option(monkeypatch):
    from tasks import EXPERIMENTS

    monkeypatch.setitem(EXPERIMENTS, "toy", "tests.toy")
    assert parse(["--experiment", "toy"])[1].tracker == "none"
    assert parse(["--experiment", "toy", "--tracker", "mlflow"])[1].tracker == "mlflow"


@needs_mlflow
def test_a_sweep_with_a_tracker(server, sweep, tmp_path, capsys):
    assert sweep("--numbers", "1-3", "--wrong", "2", "--how", "once", "--marks", tmp_path, "--tracker", "mlflow") == 0
    found, _ = runs(server)
    assert sorted(run.data.tags["sweep.stage"] for run in found) == ["toy_prepare"] + ["toy_square"] * 4
    assert [run.data.params["number"] for run in found if run.info.status == "FAILED"] == ["2"]
    assert len({run.data.tags["sweep.run"] for run in found}) == 1
    assert sweep("--numbers", "1-4", "--tracker", "mlflow") == 0  # what is there is not told again
    assert len(runs(server)[0]) == 6
    assert "not in MLflow" not in capsys.readouterr().err


@needs_mlflow
def test_a_tracker_without_a_server_costs_a_sweep_nothing(sweep, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert sweep("--numbers", "1-3", "--tracker", "mlflow") == 0
    shown = capsys.readouterr()
    assert "4 of 4 attempts are not in MLflow" in shown.err + shown.out
