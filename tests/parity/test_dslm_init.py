"""Initial weights of DeepScaleLM (tasks/deepscale/README.md 3) against the published code, and activation moments."""

import numpy as np
import pytest

from metrics.activation_moments import ActivationMoments, gelu_moments, relu_moments
from metrics.dslm import value_spreads
from tasks.deepscale.deep_bert.building import config_of, spreads_of
from tasks.deepscale.deep_bert.params import DeepBertParams
from tests.parity.tiny_albert import HERE

RECURSION = np.load(HERE / "dslm_init_recursion.npz")
EXACT = np.load(HERE / "activation_moments_exact.npz")


@pytest.mark.parametrize("case", range(len(RECURSION["configs"])))
def test_spreads_and_correlations_of_every_layer_are_the_published_ones(case):
    width, layers, dropout, branch_sq, skip_sq, scaled = RECURSION["configs"][case]
    scales = (skip_sq, branch_sq) if scaled else (1.0, 1.0)
    found = value_spreads(int(layers), int(width), dropout, *scales, correlation=float(RECURSION["r0"]))
    np.testing.assert_allclose(found.spreads, RECURSION[f"sigma_{case}"], rtol=1e-12)
    np.testing.assert_allclose(found.correlations, RECURSION[f"r_{case}"], rtol=1e-12)


@pytest.mark.parametrize(
    ("scheme", "tensor", "published"),
    [  # the table of tasks/deepscale/README.md 3 for width 1024, 16 heads, 192 layers, dropout 0.1
        ("vanilla", "embeddings", 0.02),
        ("vanilla", "mlp", 0.02),
        ("xavier", "embeddings", 0.03125),
        ("xavier", "query_key", 0.04287),
        ("xavier", "value", 0.04287),
        ("xavier", "out", 0.03125),
        ("xavier", "mlp", 0.01976),
        ("xavier", "dense", 0.03125),
        ("xavier", "order", (2 / 1026) ** 0.5),
        ("dslm", "embeddings", 0.5477),
        ("dslm", "query_key", 0.03125),
        ("dslm", "value", 0.045578),
        ("dslm", "out", 0.045578),
        ("dslm", "mlp", 0.02559),
        ("dslm", "dense", 0.03125),
        ("dslm", "order", 0.03125),
    ],
)
def test_standard_deviations_are_those_of_the_published_table(scheme, tensor, published):
    params = DeepBertParams(
        norm="pre", scheme=scheme, layers=192, width=1024, heads=16, branch_k=0.96, correlation=0.221
    )
    spreads = spreads_of(params, config_of(params, 30592, 256))
    value = getattr(spreads, tensor)
    first = value[0] if isinstance(value, tuple) else value
    assert first == pytest.approx(published, rel=3e-4)
    if scheme == "dslm" and tensor == "value":
        assert value[-1] == pytest.approx(0.033788, rel=3e-5)


def stacked(moments: ActivationMoments) -> np.ndarray:
    return np.stack([moments.mean, moments.var, moments.cov, moments.slope_second, moments.slope_cross], axis=-1)


def test_moments_of_the_activations_agree_with_closed_forms_and_quadrature():
    sigma, r = np.meshgrid(EXACT["sigma"], EXACT["r"], indexing="ij")
    np.testing.assert_allclose(stacked(relu_moments(sigma, r)), EXACT["relu_closed"], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(stacked(gelu_moments(sigma, r)), EXACT["gelu_closed"], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(stacked(gelu_moments(sigma, r)), EXACT["gelu_quadrature"], rtol=1e-6, atol=1e-8)
