"""Sweeps in this process on one Ray of two CPU slots that all tests of this file share."""

import os
from dataclasses import replace

import pytest
from rich.console import Console

from orchestrator.experiment import Job, Resources
from orchestrator.plan import make_plan
from orchestrator.progress import Progress
from orchestrator.runner import Runner
from orchestrator.runs import RunOptions, new_run_id
from orchestrator.store import Store
from tests import toy

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("session")]


def run_jobs(store: Store, jobs: list[Job], **options) -> Runner:
    from orchestrator.ray_backend.backend import RayBackend

    plan, backend = make_plan(jobs), RayBackend()
    runner = Runner(
        plan, list(plan.jobs), store, backend, Progress(Console(quiet=True)), new_run_id(), RunOptions(**options)
    )
    runner.run()
    backend.close()
    return runner


def test_a_queued_job_does_not_time_out(sweep):
    """30 jobs of 0.4 s on two slots take longer than the timeout of each."""
    code, jobs = sweep("--numbers", "1-30", "--seconds", "0.4", "--job-timeout", "4")
    assert code == 0
    assert set(jobs["status"]) == {"done"}


def test_workers_of_other_code_refuse(tmp_path):
    store = Store(tmp_path, "toy", toy.EXPERIMENT.tables)
    jobs = list(toy.plan(toy.Config()))
    report = run_jobs(store, jobs, attempts=1, code="0" * 12).report
    assert list(report.failed.values()) == ["failed"]  # the preparation; the others are blocked by it
    assert len(report.blocked) == 3
    [row] = store.snapshot().attempts.to_pylist()
    assert row["error"] == "WrongCode"
    assert "000000000000" in row["message"]


def pids(store: Store, jobs: list[Job]) -> dict[str, set[int]]:
    """Processes that served the jobs of each warm key."""
    rows = store.read("pids", store.snapshot()).to_pylist()
    pid = {row["job_id"]: row["pid"] for row in rows}
    return {key: {pid[job.id] for job in jobs if job.warm_key == key} for key in {job.warm_key for job in jobs}}


def warm_jobs(keys: str, stage=toy.WARM, **facts) -> list[Job]:
    return [
        Job(stage=stage, params=toy.SquareParams(number=n, scale=1.0), warm_key=key, **facts)
        for n, key in enumerate(keys)
    ]


def test_a_warm_actor_serves_its_key_and_makes_room_for_the_next(tmp_path):
    both = replace(toy.WARM, resources=Resources(num_cpus=2))  # room for one actor at a time
    store = Store(tmp_path, "toy", {"pids": toy.PIDS})
    jobs = warm_jobs("abcabcabc", stage=both)
    assert run_jobs(store, jobs).report.done == 9
    served = pids(store, jobs)
    assert [len(served[key]) for key in "abc"] == [1, 1, 1]
    assert len(set.union(*served.values())) == 3
    assert os.getpid() not in set.union(*served.values())


def test_warm_actors_leave_room_for_other_jobs(tmp_path, monkeypatch):
    """Idle actors hold all CPUs when the jobs that need them become ready."""
    monkeypatch.setattr("orchestrator.warm.IDLE_SECONDS", 0.5)
    store = Store(tmp_path, "toy", {"pids": toy.PIDS, "squares": toy.SQUARES})
    warm = warm_jobs("ab", paths={"seconds": "1"})
    [first, *_] = toy.plan(toy.Config())
    after = replace(first, needs={**first.needs, "warm": warm[0], "other": warm[1]})
    report = run_jobs(store, [*warm, after]).report
    assert report.good
    assert report.done == 4


def test_gpu_fractions_are_resolved_on_a_cpu_machine(sweep):
    code, jobs = sweep("--numbers", "1")  # the stage asks for half a GPU where there is one
    assert code == 0
    assert jobs["device"].tolist() == ["cpu"]
