"""The driver is asked to end: by Ctrl-C, by SIGTERM, by a terminal that is closed. The same command goes on."""

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios

import pandas as pd
import pytest

from tests.cluster.conftest import PATIENCE, ROOT, attempts, begun, check_whole, until

pytestmark = pytest.mark.cluster


@pytest.fixture(autouse=True)
def _as_from_a_shell():
    """Drivers inherit what the tests' own process does on SIGHUP: under nohup that is nothing."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_the_first_signal_finishes_what_runs(drive, standing, tmp_path, marks, undisturbed, name):
    out = tmp_path / "out"
    arguments = ("--numbers", "1-20", "--marks", marks, "--out", out)
    driver = drive(*arguments, "--seconds", "1", address=standing)
    until(lambda: begun(marks).total() >= 3, "some jobs to run")
    os.killpg(driver.process.pid, getattr(signal, name))  # as a terminal does
    assert driver.wait() == 130, driver.text()
    ran = begun(marks).total()
    assert ran < 20  # those in Ray's queue were taken back
    jobs = attempts(out)
    assert jobs["status"].tolist() == ["done"] * ran  # each that had started was finished and kept
    assert (out / "toy" / "report.html").exists()
    assert f"{20 - ran} jobs are left; the same command goes on from here" in driver.text()
    driver = drive(*arguments, address=standing)
    assert driver.wait() == 0, driver.text()
    assert set(begun(marks).values()) == {1}
    check_whole(out, undisturbed("1-20"))


def test_ctrl_c_twice_stops_at_once_and_keeps_what_has_come(drive, standing, tmp_path, marks, undisturbed):
    out = tmp_path / "out"
    arguments = ("--numbers", "1-12", "--marks", marks, "--out", out)
    # The last six take ten minutes each, longer than this test waits.
    driver = drive(*arguments, "--wrong", "7-12", "--how", "hang", address=standing)
    until(lambda: begun(marks).total() >= 8, "jobs to hang")
    driver.interrupt()
    until(lambda: "interrupt again to stop now" in driver.text(), "the first interrupt to be seen")
    assert driver.process.poll() is None
    driver.interrupt()
    assert driver.wait() == 130, driver.text()
    assert "Traceback" not in driver.text()
    assert "6 jobs are left; the same command goes on from here" in driver.text()
    assert not (out / "toy" / "report.html").exists()
    expected = undisturbed("1-12")
    there = pd.read_parquet(out / "toy" / "squares.parquet")
    pd.testing.assert_frame_equal(there, expected.query("number <= 6").reset_index(drop=True))
    driver = drive(*arguments, address=standing)
    assert driver.wait() == 0, driver.text()
    check_whole(out, expected)
    assert all(times == 1 for number, times in begun(marks).items() if int(number) <= 6)


@pytest.mark.parametrize("place", ["joined", "local"])
def test_a_terminal_that_is_closed(request, drive, ray_folder, tmp_path, marks, undisturbed, place):
    """The connection of `ray submit` drops: the kernel sends SIGHUP to all, and the terminal takes no word."""
    address, out = request.getfixturevalue("standing") if place == "joined" else "local", tmp_path / "out"
    arguments = ["--experiment", "toy", "--numbers", "1-20", "--num-cpus", "2", "--marks", marks, "--out", out]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.toy", *map(str, arguments), "--seconds", "1", "--address", address],
        cwd=ROOT,
        env=os.environ | {"RAY_TMPDIR": ray_folder},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    try:
        until(lambda: begun(marks).total() >= 3, "some jobs to run")
        os.close(ours)
        assert process.wait(PATIENCE) == 130
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    ran = begun(marks).total()
    assert 3 <= ran < 20
    assert attempts(out)["status"].tolist() == ["done"] * ran
    assert (out / "toy" / "report.html").exists()
    driver = drive(*arguments[2:], address=address)
    assert driver.wait() == 0, driver.text()
    assert set(begun(marks).values()) == {1}
    check_whole(out, undisturbed("1-20"))
