"""Clocks that differ: of two drivers on one store, and of the nodes of one sweep."""

import datetime
from pathlib import Path

import pandas as pd
import pytest

from orchestrator import runs, session, worker
from orchestrator.runs import new_run_id
from tests import toy

NOW = datetime.datetime.now(datetime.UTC)


def named(days: float, ending: str = "0f42a1b7") -> str:
    """A run that a machine has named whose clock is so many days ahead."""
    return f"{NOW + datetime.timedelta(days=days):%Y%m%dT%H%M%S}-{ending}"


def test_run_ids_sort_by_time_and_differ():
    ids = [new_run_id() for _ in range(20)]
    assert len(set(ids)) == 20
    assert [run_id[:-3] for run_id in ids] == sorted(run_id[:-3] for run_id in ids)  # the last run is the last one
    assert all(runs.RUN.fullmatch(run_id) for run_id in ids)


@pytest.mark.parametrize("ending", ["ffff", "0f42a1b7", "ffffffff"])
def test_a_run_sorts_after_all_that_are_there(ending):
    there = [named(-400, ending), named(1, ending), named(0, ending)]
    for _ in range(5):
        there.append(new_run_id(there))
        assert max(there) == there[-1]
        assert runs.RUN.fullmatch(there[-1])
    assert len({run_id[:-3] for run_id in {new_run_id(there) for _ in range(50)}}) > 1  # two at once differ as ever


def test_what_is_no_run_says_nothing_of_the_time():
    folders = ["zzz", "99999999T999999-ffff", "20991399T000000-ffff", named(-1) + "-copy"]
    assert new_run_id(folders) < named(1)


def table(out: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(out / "toy" / f"{name}.parquet")


@pytest.mark.parametrize("days", [-1, 1])
def test_the_driver_that_ran_last_wins_whatever_its_clock_says(sweep, out, monkeypatch, days):
    """The first driver's clock is a day behind or ahead; the second runs the jobs again with other code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "new_run_id", lambda there: named(days))
        assert sweep("--numbers", "1-3") == 0
    for module in ("session", "commands", "worker", "runs"):
        monkeypatch.setattr(f"orchestrator.{module}.code_digest", lambda: "new-digest")
    monkeypatch.setattr(toy, "square", lambda params, context: {"squares": [{"part": 0, "value": -1.0}]})
    assert sweep("--numbers", "1-3", "--rerun-drifted") == 0
    frame = table(out, "squares")
    assert frame["number"].tolist() == [1, 2, 3]
    assert set(frame["value"]) == {-1.0}
    jobs = table(out, "jobs")
    assert len(jobs) == 8
    assert set(jobs.query("current")["code"]) == {"new-digest"}
    assert set(jobs.query("current")["run"]) == {max(jobs["run"])}


def test_nodes_whose_clocks_are_a_day_off_change_nothing_but_when_a_job_began(sweep, tmp_path, monkeypatch):
    """Every third job runs on a node whose clock is a day behind, every third on one that is a day ahead."""
    assert sweep("--numbers", "1-12", "--out", tmp_path / "right") == 0
    jobs: list[int] = []

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            jobs.append(len(jobs) % 3 - 1)
            return super().now(tz) + datetime.timedelta(days=jobs[-1])

    monkeypatch.setattr(worker.datetime, "datetime", Clock)
    assert sweep("--numbers", "1-6", "--out", tmp_path / "wrong") == 0
    assert sweep("--numbers", "1-12", "--out", tmp_path / "wrong") == 0
    assert len(jobs) >= 13
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    pd.testing.assert_frame_equal(table(wrong, "squares"), table(right, "squares"))
    same = ["job_id", "stage", "params", "data", "status", "attempt", "current"]
    pd.testing.assert_frame_equal(table(wrong, "jobs").loc[:, same], table(right, "jobs").loc[:, same])
    began = table(wrong, "jobs")["started_at"].tolist()
    assert max(began) - min(began) > datetime.timedelta(days=1, hours=23)
