"""What DeepScaleLM's weights are drawn by: limits and exact cases."""

import numpy as np
import pytest

from metrics.activation_moments import gelu_moments
from metrics.dslm import (
    PUBLISHED_CORRELATION,
    branch_correlation,
    depth_scaling,
    embedding_correlation,
    mlp_spread,
    value_spreads,
)


def test_the_published_correlation_is_nearly_that_of_zipf_words_and_a_uniform_cut():
    zipf = np.pi**2 / (6 * np.log(30522) ** 2)
    assert embedding_correlation(zipf) == pytest.approx(0.227, abs=1e-3)
    assert abs(embedding_correlation(zipf) - PUBLISHED_CORRELATION) < 0.007
    assert embedding_correlation(zipf, tables=2) == pytest.approx(zipf / 2)


@pytest.mark.parametrize("arguments", [(1.5,), (0.1, -0.1), (0.1, 0.5, 4)])
def test_impossible_statistics_are_refused(arguments):
    with pytest.raises(ValueError, match="expected"):
        embedding_correlation(*arguments)


def test_scaling_with_depth_keeps_the_sum_of_squares():
    skip_sq, branch_sq = depth_scaling(192, 0.96, 1.0)
    assert (skip_sq, branch_sq) == pytest.approx((0.995, 0.005))
    with pytest.raises(ValueError, match="give a smaller k"):
        depth_scaling(2, 2.0, 1.0)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_correlation_grows_through_the_mlp_and_one_stays_one(activation):
    r = np.linspace(0, 1, 11)
    c = branch_correlation(r, activation)
    assert c[-1] == pytest.approx(1.0)
    assert (np.diff(c) > 0).all()
    grows = c[:-1] > r[:-1]
    assert grows[:8].all()
    assert grows.all() == (activation == "relu")  # GeLU moves nearly equal tokens apart


def test_relu_s_correlation_is_the_arc_cosine_kernel_at_any_variance():
    r = np.linspace(-0.9, 0.9, 7)
    kernel = (0.5 + np.arcsin(r) / np.pi) * r + np.sqrt(1 - r**2) / np.pi
    np.testing.assert_allclose(branch_correlation(r), kernel, rtol=1e-12)
    np.testing.assert_allclose(branch_correlation(r, input_var=7.0), kernel, rtol=1e-12)


@pytest.mark.parametrize(("width", "intermediate", "dropout"), [(1024, 4096, 0.1), (64, 128, 0.0), (96, 384, 0.3)])
def test_the_mlp_branch_has_variance_one(width, intermediate, dropout):
    relu = mlp_spread(width, intermediate, dropout)
    assert width * relu**2 * intermediate * relu**2 / 2 / (1 - dropout) == pytest.approx(1.0)
    gelu = mlp_spread(width, intermediate, dropout, "gelu")
    second = float(gelu_moments(gelu * width**0.5, 0.0).second)
    assert intermediate * gelu**2 * second / (1 - dropout) == pytest.approx(1.0)


def test_the_attention_branch_has_variance_one_and_correlations_grow_with_depth():
    found = value_spreads(48, 64, 0.1, *depth_scaling(48, 2.0, 1.0))
    assert found.correlations[0] == pytest.approx(PUBLISHED_CORRELATION * 0.9)
    np.testing.assert_allclose((64 * found.spreads**2) ** 2 * found.correlations[:-1] / 0.9, 1.0)
    assert (np.diff(found.correlations) > 0).all()


def test_norm_matters_only_where_the_residual_is_not_scaled():
    scales = depth_scaling(24, 2.0, 1.0)
    pre, post = (value_spreads(24, 64, 0.1, *scales, norm=norm) for norm in ("pre", "post"))
    np.testing.assert_allclose(pre.spreads, post.spreads)
    plain = [value_spreads(24, 64, 0.1, norm=norm).correlations[-1] for norm in ("pre", "post")]
    assert plain[1] > plain[0] + 0.01  # post-LN mixes half of each branch in, however deep


def test_a_branch_of_no_weight_leaves_the_correlation():
    found = value_spreads(10, 64, 0.1, 1.0, 0.0, correlation=0.5)
    np.testing.assert_allclose(found.correlations, 0.45)


@pytest.mark.parametrize("correlation", [0.0, -0.1, 1.2])
def test_a_correlation_that_cannot_be_is_refused(correlation):
    with pytest.raises(ValueError, match="correlation of embeddings"):
        value_spreads(4, 8, 0.1, correlation=correlation)
