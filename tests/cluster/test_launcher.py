"""The cluster launcher, for real: `cluster-local.yaml` brings up two machines over ssh, and sweeps are run on them."""

import datetime
import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml

from orchestrator.cli import main
from tasks import EXPERIMENTS
from tests.cluster.conftest import ROOT, until
from tests.cluster.machines import HEAD, SHARED, WORKER, Machines, machines

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

FILE = "cluster-local.yaml"
SMALL = "--trainings frozen --depths 1-2 --seeds 0-2 --train-limit 40 --epochs 1"
SWEEP = f"sweep.py --experiment glue_depth --preset quick {SMALL}"
SUBMIT = f"cd ~/project && ray submit {FILE} {SWEEP}"


def prepare(group: Machines) -> None:
    """The project on the laptop: what the launcher file syncs, and the file with these machines filled in."""
    config = yaml.safe_load((ROOT / FILE).read_text())
    project = group.home("laptop") / "project"
    for path in config["file_mounts"].values():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / path).is_dir() else shutil.copy
        copy(ROOT / path, project / path)
    config["provider"] |= {"head_ip": HEAD, "worker_ips": [WORKER]}
    config["auth"] |= {"ssh_user": "root", "ssh_private_key": "~/.ssh/key"}
    text = yaml.safe_dump(config)
    assert text.count("SWEEP_OUT=/shared/sweeps") == 1
    (project / FILE).write_text(text.replace("SWEEP_OUT=/shared/sweeps", f"SWEEP_OUT={SHARED}/sweeps"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Machines]:
    """Machines on which `ray up` has been run; the tests of this file share them, and the last one takes Ray down."""
    before = users_files()
    with machines() as group:
        prepare(group)
        group.run(f"cd ~/project && ray up --yes {FILE}")
        until(lambda: both_are_there(group), "the worker to join")
        yield group
    assert users_files() == before


def both_are_there(group: Machines) -> bool:
    return "2 local.cluster.node" in group.run("ray status", on="head")


def users_files() -> dict[Path, str]:
    """The user's own files that ssh and the launcher's commands would write, if they were not kept from them."""
    home = Path.home()
    paths = [home / ".bashrc", home / ".sweeps_env", home / ".sweeps_requirements", *(home / ".ssh").glob("*")]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.is_file()}


def jobs_of(group: Machines, out: str = "sweeps", experiment: str = "glue_depth") -> pd.DataFrame:
    return pd.read_parquet(group.shared / out / experiment / "jobs.parquet")


def digest(group: Machines) -> str:
    """Digest of the code that lies on the laptop."""
    return group.run("cd ~/project && python -c 'from orchestrator.code import code_digest as d; print(d())'").strip()


def said(output: str) -> tuple[str, datetime.datetime]:
    """What a run prints first: the digest of its code, and when that came to the head."""
    found = re.search(r"code ([0-9a-f]{12}), last changed here (\S+ \S+) UTC", output)
    assert found is not None, output
    assert output.index(found[0]) < output.index("glue_depth, run ")
    return found[1], datetime.datetime.fromisoformat(found[2])


def test_submit_runs_the_synced_code_on_both_machines(cluster):
    output = cluster.run(SUBMIT)
    old, synced = said(output)
    assert old == digest(cluster)
    jobs = jobs_of(cluster)
    assert set(jobs["status"]) == {"done"}
    assert set(jobs["host"]) == {"head", "worker"}
    assert set(jobs["code"]) == {old}
    scores = pd.read_parquet(cluster.shared / "sweeps" / "glue_depth" / "scores.parquet")
    assert set(scores["depth"]) == {1, 2}
    assert set(scores["seed"]) == {0, 1, 2}

    code = cluster.home("laptop") / "project" / "metrics" / "glue.py"
    code.write_text(code.read_text() + "# A change.\n")
    new = digest(cluster)
    assert new != old
    # Forgotten to sync: the old code runs, and says so.
    output = cluster.run(SUBMIT)
    assert said(output) == (old, synced)
    assert "0 jobs to run" in output

    cluster.run(f"cd ~/project && ray rsync-up {FILE}")
    output = cluster.run(f"{SUBMIT} --rerun-drifted")
    assert said(output)[0] == new
    assert said(output)[1] > synced
    again = jobs_of(cluster).query("run == run.max()")
    assert len(again) == len(jobs)
    assert set(again["host"]) == {"head", "worker"}
    assert set(again["code"]) == {new}


@pytest.mark.parametrize("out", ["results", "/mnt/home/results"])
def test_results_that_the_machines_do_not_share_are_refused(cluster, out):
    output = cluster.run(f"{SUBMIT} --out {out}", check=False)
    assert "worker does not share the results: /mnt/home/results/glue_depth/_runs/" in output
    assert "Give --out (or SWEEP_OUT)" in output
    assert not (cluster.home("head") / "results" / "glue_depth" / "jobs.parquet").exists()  # no job has been tried


def test_results_that_a_machine_cannot_write_are_refused(cluster):
    cluster.run(f"mount -o remount,ro,bind {SHARED}", on="worker")
    try:
        output = cluster.run(f"{SUBMIT} --out {SHARED}/readonly", check=False)
    finally:
        cluster.run(f"mount -o remount,rw,bind {SHARED}", on="worker")
    assert f"worker cannot write to {SHARED}/readonly/artifacts" in output
    assert "Read-only file system" in output
    assert not (cluster.shared / "readonly" / "glue_depth" / "jobs.parquet").exists()


def test_a_worker_whose_code_differs_from_the_drivers_is_refused(cluster):
    shipped = list(
        cluster.folder.glob("worker/tmp/ray/session_2*/runtime_resources/working_dir_files/*/metrics/glue.py")
    )
    assert shipped  # by the runs before this one
    texts = {path: path.read_text() for path in shipped}
    try:
        for path, text in texts.items():
            path.write_text(text + "# Tampered with.\n")
        output = cluster.run(f"{SUBMIT} --out {SHARED}/other", check=False)
    finally:
        for path, text in texts.items():
            path.write_text(text)
    assert re.search(r"the code on worker has digest [0-9a-f]{12}, the driver's [0-9a-f]{12}: sync the project", output)
    assert not (cluster.shared / "other" / "glue_depth" / "jobs.parquet").exists()


def test_ray_job_submit_and_a_sweep_in_tmux(cluster):
    one = f"{SWEEP} --tasks similarity --seeds 0"
    job = f"cd ~/sweeps && ray job submit --working-dir . -- python {one}"
    output = cluster.run(f"cd ~/project && ray exec {FILE} '{job} --out results'", check=False)
    assert "--out results would lie in the temporary folder of this Ray job" in output
    assert re.search(r"Job '\S+' failed", output), output
    output = cluster.run(f"cd ~/project && ray exec {FILE} '{job} --out {SHARED}/job'")
    assert re.search(r"Job '\S+' succeeded", output), output
    assert set(jobs_of(cluster, "job")["status"]) == {"done"}

    # The same again in a terminal on the head that nobody looks at; the laptop is told at once that it runs.
    report = cluster.shared / "job" / "glue_depth" / "report.html"
    report.unlink()
    cluster.run(f"cd ~/project && ray submit --tmux {FILE} {one} --out {SHARED}/job")
    until(report.exists, "the sweep to end, with nobody connected")


def test_the_jobs_of_a_machine_that_is_cut_off_run_elsewhere_within_a_minute(cluster, tmp_path, monkeypatch):
    numbers = ["--numbers", "1-24"]
    shutil.copytree(ROOT / "tests", cluster.home("head") / "sweeps" / "tests")
    marks = cluster.shared / "marks"
    marks.mkdir()
    slow = f"--seconds 4 --marks {SHARED}/marks --out {SHARED}/toy"
    command = f"cd ~/sweeps && python -m tests.toy --experiment toy {' '.join(numbers)} {slow}"
    with (tmp_path / "output").open("wb") as output:
        driver = subprocess.Popen(cluster.command(command, on="head"), stdout=output, stderr=subprocess.STDOUT)
    until(lambda: len(list(marks.glob("[0-9]*"))) >= 8, "four jobs to be done and four more to run")
    before = raylets(cluster, "worker")
    cluster.cut("worker")
    cut_at = datetime.datetime.now(datetime.UTC)
    try:
        assert driver.wait(timeout=180) == 0, (tmp_path / "output").read_text()
    finally:
        cluster.mend("worker")
    jobs = jobs_of(cluster, "toy", "toy")
    squares = pd.read_parquet(cluster.shared / "toy" / "toy" / "squares.parquet")
    assert "worker" in set(jobs["host"])
    lost = jobs.query("status == 'lost'")
    assert len(lost)
    assert set(lost["error"]) <= {"NodeDiedError", "WorkerCrashedError"}
    again = jobs.query("job_id in @lost.job_id and status == 'done'")
    assert sorted(again["job_id"]) == sorted(lost["job_id"])
    assert set(again["host"]) == {"head"}
    assert (again["started_at"].max() - cut_at).total_seconds() < 60
    monkeypatch.setitem(EXPERIMENTS, "toy", "tests.toy")
    undisturbed = tmp_path / "undisturbed"
    assert main(["--experiment", "toy", "--backend", "inline", "--out", str(undisturbed), *numbers]) == 0
    pd.testing.assert_frame_equal(squares, pd.read_parquet(undisturbed / "toy" / "squares.parquet"))
    until(lambda: raylets(cluster, "worker") - before, "Ray to be started again on the mended worker")


def raylets(group: Machines, name: str) -> set[str]:
    """Process ids of Ray's own process on a machine."""
    return set(group.run("pgrep -x raylet", on=name, check=False).split())


def test_ray_down_ends_ray_on_both(cluster):
    assert raylets(cluster, "head")
    assert raylets(cluster, "worker")
    cluster.run(f"cd ~/project && ray down --yes {FILE}")
    for name in ("head", "worker"):  # the worker ends by itself when its head is gone, within a minute or so
        until(lambda name=name: not raylets(cluster, name), f"Ray to end on the {name}")
