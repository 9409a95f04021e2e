"""The disk with the results is full while rows are written: they wait in memory, and are lost only if it stays full."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.cluster.conftest import attempts, begun, check_whole, squares, until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root"),
]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of eight megabytes."""
    (place := tmp_path / "disk").mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path) -> None:
    with (disk / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return


@pytest.fixture
def start(drive, standing, disk: Path, marks: Path, undisturbed) -> Callable[[], object]:
    """Fill the disk under a sweep of 60 jobs (eight seconds) whose first ten are done and on the disk."""
    arguments = ("--marks", marks, "--out", disk)
    first = drive("--numbers", "1-10", *arguments, address=standing)
    assert first.wait() == 0, first.text()

    def go():
        driver = drive("--numbers", "1-60", "--seconds", "0.25", *arguments, address=standing)
        until(lambda: begun(marks).total() > 12, "jobs to run")
        fill(disk)
        until(lambda: "rows cannot be written now" in driver.text(), "the full disk to be noticed")
        assert "they stay in memory and are tried again every 5 s: [Errno 28] No space left on device" in driver.text()
        return driver

    return go


def test_a_disk_that_is_full_for_a_while_costs_nothing(start, disk, marks, undisturbed):
    driver = start()
    (disk / "ballast").unlink()
    assert driver.wait() == 0, driver.text()
    assert driver.text().count("No space left") == 1
    assert "Traceback" not in driver.text()
    check_whole(disk, undisturbed("1-60"))
    assert set(attempts(disk)["attempt"]) == {1}
    assert set(begun(marks).values()) == {1}


def test_a_disk_that_stays_full_ends_the_sweep_and_says_what_is_lost(start, drive, standing, disk, marks, undisturbed):
    driver = start()
    assert driver.wait() == 1, driver.text()
    text = driver.text()
    assert "the rows of 50 attempts could not be written within 30 s of the last job: their jobs run again" in text
    assert "the report could not be written, --reduce-only tries it again: [Errno 28] No space left on device" in text
    assert f"the rows of 50 attempts could not be written to {disk}/toy: see that there is room" in text
    assert "Traceback" not in text
    assert not list(disk.rglob("_tmp-*"))
    pd.testing.assert_frame_equal(squares(disk), undisturbed("1-10"))  # what was there is there
    full = drive("--numbers", "1-60", "--marks", marks, "--out", disk, address=standing)
    assert full.wait() == 2, full.text()
    assert f"sweep.py: results cannot be written to {disk}/toy: [Errno 28] No space left on device" in full.text()
    (disk / "ballast").unlink()
    again = drive("--numbers", "1-60", "--marks", marks, "--out", disk, address=standing)
    assert again.wait() == 0, again.text()
    assert "50 jobs to run, 11 already there" in again.text()
    check_whole(disk, undisturbed("1-60"))
    assert begun(marks) == {str(number): 1 + (number > 10) for number in range(1, 61)}
