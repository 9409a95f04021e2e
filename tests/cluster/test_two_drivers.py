"""Two sweeps with overlapping jobs write into one store at the same time."""

import pytest

from tests.cluster.conftest import attempts, begun, check_whole, until

pytestmark = pytest.mark.cluster


def test_two_sweeps_at_once_on_one_store(drive, standing, tmp_path, marks, undisturbed):
    out = tmp_path / "out"
    shared = ("--seconds", "0.2", "--marks", marks, "--out", out)
    drivers = [drive("--numbers", numbers, *shared, address=standing) for numbers in ("1-30", "16-45")]
    for driver in drivers:
        assert driver.wait() == 0, driver.text()
        assert "31 of 31 jobs done" in driver.text()
    check_whole(out, undisturbed("1-45"))
    jobs = attempts(out)
    assert set(jobs["status"]) == {"done"}
    assert len(set(jobs["run"])) == 2
    assert begun(marks).total() == len(jobs)


def test_the_same_sweep_started_twice(drive, standing, tmp_path, marks, undisturbed):
    out = tmp_path / "out"
    arguments = ("--numbers", "1-20", "--seconds", "0.2", "--marks", marks, "--out", out)
    first = drive(*arguments, address=standing)
    until(lambda: begun(marks).total() >= 5, "the first to run")
    second = drive(*arguments, address=standing)
    assert first.wait() == 0, first.text()
    assert second.wait() == 0, second.text()
    check_whole(out, undisturbed("1-20"))
    third = drive(*arguments, address=standing)
    assert third.wait() == 0, third.text()
    assert "0 jobs to run, 21 already there" in third.text()
