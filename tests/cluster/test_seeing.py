"""What is seen of a sweep on Ray: the logs of its jobs, its metrics, its state in the store."""

import urllib.request
from pathlib import Path

import pandas as pd
import pytest
import ray

from orchestrator.cli import main
from orchestrator.heartbeat import read_state
from orchestrator.ray_backend.backend import RayBackend
from orchestrator.storage import Storage
from tasks import EXPERIMENTS
from tests.cluster.conftest import until

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module", autouse=True)
def session(ray_folder: str):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", ray_folder)
        backend = RayBackend("local", num_cpus=2)
        yield
        backend.close()


def sweep(out: Path, monkeypatch, *arguments: str) -> tuple[int, pd.DataFrame]:
    monkeypatch.setitem(EXPERIMENTS, "toy", "tests.toy")
    code = main(["--experiment", "toy", "--out", str(out), *arguments])
    jobs = pd.read_parquet(out / "toy" / "jobs.parquet").query("stage == 'toy_square'")
    return code, jobs.assign(number=jobs["params"].str.extract(r'"number":(\d+)')[0].astype(int))


SAID = "number 2 speaks\nand so does C code\n"


def test_a_jobs_output_is_kept_and_silent_jobs_leave_no_file(tmp_path, monkeypatch, capfd):
    code, jobs = sweep(tmp_path, monkeypatch, "--numbers", "1-3", "--wrong", "2", "--how", "talk")
    assert code == 0
    assert jobs.set_index("number")["log"].isna().to_dict() == {1: True, 2: False, 3: True}
    [log] = [tmp_path / "toy" / name for name in jobs["log"].dropna()]
    assert log.read_text() == SAID
    assert list(log.parent.iterdir()) == [log]
    assert "speaks" not in "".join(capfd.readouterr())


def test_the_failure_report_names_the_log_which_has_the_traceback_too(tmp_path, monkeypatch, capsys):
    code, jobs = sweep(tmp_path, monkeypatch, "--numbers", "1-3", "--wrong", "2", "--how", "talk_raise")
    assert code == 1
    logs = jobs.query("number == 2").sort_values("attempt")["log"].tolist()
    assert len(set(logs)) == 2  # each attempt has its own
    for log in logs:
        text = (tmp_path / "toy" / log).read_text()
        assert text.startswith(SAID)
        assert "ValueError: number 2 is bad" in text
    assert f"log: {tmp_path}/toy/{logs[-1]}\n" in capsys.readouterr().out
    assert logs[-1] in (tmp_path / "toy" / "report.html").read_text()


def test_a_killed_process_leaves_its_log(tmp_path, monkeypatch, capsys):
    arguments = ("--numbers", "1-3", "--wrong", "2", "--how", "talk_die", "--max-worker-failures", "1")
    code, jobs = sweep(tmp_path, monkeypatch, *arguments)
    assert code == 1
    bad = jobs.query("number == 2")
    assert set(bad["status"]) == {"lost"}
    assert [(tmp_path / "toy" / log).read_text() for log in bad["log"]] == [SAID, SAID]
    assert not list((tmp_path / "toy").glob("_runs/*/logs/_*"))
    assert "log: " in capsys.readouterr().out


def test_an_overdue_job_leaves_its_log(tmp_path, monkeypatch):
    code, jobs = sweep(
        tmp_path, monkeypatch, "--numbers", "1-3", "--wrong", "2", "--how", "talk_hang", "--job-timeout", "4"
    )
    assert code == 1
    [row] = jobs.query("number == 2").to_dict("records")
    assert row["status"] == "timeout"
    assert (tmp_path / "toy" / row["log"]).read_text() == SAID


def test_metrics_are_where_prometheus_looks(tmp_path, monkeypatch):
    code, _ = sweep(tmp_path, monkeypatch, "--numbers", "1-3", "--wrong", "2", "--how", "raise")
    assert code == 1
    [node] = ray.nodes()
    address = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}"

    def value(name: str, **tags: str) -> float:
        total = 0.0
        with urllib.request.urlopen(address) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(name + "{") and all(f'{k}="{v}"' in line for k, v in tags.items()):
                    total += float(line.rpartition(" ")[2])
        return total

    until(lambda: value("ray_sweep_attempts_total", stage="toy_square", status="done") >= 2, "the metrics to come")
    assert value("ray_sweep_attempts_total", stage="toy_square", status="failed") >= 2
    assert value("ray_sweep_layer_passes_total", stage="toy_square") >= 4
    until(lambda: value("ray_sweep_job_seconds_count", stage="toy_square") >= 2, "the histogram to come")


def test_the_state_of_a_run(tmp_path, monkeypatch):
    sweep(tmp_path, monkeypatch, "--numbers", "1-3", "--wrong", "2", "--how", "raise")
    [run] = (tmp_path / "toy" / "_runs").iterdir()
    state = read_state(Storage.at(tmp_path / "toy"), run.name)
    assert state is not None
    assert (state.done, state.failed, state.left, state.ended) == (3, 1, 0, "failed")  # with the one that prepares
    assert state.in_flight == {}
    assert state.slots == 2
    assert 0 <= state.age < 60
