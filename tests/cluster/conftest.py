"""Every test here runs on its own Ray: RAY_TMPDIR keeps it from joining a cluster of this machine, or being joined."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

import orchestrator.ray_backend  # noqa: F401  (it sets Ray's environment, which must be before any test imports Ray)

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
    """`python -m tests.toy …` as a process of its own, in its own group, as from a terminal."""

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

    def start(*arguments: object, **environment: str) -> Driver:
        output = tmp_path / f"output-{len(drivers)}.txt"
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.toy", "--experiment", "toy", "--address", "local", *map(str, arguments)],
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
