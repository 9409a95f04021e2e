"""Checkpoints: whole or not at all, the newest whole one is found, two are kept, and they go when the job is done."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from orchestrator.artifacts import DONE, ArtifactError
from orchestrator.backend import InlineBackend
from orchestrator.checkpoints import Checkpoints, unneeded
from orchestrator.cli import main
from orchestrator.experiment import Context, Job
from orchestrator.plan import make_plan
from orchestrator.progress import Progress
from orchestrator.runner import Runner
from orchestrator.runs import RunOptions, new_run_id
from orchestrator.storage import Storage
from orchestrator.store import Store
from tasks import EXPERIMENTS
from tests import toy_group

JOB = "0123456789abcdef"


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(Storage.at(tmp_path / "checkpoints"), "train", JOB)


def save(checkpoints: Checkpoints, folder: Path, *steps: int) -> None:
    for step in steps:
        (folder / "deep").mkdir(parents=True)
        (folder / "step.txt").write_text(str(step))
        (folder / "deep" / "weights.bin").write_bytes(bytes(100))
        checkpoints.save(step, folder)
        assert not list(folder.iterdir())  # it has taken them
        folder.rmdir()


def place(checkpoints: Checkpoints, step: int) -> Path:
    return Path(checkpoints.storage.root, "train", JOB[:2], f"{JOB}-{step}")


def found(checkpoints: Checkpoints) -> int | None:
    latest = checkpoints.latest()
    if latest is None:
        return None
    assert (latest[1] / "step.txt").read_text() == str(latest[0])
    assert (latest[1] / "deep" / "weights.bin").stat().st_size == 100
    return latest[0]


def test_the_newest_two_are_kept(checkpoints, tmp_path):
    assert checkpoints.latest() is None
    save(checkpoints, tmp_path / "here", 0, 9, 10, 100)  # as numbers, not as texts
    assert found(checkpoints) == 100
    kept = sorted(path.name for path in place(checkpoints, 100).parent.iterdir())
    assert kept == [f"{JOB}-10", f"{JOB}-100"]
    assert not list(tmp_path.rglob("_tmp-*"))


def truncate(place: Path) -> None:
    os.truncate(place / "deep" / "weights.bin", 50)


def flip(place: Path) -> None:
    (place / "deep" / "weights.bin").write_bytes(bytes(99) + b"x")


DAMAGE = {
    "half-written": lambda place: (place / DONE).unlink(),
    "truncated": truncate,
    "a file is missing": lambda place: (place / "step.txt").unlink(),
    "another hash": flip,
    "a damaged manifest": lambda place: os.truncate(place / DONE, 20),
    "a hostile manifest": lambda place: (place / DONE).write_text(json.dumps({"../x": {"size": 1, "sha256": ""}})),
    "an empty folder": lambda place: [path.unlink() for path in place.rglob("*") if path.is_file()],
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_one_is_passed_over_for_the_one_before(how, checkpoints, tmp_path, caplog):
    save(checkpoints, tmp_path / "here", 5, 6)
    DAMAGE[how](place(checkpoints, 6))
    assert found(checkpoints) == 5
    [warning] = [record.getMessage() for record in caplog.records]
    assert f"the checkpoint of step 6 of job {JOB} is passed over" in warning
    assert str(place(checkpoints, 6)) in warning
    save(checkpoints, tmp_path / "here", 6)  # the job goes on from 5, and comes to 6 again
    assert found(checkpoints) == 6
    assert sorted(checkpoints._steps()) == [5, 6]


def test_what_was_passed_over_is_not_taken_for_the_newest_later(checkpoints, tmp_path):
    save(checkpoints, tmp_path / "here", 10, 20)
    flip(place(checkpoints, 20))
    assert found(checkpoints) == 10
    save(checkpoints, tmp_path / "here", 15)  # saved more often now
    assert sorted(checkpoints._steps()) == [10, 15]


def test_nothing_whole_is_none(checkpoints, tmp_path):
    save(checkpoints, tmp_path / "here", 5, 6)
    truncate(place(checkpoints, 5))
    truncate(place(checkpoints, 6))
    assert checkpoints.latest() is None


def test_a_directory_with_a_link_is_not_saved(checkpoints, tmp_path):
    save(checkpoints, tmp_path / "here", 1)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link").symlink_to("/etc/passwd")
    with pytest.raises(ArtifactError, match="link"):
        checkpoints.save(2, tmp_path / "here")
    assert found(checkpoints) == 1
    assert not list(tmp_path.rglob("_tmp-*"))


def test_a_negative_step_is_refused(checkpoints, tmp_path):
    with pytest.raises(ValueError, match=r"step -1 of job .* counted from 0"):
        checkpoints.save(-1, tmp_path)


def test_clearing_takes_what_a_killed_worker_has_left_and_nothing_of_others(checkpoints, tmp_path):
    other = replace(checkpoints, job_id="01" + "f" * 14)  # in the same folder
    save(checkpoints, tmp_path / "here", 1)
    save(other, tmp_path / "here", 1)
    (checkpoints._artifacts.workspace("train", f"{JOB}-2") / "half.bin").write_bytes(b"half")
    checkpoints.clear()
    assert checkpoints.latest() is None
    assert not list(tmp_path.rglob(f"*{JOB}*"))
    assert found(other) == 1
    assert unneeded(checkpoints.storage, {other.job_id}) == []
    assert unneeded(checkpoints.storage, set()) == [other]


def test_an_object_store(s3, tmp_path):
    checkpoints = Checkpoints(Storage.at(s3.url("sweeps/checkpoints")), "train", JOB)
    assert checkpoints.latest() is None
    save(checkpoints, tmp_path / "here", 1, 2, 3)
    assert found(checkpoints) == 3
    assert sorted(checkpoints._steps()) == [2, 3]
    checkpoints.storage.delete(f"train/{JOB[:2]}/{JOB}-3/{DONE}")
    assert found(checkpoints) == 2
    checkpoints.storage.write(f"train/{JOB[:2]}/{JOB}-2/step.txt", b"5")
    found_again = checkpoints.latest()  # this machine's copy, which was checked when it came
    assert found_again is not None
    assert found_again[0] == 2
    checkpoints.clear()
    assert checkpoints.latest() is None


def test_a_stage_in_a_notebook(tmp_path):
    """The toy stage without a sweep: it goes on from where it was."""
    checkpoints = Checkpoints(Storage.at(tmp_path / "checkpoints"), "toy", "local")
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    context = Context(artifact=tmp_path / "first", checkpoints=checkpoints)
    [row] = toy_group.add_up(toy_group.Params(number=1, steps=2), context)["sums"]
    assert (row["total"], row["first"]) == (3, 0)
    context = replace(context, artifact=tmp_path / "second")
    [row] = toy_group.add_up(toy_group.Params(number=1, steps=4), context)["sums"]
    assert (row["total"], row["first"]) == (10, 2)


def run(store: Store, job: Job, **options) -> Runner:
    plan = make_plan([job])
    silent = Progress(Console(quiet=True))
    runner = Runner(plan, list(plan.jobs), store, InlineBackend(), silent, new_run_id(), RunOptions(**options))
    runner.run()
    return runner


def toy_job(**paths: str) -> Job:
    params = toy_group.Params(number=1, steps=3)
    return Job(stage=toy_group.ADD_UP, params=params, paths=paths)


def test_the_next_attempt_goes_on_and_they_go_once_the_rows_are_there(tmp_path, monkeypatch):
    store = Store(tmp_path, "toy_group", toy_group.EXPERIMENT.tables)
    add_up, fails = toy_group.add_up, [True]

    def fail_after(params, context):
        done = add_up(params if not fails else replace(params, steps=2), context)
        if fails:
            fails.pop()
            raise ValueError("the disk was full, say")
        return done

    monkeypatch.setattr(toy_group, "add_up", fail_after)
    flush, at_flush = type(store.journal("x")).flush, []

    def watched(journal):
        at_flush.append((journal.buffered, store.checkpoints_of(toy_job()).latest() is not None))
        return flush(journal)

    monkeypatch.setattr("orchestrator.journal.Journal.flush", watched)
    assert run(store, toy_job(), attempts=2).report.good
    [row] = store.read("sums", store.snapshot()).to_pylist()
    assert (row["total"], row["first"]) == (6, 2)
    assert (2, True) in at_flush  # a driver that is killed before its rows are written starts from them again
    assert store.checkpoints_of(toy_job()).latest() is None


def test_those_of_a_failed_job_stay(tmp_path, monkeypatch):
    store = Store(tmp_path, "toy_group", toy_group.EXPERIMENT.tables)
    save(store.checkpoints_of(toy_job()), tmp_path / "here", 1)
    monkeypatch.setattr(toy_group, "add_up", lambda params, context: 1 / 0)
    assert not run(store, toy_job(), attempts=1).report.good
    assert found(store.checkpoints_of(toy_job())) == 1


@pytest.fixture
def group_sweep(monkeypatch, tmp_path: Path) -> Callable[..., int]:
    monkeypatch.setitem(EXPERIMENTS, "toy_group", "tests.toy_group")
    always = ["--experiment", "toy_group", "--backend", "inline", "--out", str(tmp_path / "out")]
    return lambda *arguments: main([*always, *arguments])


def test_what_a_killed_driver_has_left_of_a_done_job_goes_with_the_next_run(group_sweep, tmp_path):
    assert group_sweep("--workers", "1", "--numbers", "1") == 0
    store = Store(tmp_path / "out", "toy_group", {})
    done, new = (store.checkpoints_of(job) for job in toy_group.plan(toy_group.Config(numbers=(1, 2), workers=1)))
    for checkpoints in (done, new):
        (tmp_path / "here").mkdir()
        (tmp_path / "here" / "total.txt").write_text("100.0")
        checkpoints.save(3, tmp_path / "here")
        (tmp_path / "here").rmdir()
    assert group_sweep("--workers", "1", "--numbers", "1,2") == 0
    assert (done.latest(), new.latest()) == (None, None)
    sums = pd.read_parquet(tmp_path / "out" / "toy_group" / "sums.parquet").set_index("number")["total"]
    assert sums.to_dict() == {1: 10, 2: 108}  # the second went on from the third step


def test_gc_deletes_checkpoints_that_no_last_plan_names(group_sweep, tmp_path, capsys):
    assert group_sweep("--workers", "1") == 0
    store = Store(tmp_path / "out", "toy_group", {})
    save(Checkpoints(store.checkpoints, "toy_add_up", JOB), tmp_path / "here", 1)
    [job] = toy_group.plan(toy_group.Config())
    save(store.checkpoints_of(job), tmp_path / "here", 1)
    assert group_sweep("--gc") == 0
    assert f"deleted the checkpoints of toy_add_up/{JOB}" in capsys.readouterr().out
    assert found(Checkpoints(store.checkpoints, "toy_add_up", JOB)) is None
    assert found(store.checkpoints_of(job)) == 1


def test_several_workers_inline_are_refused_before_the_start(group_sweep, tmp_path, capsys):
    assert group_sweep("--workers", "2") == 2
    assert "a job wants 2 worker processes" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
