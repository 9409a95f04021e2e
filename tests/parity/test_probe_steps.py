"""The update of all probes at once against that of the published code, module by module, with dropout off.

Dimensions: L levels, B windows, T positions, H hidden.
"""

import numpy as np
import pytest
import torch

from tasks.squad.squad_probes.probes import (
    ProbeSettings,
    ProbeTrainer,
    losses_and_gradients,
    make_layout,
    ranked_targets,
)
from tests.parity.tiny_albert import HERE

STEPS = np.load(HERE / "probe_steps_cut.npz")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_published_steps_are_repeated(dtype):
    hidden, first = STEPS["hidden"], torch.tensor(STEPS["w_init"], dtype=dtype)
    n_steps, B, L, T, H = hidden.shape
    settings = ProbeSettings(
        learning_rates=(float(STEPS["lr"]),), seeds=(0,), dropout=0.0, clip=float(STEPS["max_grad_norm"])
    )
    trainer = ProbeTrainer(first[:, None], settings)
    layout = make_layout(np.full(B, T), "cpu")
    for step in range(n_steps):
        x = torch.tensor(hidden[step], dtype=dtype).transpose(0, 1).reshape(L, B * T, H)
        raw = np.stack([STEPS["start"][step], STEPS["end"][step]])
        target, weight = (torch.from_numpy(part) for part in ranked_targets(raw, np.ones((B, T), dtype=bool)))
        weight = weight.to(dtype)
        if step == 0:
            logits = torch.bmm(first, x.transpose(1, 2)).view(L, 2, B, T)
            assert np.abs(logits.numpy() - STEPS["logits_step0"]).max() < 1e-7
        gradients = losses_and_gradients(x, trainer.weights[:, 0, 0], layout, target, weight / weight.sum(1)[:, None])[
            1
        ]
        norms = (gradients / 2).norm(dim=-1).numpy()
        assert np.abs(norms - STEPS["grad_norm_unclipped"][step]).max() < 1.3e-6
        if step == 0:
            assert np.abs(gradients.numpy() / 2 - STEPS["grad_step0_unclipped"]).max() < 1.3e-6
        losses = trainer.take(x, layout, target, weight)
        assert np.abs(losses[:, 0, 0].numpy() - STEPS["loss"][step]).max() < 8e-7
        assert np.abs(trainer.weights[:, 0, 0].numpy() - STEPS["w_after_step"][step]).max() < 3e-7
