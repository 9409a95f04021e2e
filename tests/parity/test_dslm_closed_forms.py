"""Closed forms of moments against numbers worked out elsewhere, on every n-th point of the published grids."""

from pathlib import Path

import numpy as np
import pytest

from metrics import block_moments, component_moments, correlation_curves
from metrics.attention_moments import attention_moments, published_attention_moments

FIXTURE = Path(__file__).parent / "dslm_closed_forms_cut.npz"
CLOSE = 1e-10


@pytest.fixture(scope="module")
def fixture():
    with np.load(FIXTURE) as file:
        return dict(file)


def columns(fixture, component):
    """Parameters and predictions by name."""
    names, quantities = (fixture[f"{component}/{kind}"].tolist() for kind in ("param_names", "quantities"))
    parameters = dict(zip(names, fixture[f"{component}/params"].T, strict=True))
    return parameters, dict(zip(quantities, fixture[f"{component}/predicted"].T, strict=True))


def test_attention(fixture):
    x, predicted = columns(fixture, "SHA")
    arguments = {"T": x["sigma_qk_unit"] ** 4, "p": x["p"], "d": x["d_in"], "L": x["L"]}
    forward = x["sigma_v_unit"] ** 2
    backward = x["d_k"] * x["sigma_v_unit"] ** 2 / x["d_in"] * x["sigma_g"] ** 2
    for ending, moments in (("", published_attention_moments), ("_corrected", attention_moments)):
        found = moments(x["r_x"], x["r_g"], **arguments)
        for name, scale, bracket in (
            ("x_var", forward, found.var),
            ("x_cov", forward, found.cov),
            ("g_var", backward, found.g_var),
            ("g_cov", backward, found.g_cov),
        ):
            np.testing.assert_allclose(scale * bracket, predicted[name + ending], rtol=CLOSE, err_msg=name + ending)


def test_linear(fixture):
    x, predicted = columns(fixture, "linear")
    found = component_moments.linear(
        x["mu"], x["sigma_x"], x["r_x"], x["sigma_w_unit"] / np.sqrt(x["d_in"]), x["sigma_g"], x["r_g"], x["d_in"],
        x["d_out"],
    )  # fmt: skip
    assert_same(found, predicted)


def test_relu(fixture):
    x, predicted = columns(fixture, "relu")
    assert_same(block_moments.activation(x["sigma_x"], x["r_x"], x["sigma_g"], x["r_g"], kind="relu"), predicted)


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ("published", {"x_cov_tokens": "cov", "x_cov_features": "cov_features", "x_var": "var", "g_var": "g_var",
                       "g_cov": "g_cov", "x_mean": "mean"}),
        ("first_order", {"x_var_exact_eps": "var", "g_var_exact": "g_var", "x_cov_tokens_corrected": "cov"}),
    ],
)  # fmt: skip
def test_layernorm(fixture, form, names):
    x, predicted = columns(fixture, "layernorm")
    found = component_moments.layernorm(x["sigma_x"], x["r_x"], x["sigma_g"], x["r_g"], x["d"], form=form)
    for name, field in names.items():
        np.testing.assert_allclose(getattr(found, field), predicted[name], rtol=CLOSE, atol=1e-15, err_msg=name)


@pytest.mark.parametrize(("form", "ending"), [("approx", "_approx"), ("full", "_full"), ("second_order", "_corrected")])
def test_softmax(fixture, form, ending):
    x, predicted = columns(fixture, "softmax")
    found = component_moments.softmax(x["sigma_x"], x["r_x"], x["sigma_g"], 0.0, x["L"], form=form)
    # The fixture's variances are differences of numbers near 1/L^2, so they have fewer digits where w is small.
    atol = 4e-16 / x["L"].min() ** 2
    np.testing.assert_allclose(found.mean, predicted["x_mean"], rtol=CLOSE)
    np.testing.assert_allclose(found.var, predicted["x_var" + ending], rtol=CLOSE, atol=atol)
    np.testing.assert_allclose(found.g_var, predicted["g_var" + ending], rtol=CLOSE)


@pytest.mark.parametrize(
    ("name", "curve"),
    [
        ("relu_corr", correlation_curves.relu_correlation),
        ("relu_corr_poly", correlation_curves.relu_polynomial),
        ("ffn_corr", correlation_curves.ffn_correlation),
        ("ffn_corr_poly", correlation_curves.ffn_polynomial),
    ],
)
def test_correlation_curves(fixture, name, curve):
    np.testing.assert_allclose(curve(fixture["approximation/x"]), fixture[f"approximation/{name}"], rtol=0, atol=CLOSE)


def assert_same(found, predicted):
    for name, field in (("x_mean", "mean"), ("x_var", "var"), ("x_cov", "cov"), ("g_var", "g_var"), ("g_cov", "g_cov")):
        np.testing.assert_allclose(getattr(found, field), predicted[name], rtol=CLOSE, atol=1e-15, err_msg=name)
