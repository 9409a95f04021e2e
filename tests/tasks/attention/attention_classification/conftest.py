"""A small data set of builtin topics, and the parameters of small trainings on it."""

import dataclasses

import pytest

from orchestrator.experiment import Context
from tasks.attention.attention_classification.stages import TrainParams
from tasks.attention.texts.plan import TextOptions, texts_job

JOB = texts_job("topics", None, options=TextOptions(train_limit=40, test_limit=12, max_length=12))
DATA = dataclasses.asdict(JOB.params)
SIZES = {"embedding": 5, "hidden": 4, "intermediate": 3, "batch_size": 6, "learning_rate": 1e-2}
TRAIN = TrainParams(**DATA, **SIZES, runs=("normal-20",), saves=(0, 3, 5, 9))


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """The artifact of the data job."""
    directory = tmp_path_factory.mktemp("topics")
    JOB.stage.load()(JOB.params, Context(artifact=directory, paths=dict(JOB.paths)))
    return directory


def change(params, **changes):
    """Parameters with some changed."""
    return dataclasses.replace(params, **changes)
