"""Shared by the tests of the orchestrator: the toy experiment, registered, and its command line in this process."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli import main
from tasks import EXPERIMENTS


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def sweep(monkeypatch, out) -> Callable[..., int]:
    """Run `sweep.py --experiment toy --backend inline …` here; returns the exit code."""
    monkeypatch.setitem(EXPERIMENTS, "toy", "tests.toy")

    def run(*arguments: object) -> int:
        return main(["--experiment", "toy", "--backend", "inline", "--out", str(out), *map(str, arguments)])

    return run
