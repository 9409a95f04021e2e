"""Deep BERTs on CUDA: pretraining and signals as on the CPU up to rounding, bf16, compiled layers, simulation."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from orchestrator.experiment import Context
from tasks.deepscale.deep_bert.curves import pretrain_bert_report
from tasks.deepscale.deep_bert.pretraining import pretrain_bert
from tasks.deepscale.signal_propagation.params import SignalParams
from tasks.deepscale.signal_propagation.stage import signals
from tests.tasks.deepscale.deep_bert.tiny import PARAMS, changed, context, write_documents

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

PLAIN: dict[str, Any] = {"dropout": 0.0, "attention_dropout": 0.0}  # a device has random numbers of its own
SETTINGS = {"checkpoint_seconds": "0"}


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    return write_documents(tmp_path_factory.mktemp("documents") / "made")


def trained(params, documents, directory, **values):
    """Losses by step, the outcome, the weights."""
    pretrain_bert(params, context(documents, directory, **values))
    rows = pretrain_bert_report(params, Context(needs={"model": directory}))
    losses = [row["value"] for row in rows["training"] if row["metric"] == "mlm_loss"]
    return losses, rows["outcomes"][0], load_file(directory / "model.safetensors")


def test_pretraining_gives_the_numbers_of_the_cpu(documents, tmp_path):
    params = changed(**PLAIN)
    here = trained(params, documents, tmp_path / "cpu")
    there = trained(params, documents, tmp_path / "cuda", device="cuda:0", paths=SETTINGS | {"compile": "off"})
    assert here[0] == pytest.approx(there[0], rel=1e-9)
    for name, weight in here[2].items():
        torch.testing.assert_close(there[2][name], weight, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("compiled", ["off", "on"])
def test_bf16_trains_and_goes_on_from_a_checkpoint(documents, tmp_path, compiled):
    params = dataclasses.replace(PARAMS, precision="bf16", steps=60, learning_rate=5e-3)
    paths = SETTINGS | {"compile": compiled}
    losses, outcome, weights = trained(
        params, documents, tmp_path / "out", saved=tmp_path / "saved", device="cuda:0", paths=paths
    )
    assert losses[-1] < losses[0]
    assert outcome["status"] != "diverged"
    again, _, resumed = trained(
        params, documents, tmp_path / "again", saved=tmp_path / "saved", device="cuda:0", paths=paths
    )
    assert again == pytest.approx(losses, rel=0.05)
    assert all(torch.isfinite(weight).all() for weight in (*weights.values(), *resumed.values()))


def test_signals_are_those_of_the_cpu():
    params = SignalParams(
        norm="post", scheme="dslm", layers=12, width=32, heads=4, source="zipf", vocab_size=100,
        length=16, batch=3, seed=0, **PLAIN,
    )  # fmt: skip
    found = {
        device: [row["measured"] for row in signals(params, Context(device=device))["layers"]]
        for device in ("cpu", "cuda:0")
    }
    assert not math.isnan(found["cpu"][0])
    np.testing.assert_allclose(found["cuda:0"], found["cpu"], rtol=2e-4, atol=1e-7)
