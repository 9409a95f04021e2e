"""Shared pieces of the `squad_finetune` tests: windows of builtin questions and a checkpoint with a span head."""

from pathlib import Path
from typing import Any

import pytest
import torch

from models.checkpoints import directory_revision
from models.transformer import hidden_states, new_reader, random_transformer, scratch_transformer_config
from orchestrator.experiment import Context, Job
from tasks.squad.questions.plan import QuestionOptions, windows_job
from tasks.squad.questions.windows import open_windows
from tasks.squad.squad_finetune.stages import EvaluateParams


@pytest.fixture(scope="session")
def windows_of_dev() -> Job:
    return windows_job(
        QuestionOptions(
            dataset="builtin", max_length=96, doc_stride=32, max_query_length=24, train_limit=12, dev_limit=40
        ),
        "builtin",
    )


@pytest.fixture(scope="session")
def windows(windows_of_dev, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("windows")
    job = windows_of_dev
    job.stage.load()(job.params, Context(artifact=directory, paths=job.paths))
    return directory


def save_reader(
    directory: Path, windows: Path, architecture: Any = "bert", towards_null: float = 1.1, **change
) -> Path:
    """A checkpoint with a span head that answers about as often as it does not."""
    sizes = {"vocab_size": open_windows(windows, "dev").meta["vocab_size"], "positions": 96, **change}
    config = scratch_transformer_config(architecture, layers=2, width=16, heads=2, **sizes)
    reader: Any = new_reader(random_transformer(config, 7), 8)
    batch = open_windows(windows, "dev").batch([0])
    with torch.no_grad():
        inputs = (batch.input_ids % sizes["vocab_size"], batch.token_type_ids, batch.attention_mask)
        h = hidden_states(reader.base_model, *(x[:, : sizes["positions"]] for x in inputs))[-1][0, 0]
        reader.qa_outputs.weight.mul_(4).add_(towards_null * h / (h @ h))
    reader.save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def checkpoint(windows, tmp_path_factory) -> Path:
    return save_reader(tmp_path_factory.mktemp("models") / "tiny-qa", windows)


@pytest.fixture(scope="session")
def params(checkpoint, windows_of_dev) -> EvaluateParams:
    return EvaluateParams(
        model=checkpoint.name, revision=directory_revision(checkpoint), encoder="finetuned", dataset="builtin",
        tokenizer=windows_of_dev.params.tokenizer, max_length=96, doc_stride=32, max_query_length=24, dtype="float64",
        max_answer_length=6, n_best=5,
    )  # fmt: skip


@pytest.fixture(scope="session")
def context(windows, checkpoint) -> Context:
    return Context(needs={"windows": windows}, paths={"model": str(checkpoint)})
