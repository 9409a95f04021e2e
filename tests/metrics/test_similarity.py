"""PWCCA, SVCCA and CKA: a slow reference on rows, invariances, limits, and what few or dependent features do."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.moments import empty_moments
from metrics.similarity import METRICS, Level, linear_cka, prepare, pwcca, similarities, spectrum, svcca
from tests.slow_cca import pwcca_on_rows


def gaussian(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def related(n, i, j, seed=0, noise=0.7):
    """[n, i] and [n, j] with a common part."""
    common = gaussian(n, 4, seed=seed)
    x = common @ gaussian(4, i, seed=seed + 1) + noise * gaussian(n, i, seed=seed + 2)
    return x, common @ gaussian(4, j, seed=seed + 3) + noise * gaussian(n, j, seed=seed + 4)


def prepared(x, y, ridge=0.0, **how):
    moments = empty_moments((1, x.shape[1]), (1, y.shape[1]))
    moments.update(x[None], y[None])
    first, second = (
        prepare(moments.scatter(side, 0), moments.mean(side, 0), moments.count, ridge=ridge, **how) for side in (0, 1)
    )
    return first, second, moments.cross(0, 0)


@pytest.mark.parametrize("ridge", [0.0, 1e-6, 0.3])
@pytest.mark.parametrize(("i", "j"), [(6, 6), (9, 5), (5, 9)])
def test_it_is_the_definition_on_rows_both_ways(i, j, ridge):
    x, y = related(60, i, j)
    found = similarities(*prepared(x + 5, y - 3, ridge))
    forward, mean = pwcca_on_rows(x, y, ridge)
    assert found["pwcca"] == pytest.approx(forward, abs=1e-10)
    assert found["mean_cca"] == pytest.approx(mean, abs=1e-10)
    assert found["pwcca_reverse"] == pytest.approx(pwcca_on_rows(y, x, ridge)[0], abs=1e-10)
    assert found["pwcca_mean"] == pytest.approx((found["pwcca"] + found["pwcca_reverse"]) / 2)
    assert list(found) == list(METRICS)
    a, b = x - x.mean(0), y - y.mean(0)
    cka = (a.T @ b).norm() ** 2 / ((a.T @ a).norm() * (b.T @ b).norm())
    assert found["cka"] == pytest.approx(float(cka), abs=1e-12)


def test_svcca_is_the_mean_correlation_of_principal_components():
    x, y = related(80, 12, 10, noise=0.05)
    bases = []
    for rows in (x, y):
        u, s, _ = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)
        share = (s**2).cumsum(0) / (s**2).sum()
        kept = int((share < 0.99).sum()) + 1
        assert kept < min(rows.shape)
        bases.append(u[:, :kept])
    expected = torch.linalg.svdvals(bases[0].T @ bases[1]).mean()
    assert svcca(*prepared(x, y)) == pytest.approx(float(expected), abs=1e-10)


def test_features_are_like_themselves():
    x, _ = related(50, 8, 8)
    for ridge in (0.0, 1e-3):
        for name, value in similarities(*prepared(x, x, ridge)).items():
            assert value == pytest.approx(1, abs=1e-12), name


@given(st.integers(0, 10_000), st.integers(2, 7), st.integers(2, 7))
@settings(max_examples=25, deadline=None)
def test_invertible_maps_of_y_and_offsets_change_nothing(seed, i, j):
    x, y = related(40, i, j, seed)
    turned = torch.linalg.qr(gaussian(j, j, seed=seed))[0]
    turned = (
        turned @ torch.diag(torch.logspace(-1, 1, j, dtype=torch.float64)) @ gaussian(j, j, seed=seed + 9).matrix_exp()
    )
    expected = similarities(*prepared(x, y))
    mapped = similarities(*prepared(x + 100, y @ turned - 30))
    for name in ("pwcca", "mean_cca"):  # the weights of the other direction are of Y's own features
        assert mapped[name] == pytest.approx(expected[name], abs=1e-7)
    rotated = similarities(*prepared(x, 3 * y @ torch.linalg.qr(turned)[0]))
    for name in ("pwcca", "mean_cca", "svcca", "cka"):
        assert rotated[name] == pytest.approx(expected[name], abs=1e-9)
    assert all(0 <= value <= 1 + 1e-12 for value in expected.values())


def test_a_relative_ridge_sees_neither_the_unit_nor_the_number_of_rows():
    x, y = related(40, 6, 5)
    expected = similarities(*prepared(x, y, 0.1))
    for name, value in similarities(*prepared((1000 * x).repeat(3, 1), (0.01 * y).repeat(3, 1), 0.1)).items():
        assert value == pytest.approx(expected[name], abs=1e-10), name


def test_the_order_of_rows_is_irrelevant():
    x, y = related(40, 6, 5)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    expected = similarities(*prepared(x, y, 1e-3))
    for name, value in similarities(*prepared(x[order], y[order], 1e-3)).items():
        assert value == pytest.approx(expected[name], abs=1e-10), name


def test_as_many_features_as_rows_are_alike_whatever_they_are():
    """N rows less their mean have N - 1 dimensions, which N - 1 features fill; with a ridge, nearly."""
    for i, j in ((19, 19), (30, 25), (8, 19)):
        x, y = gaussian(20, i), gaussian(20, j, seed=1)
        assert similarities(*prepared(x, y))["pwcca"] == pytest.approx(1, abs=1e-9)
        assert similarities(*prepared(x, y, 1e-6))["pwcca"] > 0.999


def test_a_spectrum_is_of_the_range_and_of_no_more_directions_than_rows_leave():
    values = torch.tensor([1.0, 5.0, 1e-13, 3.0], dtype=torch.float64)
    found = spectrum(torch.diag(values))
    assert found.values_K.tolist() == pytest.approx([5.0, 3.0, 1.0])
    torch.testing.assert_close(found.vectors_HK.abs(), torch.eye(4, dtype=torch.float64)[:, [1, 3, 0]])
    assert spectrum(torch.diag(values), 2).values_K.tolist() == pytest.approx([5.0, 3.0])
    for nothing in (torch.zeros(3, 3), torch.full((3, 3), math.nan), torch.eye(3)):
        assert spectrum(nothing.double(), 0).vectors_HK.shape == (3, 0)


def test_one_row_and_constant_features_have_no_similarity():
    for x, y in ((gaussian(1, 3), gaussian(1, 3)), (torch.ones(9, 3), gaussian(9, 3))):
        first, second, cross = prepared(x, y)
        assert all(math.isnan(value) for value in similarities(first, second, cross).values())
        with pytest.raises(ValueError, match="constant or not finite"):
            pwcca(first, second, cross)


def test_values_that_are_not_finite_give_nan():
    x, y = related(20, 4, 4)
    x[3, 2] = math.inf
    assert all(math.isnan(value) for value in similarities(*prepared(x, y)).values())


@pytest.mark.parametrize("ridge", [0.0, 1e-6, 1e-2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dependent_features_are_those_without_the_dependent_one(ridge, dtype):
    """The output of a LayerNorm with gain 1 sums to zero: one direction of it is rounding, and is left out."""
    x, y = related(200, 8, 7)
    x = torch.nn.functional.layer_norm(x.to(dtype), (8,)).double()
    first, second, cross = prepared(x, y, ridge)
    assert len(first.white.values_K) == 7
    found = similarities(first, second, cross)
    if ridge == 0:  # the span is that of any seven of the eight, which CCA alone looks at
        fewer = similarities(*prepared(x[:, :7], y))
        assert found["mean_cca"] == pytest.approx(fewer["mean_cca"], abs=1e-6)
        assert found["pwcca_reverse"] == pytest.approx(fewer["pwcca_reverse"], abs=1e-6)
    else:
        assert found["pwcca"] == pytest.approx(pwcca_on_rows(x, y, ridge)[0], abs=1e-6)


def test_correlations_come_in_order_and_weights_sum_to_one():
    x, y = related(60, 9, 5)
    found = pwcca(*prepared(x, y))
    assert (found.correlations_C.diff() <= 1e-12).all()
    torch.testing.assert_close(found.correlations_C, found.singular_C, rtol=0, atol=1e-12)
    for weights in (found.weights_first_C, found.weights_second_C):
        assert float(weights.sum()) == pytest.approx(1)
        assert (weights > 0).all()


def test_wrong_requests_are_refused():
    x, y = related(20, 4, 4)
    with pytest.raises(ValueError, match=r"ridge is -1.0: give 0 or more"):
        prepared(x, y, -1.0)
    first, _, cross = prepared(x, y)
    _, second, _ = prepared(x, y, legacy_uncentred=True)
    with pytest.raises(ValueError, match="centring"):
        pwcca(first, second, cross)
    _, fewer, _ = prepared(x[:9], y[:9])
    with pytest.raises(ValueError, match="rows"):
        pwcca(first, fewer, cross)


def test_cka_by_hand():
    x = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], dtype=torch.float64)
    first, second, cross = prepared(x, x[:, :1])
    assert isinstance(first, Level)
    # X^T X = 2 I, Y^T Y = 2, X^T Y = (2, 0): 4 / (2 sqrt(2) * 2).
    assert linear_cka(first, second, cross) == pytest.approx(1 / math.sqrt(2))
