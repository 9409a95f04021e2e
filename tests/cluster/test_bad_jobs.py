"""Jobs that raise, hang, die or eat memory: each failure has its cause, the others' rows are an undisturbed sweep's."""

from pathlib import Path

import pandas as pd
import psutil
import pytest

from tests.cluster.conftest import attempts, begun, check_whole, squares

pytestmark = pytest.mark.cluster

NUMBERS = "1-12"


def check_the_others(out: Path, expected: pd.DataFrame, wrong: int) -> None:
    """The rows of all numbers but one are there as in the undisturbed table."""
    pd.testing.assert_frame_equal(squares(out), expected.query("number != @wrong").reset_index(drop=True))
    jobs = attempts(out)
    assert jobs.query("number != @wrong")["status"].tolist() == ["done"] * 11


@pytest.mark.parametrize(
    ("how", "status", "error", "times"),
    [
        ("raise", "failed", "ValueError", 2),
        ("die", "lost", "WorkerCrashedError", 4),
        ("hang", "timeout", "JobTimeout", 1),
    ],
)
def test_a_job_that_is_always_wrong(sweep, undisturbed, tmp_path, marks, capsys, how, status, error, times):
    out, expected = tmp_path / "out", undisturbed(NUMBERS)
    code, jobs = sweep(
        "--numbers", NUMBERS, "--wrong", "5", "--how", how, "--max-worker-failures", "3", "--job-timeout", "4"
    )
    assert code == 1
    check_the_others(out, expected, 5)
    wrong = jobs.query("number == 5")
    assert set(zip(wrong["status"], wrong["error"], strict=True)) == {(status, error)}
    assert wrong["attempt"].tolist() == list(range(1, times + 1))
    assert wrong["current"].tolist() == [False] * (times - 1) + [True]
    assert begun(marks) == {str(number): 1 for number in range(1, 13)} | {"5": times}
    shown = capsys.readouterr().out
    assert f"1 job of toy_square {status}: {error}: " in shown
    assert "12 of 13 jobs done" in shown
    assert ("in square" in shown) == (how == "raise")  # the worker's traceback, where there can be one
    code, jobs = sweep("--numbers", NUMBERS)  # mended
    assert code == 0
    check_whole(out, expected)
    assert begun(marks)["5"] == times + 1
    assert begun(marks).total() == 12 + times


@pytest.mark.parametrize(
    ("how", "status", "error"), [("once", "failed", "ValueError"), ("die_once", "lost", "WorkerCrashedError")]
)
def test_a_job_that_is_wrong_once(sweep, undisturbed, tmp_path, how, status, error):
    expected = undisturbed(NUMBERS)
    attempt = ("--attempts", "1") if how == "die_once" else ()  # a loss costs no attempt
    code, jobs = sweep("--numbers", NUMBERS, "--wrong", "5", "--how", how, *attempt)
    assert code == 0
    check_whole(tmp_path / "out", expected)
    five = jobs.query("number == 5")
    assert five["status"].tolist() == [status, "done"]
    assert five["error"].tolist()[0] == error
    assert len(jobs) == 13


def test_a_job_that_closes_the_standard_streams(sweep, undisturbed, tmp_path):
    """What it breaks is its own process; what a later job in that process does is kept or tried again."""
    expected = undisturbed(NUMBERS)
    code, jobs = sweep("--numbers", NUMBERS, "--wrong", "5", "--how", "deaf")
    assert code == 0
    check_whole(tmp_path / "out", expected)
    assert set(jobs["status"]) <= {"done", "lost"}


@pytest.mark.slow
def test_a_job_that_eats_memory_is_ended_and_named(drive, nodes, tmp_path, marks, undisturbed):
    """Ray's memory monitor ends it, and perhaps its neighbour; by itself Ray would start it again without limit."""
    memory = psutil.virtual_memory()
    threshold = (memory.total - memory.available + 2.5 * 2**30) / memory.total  # the cluster itself takes one of these
    cluster = nodes(2, RAY_memory_usage_threshold=f"{threshold:.4f}", RAY_memory_monitor_refresh_ms="100")
    out = tmp_path / "out"
    arguments = ("--numbers", NUMBERS, "--marks", marks, "--seconds", "1", "--out", out)
    driver = drive(*arguments, "--wrong", "5", "--how", "eat", "--attempts", "3", address=cluster.address)
    assert driver.wait() == 1, driver.text()
    expected = undisturbed(NUMBERS)
    pd.testing.assert_frame_equal(squares(out), expected.query("number != 5").reset_index(drop=True))
    five = attempts(out).query("number == 5")
    assert five["status"].tolist() == ["failed"] * 3
    assert set(five["error"]) == {"OutOfMemory"}, driver.text()
    assert begun(marks)["5"] == 3
    assert "1 job of toy_square failed: OutOfMemory: " in driver.text()
    assert "12 of 13 jobs done" in driver.text()
    driver = drive(*arguments, address=cluster.address)
    assert driver.wait() == 0, driver.text()
    check_whole(out, expected)
