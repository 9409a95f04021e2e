"""Moments and similarities on CUDA against the CPU: the same numbers up to rounding, and the same draws of the null."""

import numpy as np
import pytest
import torch

from metrics.moments import empty_moments
from metrics.similarity import prepare, similarities
from metrics.similarity_null import draw_independent

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


def test_similarities_and_their_nulls_agree_with_the_cpu():
    random = torch.Generator().manual_seed(0)
    x = torch.nn.functional.layer_norm(torch.randn(2, 500, 48, generator=random), (48,))
    y = torch.randn(3, 500, 32, generator=random) + x[:1, :, :32]
    found = {}
    for device in ("cpu", "cuda"):
        moments = empty_moments((2, 48), (3, 32), shuffled=True, device=device)
        order = torch.arange(499, -1, -1, device=device)
        moments.update(x.to(device), y.to(device), order)
        first, second = (
            prepare(moments.scatter(side, 1), moments.mean(side, 1), moments.count, ridge=1e-6) for side in (0, 1)
        )
        assert len(first.centred.values_K) == 47
        draw = draw_independent(47, second, np.random.default_rng(0), ridge=1e-6)
        found[device] = [
            similarities(first, second, moments.cross(1, 1)),
            similarities(first, second, moments.cross(1, 1, shuffled=True)),
            similarities(first, draw.level, draw.cross(first)),
        ]
    for ours, theirs in zip(found["cpu"], found["cuda"], strict=True):
        assert ours == pytest.approx(theirs, abs=1e-7)
