"""Every test here runs on its own Ray: RAY_TMPDIR keeps it from joining a cluster of this machine, or being joined."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

import orchestrator.ray_backend  # noqa: F401  (it sets Ray's environment, which must be before any test imports Ray)
from orchestrator.cli import main
from tasks import EXPERIMENTS

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0  # seconds; a machine that is busy with other things is slow, and no test here is about speed


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {PATIENCE:.0f} s in vain: {what}")
        time.sleep(0.05)


@pytest.fixture(scope="session")
def ray_folder() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # short, since the paths of sockets are
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Driver:
    """`python -m tests.toy …`, or `tests.toy_group`, as a process of its own, in its own group, as from a terminal."""

    process: subprocess.Popen
    output: Path
    children: set[int] = field(default_factory=set)

    def text(self) -> str:
        return self.output.read_text()

    def wait(self) -> int:
        return self.process.wait(timeout=PATIENCE)

    def interrupt(self) -> None:
        """Ctrl-C: the terminal sends SIGINT to the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL. `children` are Ray's processes that it leaves, without two idle agents that go a minute later."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if "Agent" not in " ".join(child.cmdline()):
                    self.children.add(child.pid)
        self.process.kill()
        self.process.wait()


@pytest.fixture
def drive(tmp_path: Path, ray_folder: str) -> Iterator[Callable[..., Driver]]:
    """Start a toy sweep in a process of its own."""
    drivers: list[Driver] = []

    def start(*arguments: object, address: str = "local", experiment: str = "toy", **environment: str) -> Driver:
        output = tmp_path / f"output-{len(drivers)}.txt"
        always = ["--experiment", experiment, "--address", address]
        process = subprocess.Popen(
            [sys.executable, "-m", f"tests.{experiment}", *always, *map(str, arguments)],
            cwd=ROOT,
            env=os.environ | {"RAY_TMPDIR": ray_folder} | environment,
            stdout=output.open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        drivers.append(Driver(process, output))
        return drivers[-1]

    yield start
    for driver in drivers:
        if driver.process.poll() is None:
            driver.kill()


@contextlib.contextmanager
def private_nodes(ray_folder: str) -> Iterator[Callable[..., Any]]:
    """Start clusters of nodes with so many CPU slots each, and a head without any; gives Ray's `Cluster`.

    Drivers join at its `address`, and nodes are added and removed with its methods. Each has its own folder for the
    driver's code: in a shared one, a node that unpacks it would delete what another's workers are about to import. The
    head's is Ray's own, where drivers look for it.
    """
    from ray.cluster_utils import Cluster

    clusters: list[Cluster] = []

    def start(*slots: int, **environment: str) -> Cluster:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {"RAY_TMPDIR": ray_folder, **environment}.items():
                patch.setenv(name, value)
            clusters.append(Cluster())
            for index, number in enumerate((0, *slots)):
                own = {"runtime_env_dir_name": f"resources-{index}"} if index else {}
                ports = {"gcs_server_port": free_port(), "include_dashboard": False}
                clusters[-1].add_node(num_cpus=number, **own, **ports)
        return clusters[-1]

    yield start
    for cluster in clusters:
        for node in [*cluster.worker_nodes, cluster.head_node]:
            if node is not None:
                cluster.remove_node(node, allow_graceful=False)


@pytest.fixture
def nodes(ray_folder: str) -> Iterator[Callable[..., Any]]:
    """Start clusters for one test: `nodes(2, 1)` has two nodes of two slots and one; see `private_nodes`."""
    with private_nodes(ray_folder) as start:
        yield start


@pytest.fixture(scope="module")
def standing(ray_folder: str) -> Iterator[str]:
    """The address of a cluster of two slots that all tests of a file share: a driver starts faster where it joins."""
    with private_nodes(ray_folder) as start:
        yield start(2).address


def free_port() -> int:
    """A port that nothing listens at now; nobody on this machine meets our clusters at a well-known one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    """A folder in which toy jobs leave a file for each time they begin."""
    (folder := tmp_path / "marks").mkdir()
    return folder


def begun(marks: Path) -> Counter[str]:
    """How often the job of each number has begun."""
    return Counter(path.name.rpartition("-")[0] for path in marks.glob("[0-9]*"))


def squares(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out / "toy" / "squares.parquet")


def attempts(out: Path) -> pd.DataFrame:
    """The attempts at the jobs of the numbers, with their `number`, sorted by number, run and attempt."""
    jobs = pd.read_parquet(out / "toy" / "jobs.parquet").query("stage == 'toy_square'")
    numbers = jobs["params"].map(lambda text: json.loads(text)["number"])
    return jobs.assign(number=numbers).sort_values(["number", "run", "attempt"], ignore_index=True)


@pytest.fixture
def undisturbed(tmp_path: Path, monkeypatch) -> Callable[[str], pd.DataFrame]:
    """The table of a sweep over these numbers that nothing befell: run by the inline backend, one job at a time."""

    def run(numbers: str) -> pd.DataFrame:
        monkeypatch.setitem(EXPERIMENTS, "toy", "tests.toy")
        arguments = ["--experiment", "toy", "--backend", "inline", "--numbers", numbers]
        assert main([*arguments, "--out", str(tmp_path / "undisturbed")]) == 0
        return squares(tmp_path / "undisturbed")

    return run


def check_whole(out: Path, expected: pd.DataFrame) -> None:
    """The published table equals the undisturbed one row for row; each job counts once, as done."""
    pd.testing.assert_frame_equal(squares(out), expected)
    counted = attempts(out).query("current")
    assert counted["number"].tolist() == sorted(set(expected["number"]))
    assert set(counted["status"]) == {"done"}


@pytest.fixture(scope="module")
def session(ray_folder: str) -> Iterator[None]:
    """Ray in this process, with two slots; the backends of the tests of a file find it and use it."""
    from orchestrator.ray_backend.backend import RayBackend

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", ray_folder)
        backend = RayBackend("local", num_cpus=2)
        yield
        backend.close()


@pytest.fixture
def sweep(session, monkeypatch, tmp_path: Path, marks: Path) -> Callable[..., tuple[int, pd.DataFrame]]:
    """Run a sweep in this process, into `out`; returns the exit code and the attempts."""
    monkeypatch.setitem(EXPERIMENTS, "toy", "tests.toy")
    places = ["--out", str(tmp_path / "out"), "--marks", str(marks)]

    def run(*arguments: object) -> tuple[int, pd.DataFrame]:
        return main(["--experiment", "toy", *places, *map(str, arguments)]), attempts(tmp_path / "out")

    return run
