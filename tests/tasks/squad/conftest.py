"""Shared pieces of the tests of what the experiments on SQuAD share: windows of builtin questions, made once."""

from pathlib import Path

import pytest

from orchestrator.experiment import Context, Job
from tasks.squad.questions.plan import QuestionOptions, windows_job


@pytest.fixture(scope="session")
def tiny_windows_job() -> Job:
    return windows_job(
        QuestionOptions(
            dataset="builtin", max_length=96, doc_stride=32, max_query_length=24, train_limit=24, dev_limit=20
        ),
        "builtin",
    )


@pytest.fixture(scope="session")
def tiny_windows(tiny_windows_job, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("windows")
    job = tiny_windows_job
    job.stage.load()(job.params, Context(artifact=directory, paths=job.paths))
    return directory
