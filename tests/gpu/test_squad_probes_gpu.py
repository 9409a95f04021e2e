"""Both trainings on CUDA against the CPU: the same probes up to rounding; dropout has a stream of its own there."""

from typing import Any

import pytest
import torch

from orchestrator.experiment import Context
from tasks.squad.squad_probes.artifacts import read_probes
from tasks.squad.squad_probes.converged import train_lbfgs
from tasks.squad.squad_probes.probes import dropout_mask
from tasks.squad.squad_probes.stages import AdamParams, LbfgsParams
from tasks.squad.squad_probes.training import train_adam
from tests.tasks.squad.squad_probes.conftest import ENCODER, write_windows

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


@pytest.mark.parametrize("mode", ["proper", "legacy"])
def test_both_trainings_agree_with_the_cpu(tmp_path, mode):
    common: dict[str, Any] = {**ENCODER, "mode": mode}
    adam = AdamParams(**common, learning_rates=(1e-3, 1e-2), seeds=(0, 1), dropout=0.0, epochs=2)
    lbfgs = LbfgsParams(**common, l2=(1e-2, 1e-3), converged_windows=None)
    (tmp_path / "windows").mkdir()
    windows, found = write_windows(tmp_path / "windows"), {}
    for device in ("cpu", "cuda"):
        contexts = {}
        for name in ("adam", "lbfgs"):
            (tmp_path / f"{name}-{device}").mkdir()
            needs = {"windows": windows}
            contexts[name] = Context(needs=needs, artifact=tmp_path / f"{name}-{device}", device=device)
        train_adam(adam, contexts["adam"])
        train_lbfgs(lbfgs, contexts["lbfgs"])
        for name, context in contexts.items():
            found[name, device] = read_probes(context.artifact)[0]
    assert torch.allclose(found["adam", "cuda"], found["adam", "cpu"], atol=1e-6)
    assert torch.allclose(found["lbfgs", "cuda"], found["lbfgs", "cpu"], atol=1e-3)  # as far as the tolerance goes


def test_dropout_on_cuda_is_repeatable_and_has_the_asked_probability(tmp_path):
    params = AdamParams(**ENCODER, learning_rates=(1e-2,), seeds=(0,), dropout=0.5, epochs=1)
    (tmp_path / "windows").mkdir()
    windows, found = write_windows(tmp_path / "windows"), []
    for name in ("a", "b"):
        made = tmp_path / name
        made.mkdir()
        train_adam(params, Context(needs={"windows": windows}, artifact=made, device="cuda"))
        found.append(read_probes(made)[0])
    assert torch.equal(*found)
    mask = dropout_mask(0, 1, 2, 1000, 500, 0.1, device=torch.device("cuda"), dtype=torch.float32)
    assert abs(float((mask == 0).float().mean()) - 0.1) < 5 * (0.1 * 0.9 / mask.numel()) ** 0.5
