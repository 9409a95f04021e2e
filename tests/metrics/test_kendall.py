"""Kendall's tau-b against SciPy, pair by pair."""

import warnings

import numpy as np
import pytest
from scipy import stats

from metrics.kendall import kendall_tau


def slow_tau(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.array([[[stats.kendalltau(a, b)[0] for b in v[i]] for a in u[i]] for i in range(len(u))], dtype=float)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("positions", [2, 3, 17, 60])
@pytest.mark.parametrize("decimals", [0, 1, 12])
def test_equals_scipy_with_and_without_ties(positions, decimals, dtype):
    rng = np.random.default_rng(positions)
    u = rng.normal(size=(4, 2, positions)).round(decimals).astype(dtype)
    v = (rng.normal(size=(4, 3, positions)) + u[:, :1]).round(decimals).astype(dtype)
    np.testing.assert_allclose(kendall_tau(u, v), slow_tau(u, v), atol=1e-12)


def test_what_is_constant_or_nan_has_no_tau():
    rng = np.random.default_rng(1)
    u, v = rng.normal(size=(2, 2, 9)), rng.normal(size=(2, 3, 9))
    u[0, 1], v[1, 0], v[0, 2, 4] = 0.25, -3.0, np.nan
    tau = kendall_tau(u, v)
    expected = np.zeros((2, 2, 3), dtype=bool)
    expected[0, 1], expected[1, :, 0], expected[0, :, 2] = True, True, True
    np.testing.assert_array_equal(np.isnan(tau), expected)
    np.testing.assert_allclose(tau, slow_tau(u, v), atol=1e-12)
    assert np.isnan(kendall_tau(np.ones((1, 1, 1)), np.ones((1, 1, 1)))).all()


def test_infinities_rank_beyond_all_numbers():
    rng = np.random.default_rng(2)
    u, v = rng.normal(size=(3, 1, 12)), rng.normal(size=(3, 2, 12))
    v[:, 0, 3:6], v[1, 1, 0], u[2, 0, 7], u[2, 0, 8] = -np.inf, np.inf, -np.inf, np.nan
    np.testing.assert_allclose(kendall_tau(u, v), slow_tau(u, v), atol=1e-12)
    ranked = np.where(np.isinf(v), np.sign(v) * 1e6, v)
    np.testing.assert_array_equal(kendall_tau(u, v), kendall_tau(u, ranked))


def test_numbers_that_only_just_differ_are_no_ties():
    base = np.linspace(0, 1, 8, dtype=np.float32)
    tiny = base.copy()
    tiny[1] = np.nextafter(tiny[0], np.float32(1))  # the smallest number there is
    assert kendall_tau(base[None, None], tiny[None, None]) == pytest.approx(1, abs=1e-15)


def test_the_long_way_gives_the_same():
    rng = np.random.default_rng(3)
    u, v = rng.normal(size=(2, 2, 40)).round(1), rng.normal(size=(2, 3, 40)).round(1)
    v[0, 0] = 1
    np.testing.assert_allclose(kendall_tau(u, v, long=1), kendall_tau(u, v, long=60), atol=1e-12)


def test_nothing_depends_on_monotone_maps_and_sides():
    rng = np.random.default_rng(4)
    u, v = rng.normal(size=(3, 2, 25)), rng.normal(size=(3, 4, 25))
    tau = kendall_tau(u, v)
    np.testing.assert_array_equal(kendall_tau(np.exp(u), v), tau)
    np.testing.assert_allclose(kendall_tau(v, u).transpose(0, 2, 1), tau, atol=1e-15)
    np.testing.assert_array_equal(kendall_tau(-u, v), -tau)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match="expected"):
        kendall_tau(np.zeros((1, 1, 3)), np.zeros((1, 1, 4)))
