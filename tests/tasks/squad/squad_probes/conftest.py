"""Shared pieces of the `squad_probes` tests: windows of builtin questions, and parameters of tiny random encoders."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.experiment import Context
from tasks.squad.questions.plan import QuestionOptions, windows_job

LENGTHS: dict[str, Any] = {"max_length": 80, "doc_stride": 24, "max_query_length": 16}
ENCODER: dict[str, Any] = {
    "model": "scratch", "encoder": "random", "encoder_seed": 3, "architecture": "bert", "layers": 2, "width": 16,
    "heads": 2, "tokenizer": "builtin@0", "dtype": "float64", "dataset": "builtin", **LENGTHS,
}  # fmt: skip


def write_windows(directory: Path) -> Path:
    """The artifact of the stage squad_windows for a few builtin questions."""
    job = windows_job(QuestionOptions(dataset="builtin", **LENGTHS, train_limit=24, dev_limit=8), "builtin")
    job.stage.load()(job.params, Context(artifact=directory, paths=dict(job.paths)))
    return directory


@pytest.fixture(scope="session")
def windows(tmp_path_factory):
    return write_windows(tmp_path_factory.mktemp("windows"))


@pytest.fixture
def context(windows, tmp_path):
    """Makes contexts, each with a new directory for the probes."""
    made = []

    def make(**given) -> Context:
        made.append(tmp_path / f"artifact-{len(made)}")
        made[-1].mkdir()
        return Context(needs={"windows": windows}, artifact=made[-1], **given)

    return make
