"""What jobs on Ray say of their environment reaches neither the results directory nor the terminal."""

import pytest

from orchestrator.cli import main
from tasks import EXPERIMENTS
from tests.orchestrator.test_hostile_text import SECRETS, TRACES, everything

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@pytest.fixture
def backend(ray_folder: str, monkeypatch):
    """A Ray whose workers have the secrets in their environment."""
    from orchestrator.ray_backend.backend import RayBackend

    monkeypatch.setenv("RAY_TMPDIR", ray_folder)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    backend = RayBackend("local", num_cpus=2)
    yield
    backend.close()


def test_the_environment_of_workers_stays_there(backend, monkeypatch, tmp_path, capfd):
    monkeypatch.setitem(EXPERIMENTS, "leaky", "tests.leaky")
    options = ["--attempts", "1", "--max-worker-failures", "1", "--log-level", "info"]
    assert main(["--experiment", "leaky", "--out", str(tmp_path / "out"), *options]) == 1
    shown = capfd.readouterr()
    written = everything(tmp_path / "out")
    for trace in TRACES:
        assert trace not in written + shown.out + shown.err, trace
    assert "'HF_TOKEN': '***'" in written
    assert "'HF_TOKEN': '***'" in shown.out
    assert "WorkerCrashedError" in shown.out
    assert "\x1b[2J" not in shown.out + shown.err  # Ray's own lines are coloured, and hold nothing of a job's
    assert "\\x1b[2J" in shown.out
