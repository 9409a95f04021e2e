"""Streamed moments of tokens against the T x T covariance matrix, and merged against whole."""

import numpy as np
import pytest
import torch

from metrics.token_moments import token_moments, token_sums


def reference(y_BTD):
    """The published way: the mean off-diagonal element of the sample covariance over trials and features."""
    rows = y_BTD.transpose(0, 2, 1).reshape(-1, y_BTD.shape[1])
    matrix = np.cov(rows, rowvar=False)
    T = len(matrix)
    return y_BTD.mean(), (y_BTD**2).mean() - y_BTD.mean() ** 2, (matrix.sum() - np.trace(matrix)) / (T * (T - 1))


@pytest.fixture
def values():
    random = np.random.default_rng(0)
    common = random.standard_normal((3, 8, 1, 5))
    return 4.0 + common + 0.3 * random.standard_normal((3, 8, 6, 5))


def test_moments_are_those_of_the_matrix(values):
    found = token_moments(token_sums(torch.from_numpy(values)))
    for at, own in enumerate(values):
        assert [float(value[at]) for value in found] == pytest.approx(reference(own), rel=1e-12)


def test_sums_of_two_blocks_are_those_of_both(values):
    y = torch.from_numpy(values)
    both = token_moments(token_sums(y[:, :3]) + token_sums(y[:, 3:]))
    for merged, whole in zip(both, token_moments(token_sums(y)), strict=True):
        torch.testing.assert_close(merged, whole, rtol=1e-13, atol=0)


def test_float32_far_from_zero_keeps_its_covariance():
    y = (1000 + torch.randn(1, 4000, 8, 2, generator=torch.Generator().manual_seed(0))).float()
    _, var, cov = (float(value) for value in token_moments(token_sums(y)))
    mean, expected, expected_cov = reference(y[0].double().numpy())
    assert var == pytest.approx(expected, abs=1e-3)
    assert cov == pytest.approx(expected_cov, abs=1e-3)
    assert mean == pytest.approx(1000, abs=0.1)


def test_one_token_or_sample_has_no_covariance():
    for shape in ((2, 4, 1, 3), (2, 1, 4, 1)):
        assert torch.isnan(token_moments(token_sums(torch.ones(shape)))[2]).all()
