"""Closed forms: references, limits, what they reduce to, and what they refuse."""

import numpy as np
import pytest
from scipy.special import roots_genlaguerre, roots_hermite

from metrics import block_moments, component_moments
from metrics.attention_moments import attention_moments, published_attention_moments
from metrics.correlation_curves import ffn_correlation, ffn_polynomial, relu_correlation, relu_polynomial


@pytest.mark.parametrize(("r", "n"), [(0.0, 9), (0.5, 9), (0.8, 15)])
def test_inverse_spreads_against_quadrature_over_a_wishart_matrix(r, n):
    # Bartlett: S = a^2, S12 = a t and S' = t^2 + (1 - r^2) c^2 with t = r a + sqrt(1 - r^2) b, a^2 and c^2 chi-squared
    # of n and n - 1 degrees of freedom, b Gaussian.
    def chi_squared(degrees):
        half, weights = roots_genlaguerre(60, degrees / 2 - 1)
        return 2 * half, weights / weights.sum()

    s, of_s = chi_squared(n)
    c2, of_c = chi_squared(n - 1)
    b, of_b = roots_hermite(60)
    t = r * np.sqrt(s)[:, None] + np.sqrt(1 - r**2) * np.sqrt(2) * b
    other = t[:, :, None] ** 2 + (1 - r**2) * c2
    weights = of_s[:, None, None] * (of_b / of_b.sum())[:, None] * of_c
    inverse = 1 / np.sqrt(s[:, None, None] * other)
    rho2 = t[:, :, None] ** 2 / other
    first, second = component_moments.inverse_spreads(r, n)
    assert first == pytest.approx((weights * inverse).sum(), rel=2e-6)
    assert second == pytest.approx((weights * inverse * rho2).sum(), rel=2e-6)


def layernorm(d, form, r=0.6, eps=1e-5):
    return component_moments.layernorm(1.3, r, 0.7, 0.4, d, form=form, eps=eps)


def test_forms_of_layernorm_agree_where_the_width_is_large():
    for name, published in layernorm(1e7, "published", eps=0.0)._asdict().items():
        for form in ("first_order", "exact"):
            found = getattr(layernorm(1e7, form, eps=0.0), name)
            np.testing.assert_allclose(found, published, rtol=1e-6, err_msg=f"{form} {name}")


def test_first_order_of_layernorm_is_off_by_second_order():
    for name in ("cov", "g_cov"):
        gaps = [
            abs(float(getattr(layernorm(d, "first_order", eps=0.0), name)
                      / getattr(layernorm(d, "exact", eps=0.0), name)) - 1)
            for d in (50, 100)
        ]  # fmt: skip
        assert 0 < gaps[1] < 2e-4
        assert gaps[0] / gaps[1] == pytest.approx(4, rel=0.1)  # double the width, a quarter of the gap


def test_layernorm_refuses_widths_without_moments_and_unknown_forms():
    with pytest.raises(ValueError, match="d is 5: give 6 or more"):
        layernorm(5, "exact")
    with pytest.raises(ValueError, match="give published, first_order or exact"):
        layernorm(50, "better")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"r": 1.0}, "r is 1: give at least 0 and less than 1"),
        ({"r": -0.1}, "r is -0.1"),
        ({"r_g": 1.5}, "r_g is 1.5"),
        ({"p": 1.0}, "p is 1: give at least 0 and less than 1"),
        ({"L": 1}, "L is 1: give 2 or more"),
        ({"dk": 0}, "dk is 0: give 2 or more"),
        ({"sigma_x": np.nan}, "an argument holds nan: give finite numbers"),
        ({"sigma_v": [1.0, np.inf]}, "an argument holds inf"),
    ],
)
def test_attention_refuses_what_has_no_moments(change, message):
    good = {
        "sigma_x": 1.0, "r": 0.5, "sigma_v": 1.0, "sigma_qk": 1.0, "p": 0.1, "sigma_g": 1.0, "r_g": 0.1, "d": 64,
        "dk": 16, "L": 32,
    }  # fmt: skip
    block_moments.attention(**good, published=False)
    with pytest.raises(ValueError, match=message):
        block_moments.attention(**{**good, **change}, published=False)


def test_attention_of_one_far_look_is_that_of_independent_scores():
    # T = 0: probabilities are 1/L, and both forms are the mean of L tokens with dropout.
    r, r_g, p, L = 0.3, 0.2, 0.1, 50
    exact = attention_moments(r, r_g, T=0, p=p, d=64, L=L)
    assert exact.var == pytest.approx(r * (1 + p / (1 - p) / L) + (1 - r) / (1 - p) / L)
    assert exact.cov == pytest.approx(r + (1 - r) / L)
    assert exact.g_cov == pytest.approx((1 + (L - 1) * r_g) / L)
    published = published_attention_moments(r, r_g, T=0, p=p, d=64, L=L)
    for name in ("cov", "g_var", "g_cov"):
        assert getattr(published, name) == pytest.approx(getattr(exact, name)), name


def test_published_gradient_is_too_small_by_the_share_that_was_simulated():
    # Too small by 25 % (r = r_g = .8), 37 % (.5, .5), 88 to 92 % (r_g = 0, d = 64, L = 256), at T = 1.
    def lost(r, r_g, d, L):
        at = {"T": 1.0, "p": 0.1, "d": d, "L": L}
        return 1 - float(published_attention_moments(r, r_g, **at).g_var / attention_moments(r, r_g, **at).g_var)

    assert lost(0.8, 0.8, 64, 256) == pytest.approx(0.25, abs=0.02)
    assert lost(0.5, 0.5, 64, 256) == pytest.approx(0.37, abs=0.02)
    assert 0.88 <= lost(0.0, 0.0, 64, 256) <= 0.92


def test_feed_forward_block_of_relu_is_that_of_the_whole_model_theory():
    r, r_g, p, d, inner = 0.4, 0.3, 0.1, 64, 256
    found = block_moments.ffn_block(1.0, r, 0.9, 1.1, p, 1.0, r_g, d, inner, kind="relu")
    gain = (0.9 * 1.1) ** 2  # F, the gain of the MLP
    assert found.var == pytest.approx(gain / (2 * (1 - p)))
    assert found.cov == pytest.approx(gain / 2 * float(ffn_correlation(r)))
    assert found.g_var == pytest.approx(gain / (2 * (1 - p)))
    assert found.g_cov == pytest.approx(gain * r_g * (0.25 + np.arcsin(r) / (2 * np.pi)))


def test_residual_mixes_stream_and_branch():
    branch = block_moments.ffn_block(1.0, 0.4, 1.0, 1.0, 0.1, 1.0, 0.3, 64, 256, kind="relu")
    assert block_moments.residual(1.0, 0.4, 1.0, 0.3, 0.0, 1.0, branch) == branch
    stream = block_moments.residual(1.0, 0.4, 1.0, 0.3, 1.0, 0.0, branch)
    assert [float(value) for value in stream] == pytest.approx([0, 1, 0.4, 1, 0.3])


def test_independent_tokens_stay_so_in_an_activation():
    found = block_moments.activation([0.3, 1.0], 0.0, 1.0, 0.5, kind="gelu")
    assert (found.cov == 0).all()


def test_polynomials_are_as_far_off_as_the_text_says():
    r = np.linspace(0, 1, 5000)
    apart = relu_polynomial(r) - relu_correlation(r)
    assert np.abs(apart).max() == pytest.approx(0.00603, abs=1e-5)
    assert r[np.abs(apart).argmax()] == pytest.approx(0.857, abs=1e-3)
    apart = ffn_polynomial(r) - ffn_correlation(r)
    assert apart.max() == pytest.approx(0.00754, abs=1e-5)
    assert apart.min() > -1e-12
