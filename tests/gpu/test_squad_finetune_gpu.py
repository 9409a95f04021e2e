"""Fine-tuning on CUDA: parts change nothing there either, and bf16 learns what float32 learns."""

import dataclasses
import math
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from orchestrator.experiment import Context
from tasks.squad.checkpoints import read_state
from tasks.squad.questions.plan import QuestionOptions, windows_job
from tasks.squad.stages import TrainParams
from tasks.squad.training import squad_train

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
LENGTHS: dict[str, Any] = {
    "max_length": 96,
    "doc_stride": 32,
    "max_query_length": 24,
    "train_limit": 64,
    "dev_limit": 8,
}


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    directory = tmp_path_factory.mktemp("windows")
    job = windows_job(QuestionOptions(dataset="builtin", **LENGTHS), "builtin")
    job.stage.load()(job.params, Context(artifact=directory, paths=dict(job.paths)))
    return directory, job.params


def train(windows, place, parts=1, **change):
    directory, asked = windows
    params = TrainParams(
        model="scratch", encoder="random", encoder_seed=1, seed=1, architecture="bert", layers=2, width=32, heads=2,
        tokenizer=asked.tokenizer, tokenizer_revision=asked.tokenizer_revision, dataset="builtin", **LENGTHS, epochs=4,
        batch_size=8, learning_rate=1e-3, warmup=4, parts=parts, **change,
    )  # fmt: skip
    needs = {"windows": directory}
    for part in range(1, parts + 1):
        made = place / f"part-{part}"
        made.mkdir(parents=True)
        squad_train(dataclasses.replace(params, part=part), Context(needs=needs, artifact=made, device="cuda"))
        needs = {"windows": directory, "before": made}
    return needs["before"]


def test_parts_change_nothing_on_cuda(windows, tmp_path):
    whole, cut = train(windows, tmp_path / "whole"), train(windows, tmp_path / "cut", parts=3)
    a, b = (load_file(place / "model.safetensors") for place in (whole, cut))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_bf16_learns_what_float32_learns(windows, tmp_path):
    plain, mixed = (train(windows, tmp_path / kind, precision=kind) for kind in ("float32", "bf16"))
    losses = [[point["loss"] for point in read_state(place).curve] for place in (plain, mixed)]
    assert all(math.isfinite(loss) for curve in losses for loss in curve)
    assert losses[1][-1] == pytest.approx(losses[0][-1], rel=0.1)
    assert losses[1][-1] < losses[1][0]
