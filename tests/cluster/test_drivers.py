"""Sweeps whose driver is a process of its own: it is killed, interrupted, refused."""

import json

import pandas as pd
import psutil
import pytest

from tests.cluster.conftest import begun, check_whole, squares, until

pytestmark = pytest.mark.cluster


def test_one_worker_and_two_give_equal_tables_and_the_driver_needs_no_torch(drive, tmp_path, undisturbed):
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
    pd.testing.assert_frame_equal(frames[0], undisturbed("1-30"))


def test_a_killed_driver_loses_little_and_the_same_command_completes(drive, tmp_path, marks, undisturbed):
    out = tmp_path / "out"
    arguments = ("--numbers", "1-60", "--seconds", "0.2", "--marks", marks, "--num-cpus", "2", "--out", out)
    driver = drive(*arguments)
    until(
        lambda: list(out.glob("toy/_parts/jobs/*.parquet")) and begun(marks).total() >= 30, "the sweep to be half done"
    )
    driver.kill()
    until(lambda: not any(map(psutil.pid_exists, driver.children)), "Ray's processes of the killed driver to go")
    began = begun(marks).total()
    assert began < 60
    driver = drive(*arguments)
    assert driver.wait() == 0, driver.text()
    again = begun(marks).total() - 60
    # What the first driver had not written: at most 5 s of finished jobs on two workers and one flush, and what ran.
    assert 0 <= again <= 2 * 6 / 0.2 + 2
    jobs = pd.read_parquet(out / "toy" / "jobs.parquet")
    assert len(set(jobs["run"])) == 2
    assert set(jobs["status"]) == {"done"}
    assert f"{60 + 1 - len(jobs.query('run == run.max()'))} already there" in driver.text()
    check_whole(out, undisturbed("1-60"))


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
