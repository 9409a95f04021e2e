"""The wrapper around a job, and the two helpers of the Ray backend that know no Ray: capacity and warm workers."""

import os
import pickle
import signal
import socket
from pathlib import Path

import pyarrow as pa
import pytest

from orchestrator.artifacts import Artifacts
from orchestrator.backend import CannotRun, InlineBackend
from orchestrator.call import Call, Outcome
from orchestrator.capacity import Capacity, autoscaled_nodes, autoscaled_slots
from orchestrator.code import code_digest
from orchestrator.deadlines import Deadlines
from orchestrator.experiment import Resources, TableSpec, column
from orchestrator.failures import group, signature
from orchestrator.rows import BadRows, rows_to_table
from orchestrator.storage import Storage
from orchestrator.surroundings import answers, python_path, sigterm_kept
from orchestrator.warm import IDLE_SECONDS, WarmWorkers
from orchestrator.worker import run_call
from tests import toy


def make_call(tmp_path: Path, stage=toy.PREPARE, params=None, **facts) -> Call:
    defaults = {
        "job_id": "0123456789abcdef",
        "stage": pickle.dumps(stage),
        "params": params or toy.PrepareParams(scale=2.0),
        "needs": {},
        "paths": {},
        "artifacts": str(tmp_path / "artifacts"),
        "gpus": 0.0,
        "threads": 1,
        "memory_bytes": None,
        "code": None,
    }
    return Call(**(defaults | facts))


def square(tmp_path: Path, how: str = "", **facts) -> Call:
    needs = {"scale": ("toy_prepare", "0123456789abcdef")}
    params = toy.SquareParams(number=3, scale=2.0)
    return make_call(tmp_path, toy.SQUARE, params, job_id="f" * 16, needs=needs, paths={"how": how}, **facts)


def test_a_job_and_what_it_needs(tmp_path):
    prepared = run_call(make_call(tmp_path))
    assert (prepared.status, prepared.tables) == ("done", {})
    assert Artifacts(Storage.at(tmp_path / "artifacts")).is_done("toy_prepare", "0123456789abcdef")
    outcome = run_call(square(tmp_path))
    assert outcome.status == "done"
    assert outcome.tables["squares"].to_pylist() == [{"part": 0, "value": 18.0}, {"part": 1, "value": 18.0}]
    assert outcome.device == "cpu"
    assert outcome.code == code_digest()
    assert outcome.peak_rss_mb is not None
    assert outcome.peak_rss_mb > 10
    assert pickle.loads(pickle.dumps(outcome)) == outcome


def test_a_missing_artifact_is_a_failure(tmp_path):
    outcome = run_call(square(tmp_path))
    assert (outcome.status, outcome.error) == ("failed", "ArtifactError")


def test_what_a_stage_raises_comes_back_as_text(tmp_path):
    run_call(make_call(tmp_path))
    outcome = run_call(square(tmp_path, "raise"))
    assert (outcome.status, outcome.error, outcome.message) == ("failed", "ValueError", "number 3 is bad")
    assert "in square" in str(outcome.traceback)


def test_a_failed_job_leaves_no_workspace(tmp_path):
    outcome = run_call(make_call(tmp_path, paths={"how": "prepare"}))
    assert outcome.status == "failed"
    assert not list(tmp_path.rglob("_tmp-*"))


@pytest.mark.parametrize(
    ("error", "name"),
    [(SystemExit(3), "SystemExit"), (ValueError("\udcff"), "ValueError"), (MemoryError(), "MemoryError")],
)
def test_errors_of_every_kind(tmp_path, monkeypatch, error, name):
    def stage(params, context):
        raise error

    monkeypatch.setattr(toy, "prepare", stage)
    outcome = run_call(make_call(tmp_path))
    assert (outcome.status, outcome.error) == ("failed", name)
    pa.array([outcome.message, outcome.traceback])  # Arrow takes both


def test_other_code_is_refused(tmp_path):
    outcome = run_call(make_call(tmp_path, code="0" * 12))
    assert (outcome.status, outcome.error) == ("failed", "WrongCode")
    assert code_digest() in str(outcome.message)
    assert "000000000000" in str(outcome.message)


ROWS = TableSpec(schema=pa.schema([column("a", pa.int64(), ""), column("b", pa.float64(), "")]), key=())


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"a": 1}, r"missing columns \['b'\]"),
        ({"a": 1, "b": 2.0, "c": 3}, r"unknown \['c'\]"),
        ({"a": 1.5, "b": 2.0}, "a is 1.5, no whole number"),
        ({"a": "1", "b": 2.0}, "no whole number"),
        ({"a": True, "b": 2.0}, "bool"),
        ({"a": 1, "b": "two"}, "two"),
        ({"a": 2**70, "b": 2.0}, "train"),
    ],
)
def test_rows_that_were_not_declared_are_refused(row, message):
    with pytest.raises(BadRows, match=message):
        rows_to_table([row], ROWS, "stage train")


def test_rows_of_numpy_and_nothing():
    import numpy as np

    table = rows_to_table([{"a": np.int32(1), "b": np.float32(0.5)}, {"a": None, "b": None}], ROWS, "")
    assert table.to_pylist() == [{"a": 1, "b": 0.5}, {"a": None, "b": None}]


def test_a_table_that_was_not_declared_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(toy, "prepare", lambda params, context: {"other": []})
    outcome = run_call(make_call(tmp_path))
    assert outcome.error == "BadRows"
    assert "'other'" in str(outcome.message)


def test_the_inline_backend_ends_jobs_that_take_too_long(tmp_path):
    run_call(make_call(tmp_path))
    backend = InlineBackend(job_timeout=0.2)
    backend.submit("k", square(tmp_path, "hang"), Resources(), None)
    [(key, outcome)] = backend.wait(1)
    assert (key, outcome.status) == ("k", "timeout")


def test_the_inline_backend_gives_back_what_has_not_started(tmp_path):
    backend = InlineBackend()
    backend.submit("k", make_call(tmp_path), Resources(), None)
    backend.withdraw()
    assert [(key, outcome.status) for key, outcome in backend.wait(1)] == [("k", "withdrawn")]
    assert backend.wait(1) == []


# Failures by cause.


def test_failures_are_grouped_by_cause():
    rows = [
        {
            "job_id": f"{i:016x}",
            "stage": "work",
            "status": "failed",
            "error": "ValueError",
            "message": f"job {i} found nothing in /tmp/{i}/x at 0x{i:x}" if i < 5 else "another",
            "traceback": None if i == 0 else f"trace {i}",
        }
        for i in range(7)
    ]
    first, second = group(rows)
    assert (len(first.job_ids), len(second.job_ids)) == (5, 2)
    assert first.traceback == "trace 1"
    assert str(first).startswith("5 jobs of work failed: ValueError: job 0 found nothing")
    assert signature("failed", None, None) == ("failed", "", "")


# What a cluster can give.

GIB = 2.0**30
CPU_NODE, GPU_NODE = {"CPU": 2.0, "memory": 4 * GIB}, {"CPU": 8.0, "GPU": 4.0, "memory": 64 * GIB}


def test_jobs_get_gpus_where_there_are_any():
    wants = Resources(num_gpus=0.5)
    assert Capacity([CPU_NODE]).resolve(wants) == (1, 0)
    assert Capacity([CPU_NODE, GPU_NODE]).resolve(wants) == (1, 0.5)
    assert Capacity([CPU_NODE, GPU_NODE], gpus_per_job=0).resolve(wants) == (1, 0)
    assert Capacity([CPU_NODE, GPU_NODE], gpus_per_job=2).resolve(wants) == (1, 2)
    assert Capacity([CPU_NODE, GPU_NODE], gpus_per_job=2).resolve(Resources()) == (1, 0)


@pytest.mark.parametrize(
    ("wants", "gpus_per_job"),
    [
        (Resources(num_gpus=1, gpu_required=True), None),
        (Resources(num_gpus=1), 1),
        (Resources(num_cpus=3), None),
        (Resources(memory_mb=5000), None),
    ],
)
def test_what_no_node_can_give_is_refused_with_both_numbers(wants, gpus_per_job):
    with pytest.raises(CannotRun) as refusal:
        Capacity([CPU_NODE], gpus_per_job).resolve(wants)
    assert f"{wants.num_cpus:g} CPUs, {wants.num_gpus:g} GPUs and {wants.memory_mb or 0} MiB" in str(refusal.value)
    assert "2 CPUs, 0 GPUs and 4096 MiB" in str(refusal.value)


def test_nodes_that_the_autoscaler_may_start_count(tmp_path):
    config = tmp_path / "ray_bootstrap_config.yaml"
    assert autoscaled_nodes(tmp_path / "none.yaml") == []
    config.write_text(
        "max_workers: 4\navailable_node_types:\n  head: {resources: {CPU: 4}, max_workers: 0}\n"
        "  gpu: {resources: {CPU: 8, GPU: 1}, min_workers: 0, max_workers: 4}\n"
    )
    [node] = autoscaled_nodes(config)
    assert Capacity([CPU_NODE, node]).resolve(Resources(num_gpus=1)) == (1, 1)


HEAD_KIND = "head: {resources: {CPU: 4}, max_workers: 0}"


@pytest.mark.parametrize(
    ("at_most", "kinds", "slots"),
    [
        (10, ["one: {resources: {CPU: 4, GPU: 1}, max_workers: 10}"], 40),
        (3, ["one: {resources: {CPU: 4, GPU: 1}, max_workers: 10}"], 12),  # the cluster's own limit is lower
        (10, ["one: {resources: {CPU: 4, GPU: 1}}"], 40),  # a kind without a limit has the cluster's
        (10, ["one: {resources: {CPU: 4}, max_workers: 10}", "big: {resources: {CPU: 96}, max_workers: 2}"], 224),
        (1, ["one: {resources: {CPU: 4}, max_workers: 10}", "big: {resources: {CPU: 96}, max_workers: 2}"], 96),
        (10, ["local: {resources: {}, max_workers: 2}"], 0),  # machines of one's own: known once they have joined
        (10, [], 0),
    ],
)
def test_slots_that_the_autoscaler_may_add(tmp_path, at_most, kinds, slots):
    config = tmp_path / "ray_bootstrap_config.yaml"
    lines = [f"max_workers: {at_most}", "available_node_types:", *(f"  {kind}" for kind in [HEAD_KIND, *kinds])]
    config.write_text("\n".join(lines))
    assert autoscaled_slots(config) == slots
    assert autoscaled_slots(tmp_path / "none.yaml") == 0


# Warm workers.


class Cluster:
    def __init__(self, room: int):
        self.started, self.stopped = 0, []
        self.warm = WarmWorkers(self.start, self.stopped.append, lambda wanted: len(wanted) <= room)

    def start(self, wants):
        self.started += 1
        return f"process {self.started}"

    def add(self, *keys: str):
        for i, key in enumerate(keys):
            self.warm.add(f"{key}{i}", "call", Resources(), key)
        return [(handle, key) for handle, key, _ in self.warm.assign()]


def test_a_warm_worker_serves_its_key_again():
    cluster = Cluster(room=2)
    assert cluster.add("a") == [("process 1", "a0")]
    cluster.warm.release("a0", dead=False)
    assert cluster.add("a") == [("process 1", "a0")]
    assert cluster.stopped == []


def test_an_idle_worker_makes_room_for_another_key():
    cluster = Cluster(room=1)
    assert cluster.add("a", "a", "b") == [("process 1", "a0")]
    cluster.warm.release("a0", dead=False)
    assert [key for _, key, _ in cluster.warm.assign()] == ["a1"]
    assert [key for _, key, _ in cluster.warm.assign()] == []
    cluster.warm.release("a1", dead=False)
    assert [(handle, key) for handle, key, _ in cluster.warm.assign()] == [("process 2", "b2")]
    assert cluster.stopped == ["process 1"]


def test_a_dead_worker_is_replaced():
    cluster = Cluster(room=1)
    cluster.add("a", "a")
    cluster.warm.release("a0", dead=True)
    assert [handle for handle, *_ in cluster.warm.assign()] == ["process 2"]


def test_more_than_the_cluster_holds_still_gets_one_worker():
    """The resources of a job were checked against single nodes; here another job's idle CPU is all that is missing."""
    cluster = Cluster(room=0)
    assert cluster.add("a", "a") == [("process 1", "a0")]


def test_idle_workers_go_after_a_while(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("orchestrator.warm.time.monotonic", lambda: clock[0])
    cluster = Cluster(room=2)
    cluster.add("a", "b")
    cluster.warm.release("a0", dead=False)
    clock[0] = IDLE_SECONDS + 1
    cluster.warm.dismiss_idle()
    assert cluster.stopped == ["process 1"]  # the other is busy


def test_waiting_calls_are_withdrawn():
    cluster = Cluster(room=1)
    cluster.add("a", "a", "b")
    assert cluster.warm.withdraw() == ["a1", "b2"]
    assert cluster.warm.assign() == []


# Timeouts, and what a process has around it.


def test_deadlines_count_from_the_start(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("orchestrator.deadlines.time.monotonic", lambda: clock[0])
    deadlines = Deadlines(10.0)
    deadlines.started(["a", "b"])
    clock[0] = 11.0
    deadlines.started(["a", "c"])
    assert deadlines.overdue() == ["a", "b"]
    assert deadlines.overdue() == []  # each is ended once
    assert deadlines.ended("a", Outcome(status="lost")).status == "timeout"
    assert deadlines.ended("b", Outcome(status="done")).status == "done"  # it was just in time
    assert deadlines.ended("c", Outcome(status="lost")).status == "lost"  # its worker died by itself
    clock[0] = 30.0
    assert deadlines.overdue() == []


def test_surroundings_are_put_back(monkeypatch, tmp_path):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with python_path(tmp_path):
        assert os.environ["PYTHONPATH"] == str(tmp_path)
    assert "PYTHONPATH" not in os.environ
    before = signal.getsignal(signal.SIGTERM)
    with sigterm_kept():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGTERM) is before


def test_who_answers():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert answers(address)
    assert not answers(address)
    assert answers("ray://somewhere:10001")
