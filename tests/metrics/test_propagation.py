"""The moment recursion: limits, grids against single networks, closed forms against the recursion."""

from dataclasses import replace

import numpy as np
import pytest

from metrics.dslm import Norm, branch_share, depth_scaling, mlp_spread, value_spreads
from metrics.propagation import Gains, Setting, propagate
from metrics.propagation_weights import MATRICES, matrix_norms
from tests.propagation_laws import pre_norm_slope, stationary

H, L = 1024, 256
NORMS: tuple[Norm, ...] = ("pre", "post")


def same(layers: int, values: float = 1.9, out: float = 1.0, scores: float = 1.0, mlp: float = 0.64) -> Gains:
    one = np.ones(layers)
    return Gains(values=values * one, out=out * one, scores=scores * one, up=one, down=mlp * one)


def dslm(layers: int, alpha: float = 1.0, k: float = 0.96, norm: Norm = "pre") -> tuple[Gains, Setting]:
    l2, b2 = depth_scaling(layers, k, alpha)
    values = H * value_spreads(layers, H, 0.1, l2, b2, norm=norm).spreads ** 2
    mlp, one = H * mlp_spread(H, 4 * H, 0.1) ** 2, np.ones(layers)
    gains = Gains(values=values, out=values, scores=one, up=mlp * one, down=4 * mlp * one)
    return gains, Setting(norm=norm, tokens=L, width=H, skip_sq=l2, branch_sq=b2)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_without_branches_nothing_changes(norm):
    found = propagate(same(10), Setting(norm=norm, tokens=L, width=H, branch_sq=0.0), var=2.0, r=0.3, top_rg=0.2)
    np.testing.assert_array_equal(found.r, 0.3)
    np.testing.assert_array_equal(found.rg, 0.2)
    # Post-LN puts the embeddings at variance 1 and divides their gradient by the variance; pre-LN leaves both.
    np.testing.assert_allclose(found.var, 2.0 if norm == "pre" else [2.0, *[1.0] * 10], rtol=1e-15)
    np.testing.assert_allclose(found.g, 1.0 if norm == "pre" else [0.5, *[1.0] * 10], rtol=1e-15)


def test_equal_tokens_stay_equal_without_dropout():
    setting = Setting(norm="pre", tokens=L, width=H, dropout=0.0, attention_dropout=0.0)
    found = propagate(same(30), setting, var=1.0, r=1.0, top_rg=1.0)
    np.testing.assert_allclose(found.r, 1.0, rtol=1e-12)
    np.testing.assert_allclose(found.rg, 1.0, rtol=1e-12)
    # Then attention passes values on, so a step's gain is A, backward divided by the stream's variance.
    np.testing.assert_allclose(np.diff(found.var), 1.9 + 0.32, rtol=1e-12)
    steps = found.steps_var
    gain = np.where(np.arange(60) % 2 == 0, 1.9, 0.32) / steps[:-1]
    np.testing.assert_allclose(found.steps_g[:-1] / found.steps_g[1:], 1 + gain, rtol=1e-12)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_grid_gives_what_single_networks_give(norm, activation):
    p, r0, mlp = np.array([0.0, 0.1, 0.3]), np.array([[0.2], [0.6]]), np.array([0.4, 0.64, 1.0])
    one = np.ones((6, 1))
    gains = Gains(values=1.9 * one, out=one, scores=one, up=one, down=one * mlp)
    setting = Setting(norm=norm, tokens=20, width=64, dropout=p, activation=activation)
    whole = propagate(gains, setting, var=0.5, r=r0, top_g=3.0, top_rg=0.1)
    norms = matrix_norms(gains, setting, whole, 256)
    assert whole.var.shape == (7, 2, 3)
    for i in range(2):
        for j in range(3):
            alone, here = same(6, mlp=float(mlp[j])), replace(setting, dropout=float(p[j]))
            single = propagate(alone, here, var=0.5, r=float(r0[i, 0]), top_g=3.0, top_rg=0.1)
            for name in ("steps_var", "steps_r", "steps_g", "steps_rg"):
                np.testing.assert_allclose(getattr(whole, name)[:, i, j], getattr(single, name), rtol=1e-13)
            apart = matrix_norms(alone, here, single, 256)
            for name in MATRICES:
                np.testing.assert_allclose(norms[name][:, i, j], apart[name], rtol=1e-13)


def test_the_published_gradient_differs_and_forward_does_not():
    gains, setting = same(20), Setting(norm="pre", tokens=L, width=H)
    ours, theirs = (propagate(gains, setting, var=1.0, r=0.2, published=form) for form in (False, True))
    np.testing.assert_array_equal(ours.steps_var, theirs.steps_var)
    assert ours.g[0] > 1.1 * theirs.g[0]


def test_xavier_pre_norm_comes_to_the_closed_slope():
    slope, r = pre_norm_slope(1.882353, 0.64, 0.1)
    assert (slope, r) == (pytest.approx(2.206, abs=1e-3), pytest.approx(0.885, abs=2e-3))
    found = propagate(
        same(3000, values=32 / 17),
        Setting(norm="pre", tokens=10**6, width=10**6, attention_dropout=0.0),
        var=1.0,
        r=0.2,
    )
    # Terms of order 1/L and 1/H are gone; what is left is that r comes to r* from below, ever more slowly.
    assert found.r[-1] == pytest.approx(r, abs=1e-3)
    assert found.var[-1] - found.var[-2] == pytest.approx(slope, rel=1e-3)


def test_post_norm_xavier_has_the_stationary_values_of_the_published_setting():
    head = H * 2 / (H + 64)
    gains = same(1, values=head, scores=head**2, mlp=1.6)
    gains = replace(gains, up=np.array([0.4]))
    found = stationary(gains, Setting(norm="post", tokens=L, width=H))
    assert found.r == pytest.approx(0.8673, abs=1e-4)
    assert found.rg == pytest.approx(0.452, abs=1e-3)
    assert found.norm_factor == pytest.approx(1.0195, abs=1e-4)


def test_dslm_keeps_unit_variance_and_flat_weight_gradients_at_any_depth():
    for layers in (24, 192, 1000):
        for norm in NORMS:
            found = propagate(*dslm(layers, norm=norm), var=1.0, r=0.1989)
            assert np.abs(found.var - 1).max() < 0.02
            assert np.ptp(found.weight_profile) < 0.12


def test_depth_rule_gradients_are_bounded_from_alpha_1_on():
    def growth(alpha: float) -> float:
        """How much further the gradient has gone from 1 at 800 layers than at 100."""
        logs = []
        for layers in (100, 800):
            gains, setting = dslm(layers, alpha=alpha, k=0.5)
            # Coherent gradients do not average out, so that what branches add is seen.
            logs.append(abs(np.log(propagate(gains, setting, var=1.0, r=0.2, top_rg=0.9).g[0])))
        return logs[1] / logs[0]

    assert growth(0.5) > 1.5
    assert growth(1.0) < 1.3
    assert growth(2.0) < 0.3
    assert branch_share(192, 0.005) == pytest.approx(0.854, abs=1e-3)


def test_bad_input():
    gains, setting = same(2), Setting(norm="pre", tokens=L, width=H)
    with pytest.raises(ValueError, match=r"the variance of the embeddings is 0"):
        propagate(gains, setting, var=0, r=0.1)
    with pytest.raises(ValueError, match=r"of the gradient is 1\.5"):
        propagate(gains, setting, var=1, r=0.1, top_rg=1.5)
    with pytest.raises(ValueError, match=r"dropout is 1\.0"):
        Setting(norm="pre", tokens=L, width=H, dropout=1.0)
    with pytest.raises(ValueError, match=r"norm is 'mid'"):
        Setting(norm="mid", tokens=L, width=H)  # pyright: ignore[reportArgumentType]
