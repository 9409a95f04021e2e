"""Closed forms of moments against numbers worked out elsewhere, on every n-th point of the published grids."""

from pathlib import Path

import numpy as np
import pytest

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
