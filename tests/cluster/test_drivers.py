"""Sweeps whose driver is a process of its own: it is killed, interrupted, refused."""

import json
from pathlib import Path

import pandas as pd
import psutil
import pytest

from orchestrator.cli import main
from tasks import EXPERIMENTS
from tests.cluster.conftest import until

pytestmark = pytest.mark.cluster


def squares(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out / "toy" / "squares.parquet")


def uninterrupted(out: Path, monkeypatch, *arguments: str) -> pd.DataFrame:
    """The table of the same sweep, run by the inline backend."""
    monkeypatch.setitem(EXPERIMENTS, "toy", "tests.toy")
    assert main(["--experiment", "toy", "--backend", "inline", "--out", str(out), *arguments]) == 0
    return squares(out)


def runs(marks: Path) -> int:
    return len(list(marks.glob("[0-9]*")))


def test_one_worker_and_two_give_equal_tables_and_the_driver_needs_no_torch(drive, tmp_path, monkeypatch):
    frames = []
    for workers in (1, 2):
        modules = tmp_path / f"modules-{workers}"
        out = tmp_path / f"out-{workers}"
        driver = drive("--numbers", "1-30", "--num-cpus", workers, "--out", out, TOY_MODULES=str(modules))
        assert driver.wait() == 0, driver.text()
        frames.append(squares(out))
        imported = {name.partition(".")[0] for name in modules.read_text().split()}
        assert "ray" in imported
        assert not imported & {"torch", "transformers", "datasets"}
        [run] = (out / "toy" / "_runs").iterdir()
        record = json.loads((run / "config.json").read_text())
        assert record["options"]["num_cpus"] == workers
        assert "ray" in record["versions"]
    pd.testing.assert_frame_equal(*frames)
    pd.testing.assert_frame_equal(frames[0], uninterrupted(tmp_path / "inline", monkeypatch, "--numbers", "1-30"))


def test_a_killed_driver_loses_little_and_the_same_command_completes(drive, tmp_path, monkeypatch):
    marks, out = tmp_path / "marks", tmp_path / "out"
    marks.mkdir()
    arguments = ("--numbers", "1-60", "--seconds", "0.2", "--marks", marks, "--num-cpus", "2", "--out", out)
    driver = drive(*arguments)
    until(lambda: list(out.glob("toy/_parts/jobs/*.parquet")) and runs(marks) >= 30, "the sweep to be half done")
    driver.kill()
    until(lambda: not any(map(psutil.pid_exists, driver.children)), "Ray's processes of the killed driver to go")
    began = runs(marks)
    assert began < 60
    driver = drive(*arguments)
    assert driver.wait() == 0, driver.text()
    again = runs(marks) - 60
    # What the first driver had not written: at most 5 s of finished jobs on two workers and one flush, and what ran.
    assert 0 <= again <= 2 * 6 / 0.2 + 2
    jobs = pd.read_parquet(out / "toy" / "jobs.parquet")
    assert len(set(jobs["run"])) == 2
    assert set(jobs["status"]) == {"done"}
    assert f"{60 + 1 - len(jobs.query('run == run.max()'))} already there" in driver.text()
    pd.testing.assert_frame_equal(squares(out), uninterrupted(tmp_path / "whole", monkeypatch, "--numbers", "1-60"))


def test_ctrl_c_once_finishes_what_runs(drive, tmp_path, monkeypatch):
    marks, out = tmp_path / "marks", tmp_path / "out"
    marks.mkdir()
    arguments = ("--numbers", "1-20", "--seconds", "1", "--marks", marks, "--num-cpus", "2", "--out", out)
    driver = drive(*arguments)
    until(lambda: runs(marks) >= 3, "some jobs to run")
    driver.interrupt()
    assert driver.wait() == 130, driver.text()
    ran = runs(marks)
    assert ran < 20  # those in Ray's queue were taken back
    jobs = pd.read_parquet(out / "toy" / "jobs.parquet")
    assert set(jobs["status"]) == {"done"}
    assert len(jobs.query("stage == 'toy_square'")) == ran  # each that had started was finished and kept
    assert (out / "toy" / "report.html").exists()
    assert f"{20 - ran} jobs are left; the same command goes on from here" in driver.text()
    driver = drive(*arguments)
    assert driver.wait() == 0, driver.text()
    assert runs(marks) == 20
    pd.testing.assert_frame_equal(squares(out), uninterrupted(tmp_path / "whole", monkeypatch, "--numbers", "1-20"))


def test_ctrl_c_twice_stops_at_once(drive, tmp_path):
    marks, out = tmp_path / "marks", tmp_path / "out"
    marks.mkdir()
    arguments = ("--numbers", "1-4", "--wrong", "1-4", "--how", "hang", "--marks", marks, "--num-cpus", "2")
    driver = drive(*arguments, "--out", out)  # the jobs take ten minutes, longer than this test waits
    until(lambda: runs(marks) >= 2, "jobs to run")
    driver.interrupt()
    until(lambda: "interrupt again to stop now" in driver.text(), "the first interrupt to be seen")
    assert driver.process.poll() is None
    driver.interrupt()
    assert driver.wait() == 130, driver.text()
    assert "Traceback" not in driver.text()
    assert not (out / "toy" / "report.html").exists()


def test_resources_that_no_node_has_are_refused_before_the_start(drive, tmp_path):
    driver = drive(
        "--numbers", "1", "--gpus-per-job", "1", "--num-cpus", "2", "--out", tmp_path / "out", CUDA_VISIBLE_DEVICES=""
    )
    assert driver.wait() == 2
    assert "a job asks for 1 CPUs, 1 GPUs" in driver.text()
    assert "the nodes have 2 CPUs, 0 GPUs" in driver.text()
    assert not (tmp_path / "out").exists()


def test_no_cluster_at_the_address(drive, tmp_path):
    driver = drive("--numbers", "1", "--address", "127.0.0.1:1", "--out", tmp_path / "out")
    assert driver.wait() == 2
    assert "sweep.py: no Ray cluster answers at 127.0.0.1:1\n" in driver.text()
    assert not (tmp_path / "out").exists()
