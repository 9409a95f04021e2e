"""The chaos sweep on CUDA against the CPU: same sentences, weights and tangents, so the same numbers up to rounding."""

import numpy as np
import pandas as pd
import pytest
import torch

from orchestrator.experiment import Context
from tasks.transient_chaos.chaos.long import long_run
from tasks.transient_chaos.chaos.sweep import sweep
from tests.parity.tiny_albert import HERE
from tests.tasks.transient_chaos.chaos.tiny_chaos import (
    long_params,
    save_tiny,
    sweep_params,
    tiny_context,
    write_sentences,
)

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


@pytest.mark.parametrize("mask_mode", ["none", "padding"])
def test_the_sweep_and_the_long_run_agree_with_the_cpu(tmp_path, mask_mode):
    sync = np.load(HERE / "sync_cut.npz")
    tokens = (sync[name] for name in ("input_ids", "token_type_ids", "attention_mask"))
    data = write_sentences(tmp_path / "sentences", *tokens)
    model = save_tiny(tmp_path / "tiny")
    found = {}
    for device in ("cpu", "cuda"):
        last = tmp_path / device
        last.mkdir()
        params = sweep_params(model, mask_mode=mask_mode, exponents=3, shown_sentences=2)
        context = tiny_context(model, data, last, device=device)
        tables = sweep(params, context)
        # One window: the one-vector map is chaotic and amplifies rounding.
        follow = Context(needs={"sweep": last}, paths=context.paths, device=device)
        found[device] = {**tables, **long_run(long_params(model, sync_threshold=1.0, steps=50), follow)}
    for name, value in (
        ("windows", "growth"), ("spectrum", "growth"), ("layers", "value"), ("trajectories", "value"),
        ("spreads", "value"), ("attention", "probability"), ("offsets", "layers"), ("long_windows", "growth"),
    ):  # fmt: skip
        a, b = (pd.DataFrame(found[device][name])[value].to_numpy(dtype=float) for device in ("cpu", "cuda"))
        assert np.allclose(a, b, atol=1e-8, equal_nan=True), name
