"""Both stages on CUDA against the CPU: same streams, so the same runs up to rounding."""

import pytest
import torch

from tasks.transient_chaos.glue_depth.finetuned import finetuned
from tasks.transient_chaos.glue_depth.frozen import frozen
from tasks.transient_chaos.glue_depth.stages import FinetunedParams, FrozenParams
from tests.tasks.transient_chaos.glue_depth.glue_fakes import fake_context, fake_split

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

SCRATCH = {
    "task": "STS-B", "model": "scratch", "encoder": "random", "init_style": "hf_default", "encoder_seed": 0,
    "width": 64, "heads": 4, "tokenizer": "fake", "curve_points": 5,
}  # fmt: skip


@pytest.fixture
def context(tmp_path, monkeypatch):
    def on(device):
        splits = {"train": fake_split(60, 0, 1), "dev": fake_split(40, 1, 1)}
        return fake_context(tmp_path, monkeypatch, "STS-B", splits, device=device)

    return on


def values(tables):
    rows = [row["value"] for row in tables["scores"]] + [row["loss"] for row in tables["curves"]]
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-3)])
def test_frozen_agrees_with_the_cpu(context, dtype, tolerance):
    params = FrozenParams(depths=(1, 2, 5, 8), seeds=(0, 1), dtype=dtype, **SCRATCH)
    assert torch.allclose(
        values(frozen(params, context("cuda"))), values(frozen(params, context("cpu"))), atol=tolerance
    )


# Adam divides by the gradient's size: where a gradient is rounding noise (key biases) steps differ, so 1e-6 in float64.
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-6), ("float32", 1e-2)])
def test_finetuned_agrees_with_the_cpu(context, dtype, tolerance):
    params = FinetunedParams(depth=4, seed=0, learning_rate=1e-4, dtype=dtype, **SCRATCH)
    found, expected = finetuned(params, context("cuda")), finetuned(params, context("cpu"))
    assert torch.allclose(values(found), values(expected), atol=tolerance)


def test_finetuned_repeats_itself_on_the_gpu(context):
    params = FinetunedParams(depth=4, seed=0, learning_rate=1e-4, **SCRATCH)
    assert torch.equal(values(finetuned(params, context("cuda"))), values(finetuned(params, context("cuda"))))


def test_bf16_is_near_float32(context):
    params = {"depth": 4, "seed": 0, "learning_rate": 1e-4, **SCRATCH}
    half = finetuned(FinetunedParams(precision="bf16", **params), context("cuda"))["curves"]
    full = finetuned(FinetunedParams(**params), context("cuda"))["curves"]
    assert [row["loss"] for row in half] == pytest.approx([row["loss"] for row in full], rel=0.05)  # bf16 has 8 bits
