"""Worker processes are killed and nodes go, in the middle of a sweep: their jobs run again elsewhere."""

import os
import signal
from pathlib import Path

import pytest

from tests.cluster.conftest import attempts, begun, check_whole, until

pytestmark = pytest.mark.cluster


def served(marks: Path) -> list[tuple[int, int]]:
    """The process of each job that has begun, and its node's raylet."""
    return [(int(pid), int(raylet)) for pid, raylet in (p.read_text().split() for p in marks.glob("[0-9]*"))]


def test_a_worker_killed_from_outside_costs_its_job_one_loss(drive, standing, tmp_path, marks, undisturbed):
    out = tmp_path / "out"
    driver = drive(
        "--numbers", "1-8", "--seconds", "1", "--attempts", "1", "--marks", marks, "--out", out, address=standing
    )
    until(lambda: begun(marks).total() >= 3, "jobs to run")
    last = max(marks.glob("[0-9]*"), key=lambda mark: mark.stat().st_mtime)
    os.kill(int(last.read_text().split()[0]), signal.SIGKILL)
    assert driver.wait() == 0, driver.text()
    check_whole(out, undisturbed("1-8"))
    jobs = attempts(out)
    [lost] = jobs.query("status != 'done'").to_dict("records")
    assert (lost["status"], lost["error"]) == ("lost", "WorkerCrashedError")
    assert lost["number"] == int(last.name.partition("-")[0])
    assert begun(marks) == dict.fromkeys(map(str, range(1, 9)), 1) | {str(lost["number"]): 2}


def test_a_node_goes_and_another_comes(drive, nodes, tmp_path, marks, undisturbed):
    cluster, out = nodes(1, 1), tmp_path / "out"
    driver = drive("--numbers", "1-30", "--seconds", "0.5", "--marks", marks, "--out", out, address=cluster.address)
    until(lambda: len({raylet for _, raylet in served(marks)}) == 2 and begun(marks).total() >= 6, "both nodes to run")
    victim = next(iter(cluster.worker_nodes))
    cluster.remove_node(victim, allow_graceful=False)
    before = {raylet for _, raylet in served(marks)}
    cluster.add_node(num_cpus=1, runtime_env_dir_name="resources-new")
    until(lambda: {raylet for _, raylet in served(marks)} - before, "the new node to run jobs")
    assert driver.wait() == 0, driver.text()
    check_whole(out, undisturbed("1-30"))
    lost = attempts(out).query("status != 'done'")
    assert set(lost["status"]) <= {"lost"}  # none, where the node went between two jobs
    assert lost["number"].is_unique
    assert begun(marks).total() <= 30 + len(lost)
