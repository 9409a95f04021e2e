"""Jobs of two processes each, on one Ray of two CPU slots that all tests of this file share."""

import os
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.backend import CannotRun
from orchestrator.experiment import Job, Resources
from orchestrator.plan import make_plan
from orchestrator.progress import Progress
from orchestrator.runner import Runner
from orchestrator.runs import RunOptions, new_run_id
from orchestrator.store import Store
from tests import toy_group
from tests.cluster.conftest import until

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("session")]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "out", "toy_group", toy_group.EXPERIMENT.tables)


def run_jobs(store: Store, *jobs: Job, job_timeout: float | None = None, **options) -> Runner:
    from orchestrator.ray_backend.backend import RayBackend

    plan, backend = make_plan(jobs), RayBackend(job_timeout=job_timeout)
    runner = Runner(
        plan, list(plan.jobs), store, backend, Progress(Console(quiet=True)), new_run_id(), RunOptions(**options)
    )
    runner.run()
    backend.close()
    return runner


def job(number: int = 1, steps: int = 4, workers: int = 2, **paths: object) -> Job:
    params = toy_group.Params(number=number, steps=steps)
    texts = {name: str(value) for name, value in paths.items()}
    return Job(stage=toy_group.ADD_UP, params=params, paths=texts, resources=Resources(workers=workers))


def rows(store: Store) -> list[dict]:
    return store.read("sums", store.snapshot()).to_pylist()


def attempts(store: Store) -> list[dict]:
    return store.read("jobs", store.snapshot()).to_pylist()


def checkpoints(store: Store) -> list[Path]:
    return [path for path in Path(store.checkpoints.root).rglob("*") if path.is_file()]


def all_gone(marks: Path) -> bool:
    """Whether the members that have left their ids have ended."""
    for mark in marks.iterdir():
        try:
            os.kill(int(mark.read_text()), 0)
        except ProcessLookupError:
            continue
        return False
    return True


def test_two_groups_take_turns_and_an_ordinary_job_runs_beside(store):
    report = run_jobs(store, job(1), job(2), job(3, workers=1)).report
    assert report.good
    assert {row["number"]: (row["total"], row["workers"]) for row in rows(store)} == {
        1: (10, 2),
        2: (20, 2),
        3: (30, 1),
    }
    assert checkpoints(store) == []
    done = attempts(store)
    assert {row["status"] for row in done} == {"done"}
    for row in done[:1]:
        assert "rank 0 of" in store.storage.read(row["log"]).decode()
    one = store.artifacts.fetch(toy_group.ADD_UP.name, job(1).id)
    assert (one / "total.txt").read_text() == "10.0"


def test_the_error_of_one_rank_ends_the_others_and_is_the_jobs_own(store, tmp_path):
    """Rank 0 waits in an all-reduce, for half an hour if nobody ended it."""
    (marks := tmp_path / "marks").mkdir()
    report = run_jobs(store, job(how="raise", marks=marks), attempts=1).report
    assert list(report.failed.values()) == ["failed"]
    [row] = attempts(store)
    assert (row["error"], row["message"]) == ("ValueError", "number 1 is bad")
    assert row["traceback"].startswith("On rank 1 of 2:")
    assert row["log"].endswith("-1-rank1.log")
    assert "number 1 is bad" in store.storage.read(row["log"]).decode()
    assert "rank 0 of 2" in store.storage.read(row["log"].replace("-rank1", "")).decode()
    until(lambda: all_gone(marks), "both members to end")
    assert not store.artifacts.is_done(toy_group.ADD_UP.name, job().id)


def test_a_killed_member_costs_a_loss_and_another_number_of_workers_goes_on(store, tmp_path):
    (marks := tmp_path / "marks").mkdir()
    report = run_jobs(store, job(how="die", marks=marks), attempts=1, max_worker_failures=0).report
    assert list(report.failed.values()) == ["lost"]
    [lost] = attempts(store)
    assert lost["message"].startswith("rank 1 of 2: ")
    until(lambda: all_gone(marks), "both members to end")
    assert len(checkpoints(store)) == 4  # two, each with its manifest
    assert run_jobs(store, job(how="die", workers=1)).report.good
    [row] = rows(store)
    assert (row["total"], row["workers"]) == (10, 1)
    assert row["first"] in (2, 3)  # the last one was being saved, perhaps, when rank 1 died
    assert checkpoints(store) == []


@pytest.mark.slow
def test_an_overdue_group_leaves_no_process_and_its_room_to_others(store, tmp_path):
    (marks := tmp_path / "marks").mkdir()
    overdue = job(how="hang", marks=marks)
    # The others have to import torch in that time, which takes a busy machine many seconds.
    report = run_jobs(store, overdue, job(2, workers=1), job(3), job_timeout=25).report
    assert report.failed == {overdue.id: "timeout"}
    assert report.done == 2
    assert len(list(marks.iterdir())) == 2
    until(lambda: all_gone(marks), "both members to end")


def test_a_group_that_never_fits_is_refused(store):
    from orchestrator.ray_backend.backend import RayBackend

    backend = RayBackend()
    with pytest.raises(CannotRun, match=r"wants 3 workers .* the nodes hold 2 of them"):
        backend.gpus(Resources(workers=3))
    assert backend.gpus(Resources(workers=2, num_gpus=1)) == 0  # no GPU here, and none is required
    backend.close()
