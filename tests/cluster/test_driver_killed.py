"""The driver is killed (SIGKILL) at random moments, twenty times; the same command goes on until all is done."""

import logging
import random
import time
from pathlib import Path

import pytest

from orchestrator.store import Store
from tests import toy
from tests.cluster.conftest import attempts, begun, check_whole, until

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

KILLS = 20
JOBS = 600  # more than twenty lives of a few seconds each can finish
SECONDS = 0.2  # a job takes so long, on one of two slots
log = logging.getLogger(__name__)


def done(out: Path) -> set[str]:
    """Ids of the jobs whose rows are on disk."""
    return set(Store(out, "toy", toy.EXPERIMENT.tables).snapshot().done)


def test_twenty_kills_lose_five_seconds_each_at_most(drive, nodes, tmp_path, marks, undisturbed):
    chance = random.Random(seed := random.randrange(10**6))
    log.warning("seed %d", seed)
    cluster, out = nodes(2), tmp_path / "out"
    arguments = ("--numbers", f"1-{JOBS}", "--marks", marks, "--out", out)
    before: set[str] = set()
    kills = 0
    while kills < KILLS:
        driver, began = drive(*arguments, "--seconds", SECONDS, address=cluster.address), begun(marks).total()
        # Half of them die while they start, the others while jobs run.
        if kills % 2:
            until(lambda began=began: begun(marks).total() > began, "a job to run")
            time.sleep(chance.uniform(0, 7))
        else:
            time.sleep(chance.uniform(0, 4))
        if driver.process.poll() is not None:
            break
        driver.kill()
        kills += 1
        ran = begun(marks).total() - began
        there = done(out)
        assert before <= there, "what was on disk is there for good"
        lost = ran - len({*there} - before)
        # At most 5 s of finished jobs and one flush on two slots, and the two that ran.
        assert lost <= 2 * 6 / SECONDS + 2, f"kill {kills} lost {lost} of {ran} jobs"
        log.warning("kill %d: %d jobs had begun, %d are on disk", kills, ran, len(there))
        before = there
    assert kills == KILLS, driver.text()
    driver = drive(*arguments, address=cluster.address)  # how long a job takes is no parameter of it
    assert driver.wait() == 0, driver.text()
    check_whole(out, undisturbed(f"1-{JOBS}"))
    jobs = attempts(out)
    assert set(jobs["status"]) == {"done"}
    assert jobs["job_id"].is_unique  # no job that was on disk has run again
    assert begun(marks).keys() == {str(number) for number in range(1, JOBS + 1)}
