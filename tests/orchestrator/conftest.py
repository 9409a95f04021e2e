"""Shared by the tests of the orchestrator: the toy experiment, registered, and its command line in this process."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.cli import main
from tasks import EXPERIMENTS

if TYPE_CHECKING:
    from tests.s3 import Server


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


@pytest.fixture
def s3(monkeypatch, tmp_path) -> "Iterator[Server]":
    """An S3 server in this process; see `tests.s3`. Copies of artifacts for this machine go into the test's folder."""
    pytest.importorskip("moto.server")
    from tests.s3 import serve  # moto takes seconds to import

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    (tmp_path / "copies").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "copies"))
    with serve() as server:
        yield server
