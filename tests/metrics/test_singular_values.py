"""Singular values and their statistics, against NumPy's on matrices whose spectrum is known."""

import numpy as np
import pytest
import torch

from metrics.singular_values import LOG_EDGES, bin_edges, log_counts, singular_values, spectrum

PLENTY = 1 << 24


def test_small_values_keep_their_digits():
    rng = np.random.default_rng(0)
    wanted = np.logspace(0, -12, 13)
    left, right = (np.linalg.qr(rng.normal(size=(13, 13)))[0] for _ in range(2))
    found = singular_values(torch.tensor((left * wanted) @ right)[None], PLENTY)[0]
    # The eigenvalues of J J^T would leave nothing of what is below 1e-8.
    np.testing.assert_allclose(found, wanted, rtol=1e-3)


def test_pieces_and_rectangles():
    blocks = torch.randn(5, 4, 9, generator=torch.Generator().manual_seed(0))
    expected = np.linalg.svd(blocks.double().numpy(), compute_uv=False)
    for budget in (1, 4 * 8 * 36 * 2, PLENTY):
        np.testing.assert_allclose(singular_values(blocks, budget), expected, rtol=1e-12)


def test_a_block_that_is_not_finite_leaves_the_others_alone():
    blocks = torch.eye(3).repeat(3, 1, 1)
    blocks[1, 0, 2], blocks[2, 0, 0] = torch.nan, torch.inf
    found = singular_values(blocks, PLENTY)
    assert torch.equal(found[0], torch.ones(3, dtype=torch.float64))
    assert found[1:].isnan().all()
    assert spectrum(found.numpy(), 1)["n_not_finite"] == 4
    assert log_counts(found.numpy(), 1).sum() == 2


def test_statistics():
    values = np.array([[4.0, 1.0, 1e-9], [2.0, 0.0, 1e-8]])
    found = spectrum(values, 1)
    assert found["sigma_max"] == 4
    assert found["min"] == 0
    assert found["null_max"] == 1e-8
    assert found["mean"] == pytest.approx(7 / 4)
    assert found["sd"] == pytest.approx(np.std([4, 1, 2, 0]))
    assert found["median"] == pytest.approx(1.5)
    assert found["mean_log"] == pytest.approx(np.log(8) / 3)
    assert found["sd_log"] == pytest.approx(np.std(np.log([4, 1, 2])))
    assert found["isometry"] == pytest.approx((9 + 0 + 1 + 1) / 4)
    assert found["n_zero"] == 1
    assert np.isnan(spectrum(values, 0)["null_max"])
    with pytest.raises(ValueError, match="nothing remains"):
        spectrum(values, 3)


def test_bins_take_every_value_once():
    values = np.exp([[50.0, 0.0, -0.05], [-0.04, -2.95, -500.0]])
    counts = log_counts(values, 0)
    assert counts.sum() == values.size
    low, high = bin_edges(np.flatnonzero(counts))
    assert list(zip(low, high, strict=True)) == [
        (-np.inf, -40.0), (-3.0, -2.9), (-0.1, 0.0), (0.0, 0.1), (20.0, np.inf),
    ]  # fmt: skip
    assert len(LOG_EDGES) == 601
