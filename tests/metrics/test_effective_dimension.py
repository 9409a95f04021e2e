"""The participation ratio from Gram matrices: against the SVD, its invariances and its limits."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics import effective_dimension
from metrics.effective_dimension import gram_participation, token_participation


def svd_participation(X):
    """(sum s^2)^2 / sum s^4 of the centred matrix, the published way."""
    s = np.linalg.svd(X - X.mean(0), compute_uv=False)
    return (s**2).sum() ** 2 / (s**4).sum()


def gaussian(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@given(st.integers(2, 30), st.integers(1, 5), st.integers(2, 12), st.floats(0, 1000))
@settings(max_examples=40, deadline=None)
def test_it_is_the_participation_ratio_of_the_svd(n, tokens, hidden, offset):
    states = gaussian(n, tokens, hidden, seed=n) + offset
    expected = svd_participation(states.flatten(1).numpy())
    assert gram_participation(states) == pytest.approx(expected, rel=1e-9)
    whole, each = token_participation(states)
    assert whole == pytest.approx(expected, rel=1e-9)
    assert each == pytest.approx([svd_participation(states[:, t].numpy()) for t in range(tokens)], rel=1e-9)
    assert gram_participation([states[:1], states[1:]]) == pytest.approx(expected, rel=1e-9)
    assert gram_participation(states.flatten(1)) == pytest.approx(expected, rel=1e-9)
    assert 1 - 1e-9 <= expected <= min(n - 1, tokens * hidden) + 1e-9


def test_tiles_and_blocks_do_not_change_it(monkeypatch):
    states = gaussian(50, 3, 40)
    expected = gram_participation(states)
    monkeypatch.setattr(effective_dimension, "ROWS", 7)
    monkeypatch.setattr(effective_dimension, "COLUMNS", 9)
    assert gram_participation(states) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("rank", [1, 3, 7])
def test_orthonormal_centred_data_give_their_rank(rank):
    """Columns that are orthonormal and orthogonal to the constant: `rank` equal eigenvalues."""
    basis = torch.linalg.qr(torch.cat([torch.ones(12, 1, dtype=torch.float64), gaussian(12, rank)], 1))[0][:, 1:]
    assert gram_participation(basis) == pytest.approx(rank, rel=1e-12)
    assert gram_participation(basis + 5.0) == pytest.approx(rank, rel=1e-12)


def test_rotations_permutations_and_scale_leave_it():
    states = gaussian(20, 4, 8)
    rotation = torch.linalg.qr(gaussian(32, 32, seed=1))[0]
    expected = gram_participation(states)
    assert gram_participation(states.flatten(1) @ rotation) == pytest.approx(expected, rel=1e-12)
    assert gram_participation(states.flip(0)) == pytest.approx(expected, rel=1e-12)
    assert gram_participation(1e-9 * states) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_identical_rows_have_no_dimension(dtype):
    one = gaussian(1, 5, 8).to(dtype)
    same = one.expand(30, 5, 8)
    assert math.isnan(gram_participation(same))
    assert math.isnan(gram_participation(torch.zeros(30, 5, 8, dtype=dtype)))
    eps = torch.finfo(dtype).eps
    noise = torch.randn(30, 5, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    assert math.isnan(gram_participation(same + 1.5 * eps * noise))  # what rounding makes of it
    assert gram_participation(same + 100 * eps * noise) > 5
    whole, each = token_participation(torch.cat([same[:, :2], same[:, 2:] + noise[:, 2:]], 1))
    assert [math.isnan(value) for value in each] == [True, True, False, False, False]
    assert whole > 5


def test_a_small_spread_on_a_large_mean_survives_float32():
    """After synchronisation the centred part can be 1e-3 of the mean: the mean goes first, in float64."""
    noise = gaussian(40, 4, 16)
    states = (1e-3 * noise + 10 * gaussian(1, 4, 16, seed=1)).float()
    expected = svd_participation(states.double().flatten(1).numpy())
    assert gram_participation(states) == pytest.approx(expected, rel=1e-7)
    assert gram_participation(states, products=torch.float64) == pytest.approx(expected, rel=1e-12)
    half = noise.bfloat16()
    rounded = svd_participation(half.double().flatten(1).numpy())
    assert gram_participation(half) == pytest.approx(rounded, rel=1e-7)
    assert gram_participation(states, legacy_uncentred=True) == pytest.approx(1, abs=1e-4)


def test_unknown_states_and_bad_shapes():
    states = gaussian(5, 2, 3)
    states[2, 1, 1] = torch.nan
    assert math.isnan(gram_participation(states))
    for bad in (gaussian(1, 2, 3), [gaussian(3, 2, 3), gaussian(3, 2, 4)], gaussian(4), gaussian(2, 2, 2, 2), []):
        with pytest.raises(ValueError, match="at least 2 sentences"):
            gram_participation(bad)


def test_the_states_are_left_alone():
    states = gaussian(6, 2, 3)
    before = states.clone()
    token_participation(states)
    assert torch.equal(states, before)
