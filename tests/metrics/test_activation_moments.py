"""Moments of activations against quadrature and in their limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

from metrics.activation_moments import MOMENTS, gelu_moments, relu_moments

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(60)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def gelu(x):
    return x * (1 + erf(x / np.sqrt(2))) / 2


def gelu_slope(x):
    return (1 + erf(x / np.sqrt(2))) / 2 + x * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)


@settings(max_examples=30, deadline=None)
@given(sigma=st.floats(0.05, 1.5), r=st.floats(-0.95, 0.95))
def test_gelu_agrees_with_quadrature(sigma, r):
    x = sigma * NODES[:, None]
    y = sigma * (r * NODES[:, None] + np.sqrt(1 - r**2) * NODES[None, :])
    weight = WEIGHTS[:, None] * WEIGHTS[None, :]
    mean = (WEIGHTS * gelu(sigma * NODES)).sum()
    found = gelu_moments(sigma, r)
    assert float(found.mean) == pytest.approx(mean, rel=1e-7)
    assert float(found.var) == pytest.approx((WEIGHTS * gelu(sigma * NODES) ** 2).sum() - mean**2, rel=1e-7)
    assert float(found.cov) == pytest.approx((weight * gelu(x) * gelu(y)).sum() - mean**2, rel=1e-6, abs=1e-9)
    assert float(found.slope_second) == pytest.approx((WEIGHTS * gelu_slope(sigma * NODES) ** 2).sum(), rel=1e-7)
    assert float(found.slope_cross) == pytest.approx((weight * gelu_slope(x) * gelu_slope(y)).sum(), rel=1e-6)


@pytest.mark.parametrize("name", MOMENTS)
def test_at_correlation_one_pairs_are_the_same_value(name):
    moments = MOMENTS[name](np.array([0.1, 1.0, 3.0]), 1.0)
    np.testing.assert_allclose(moments.cov, moments.var, rtol=1e-12)
    np.testing.assert_allclose(moments.slope_cross, moments.slope_second, rtol=1e-12)


@pytest.mark.parametrize("name", MOMENTS)
def test_without_correlation_there_is_no_covariance(name):
    moments = MOMENTS[name](np.array([0.1, 1.0, 3.0]), 0.0)
    np.testing.assert_allclose(moments.cov, 0.0, atol=1e-15)
    np.testing.assert_allclose(moments.slope_cross, 0.25, rtol=1e-12)


def test_gelu_of_large_values_is_relu_and_of_small_ones_half_the_input():
    large, relu = gelu_moments(1e4, 0.5), relu_moments(1e4, 0.5)
    assert float(large.var) == pytest.approx(float(relu.var), rel=1e-3)
    assert float(large.slope_cross) == pytest.approx(float(relu.slope_cross), rel=1e-3)
    small = gelu_moments(1e-4, 0.5)
    assert float(small.second) == pytest.approx(1e-8 / 4, rel=1e-6)
    assert float(small.slope_second) == pytest.approx(0.25, rel=1e-6)


def test_second_and_cross_moments_are_those_about_zero():
    moments = relu_moments(2.0, 0.3)
    assert float(moments.second) == pytest.approx(2.0)  # half of sigma^2
    assert float(moments.cross) == pytest.approx(float(moments.cov + moments.mean**2))


@pytest.mark.parametrize(("sigma", "r"), [(-1.0, 0.0), (float("nan"), 0.0), (1.0, 1.1), (1.0, float("nan"))])
def test_impossible_arguments_are_refused(sigma, r):
    with pytest.raises(ValueError, match="expected"):
        relu_moments(sigma, r)
