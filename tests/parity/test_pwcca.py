"""PWCCA from moments against the published code and its definition in float64, on nine pairs of features."""

from pathlib import Path

import numpy as np
import pytest
import torch

from metrics.moments import empty_moments
from metrics.similarity import Pwcca, prepare, pwcca

FILE = Path(__file__).parent / "pwcca_cut.npz"
with np.load(FILE, allow_pickle=False) as _arrays:
    FIXTURE = {name: _arrays[name] for name in _arrays.files}
# Two cases are made of the features of others.
FIXTURE |= {"narrow_wide/X": FIXTURE["wide_narrow/Y"], "narrow_wide/Y": FIXTURE["wide_narrow/X"]}
FIXTURE |= {"self/Y": FIXTURE["self/X"]}
CASES = [(name[: -len("/regs")], i) for name in FIXTURE if name.endswith("/regs") for i in range(len(FIXTURE[name]))]
DEFINITION = {
    # The features of rank 47 of 48, and of 6 of 15, leave directions that are the rounding of float32; the definition
    # weighs what it finds there, and here they are left out.
    "layernormed": 1e-9,
    "rank_deficient": 1e-7,
}


def ours(case: str, ridge: float, *, means: bool = True) -> Pwcca:
    """The published form (nothing centred, the ridge as it is), of features less their means without `means`."""
    x, y = (torch.from_numpy(FIXTURE[f"{case}/{side}"]) for side in "XY")
    moments = empty_moments((1, x.shape[1]), (1, y.shape[1]))
    moments.update(x[None], y[None])
    levels = [
        prepare(
            moments.scatter(side, 0),
            moments.mean(side, 0) * means,
            moments.count,
            ridge=ridge,
            legacy_uncentred=True,
        )
        for side in (0, 1)
    ]
    return pwcca(levels[0], levels[1], moments.cross(0, 0))


@pytest.mark.parametrize(("case", "i"), CASES)
def test_it_is_the_definition_and_the_published_value(case, i):
    ridge = float(FIXTURE[f"{case}/regs"][i])
    found, centred = ours(case, ridge), ours(case, ridge, means=False)
    assert found.value == pytest.approx(FIXTURE[f"{case}/own64_weighted_cca"][i], abs=DEFINITION.get(case, 1e-10))
    assert centred.value == pytest.approx(FIXTURE[f"{case}/centred64_weighted_cca"][i], abs=DEFINITION.get(case, 1e-10))
    assert found.value == pytest.approx(FIXTURE[f"{case}/orig64_weighted_cca"][i], abs=1e-6)
    # What is single correlations' own, not the basis of equal ones'. The published weights pass through float32.
    if case not in ("self", "rank_deficient"):
        C = FIXTURE[f"{case}/own64_cancorrs"].shape[1] - (case == "layernormed")
        assert len(found.correlations_C) == C
        for ours_C, name, close in (
            (found.correlations_C, "own64_cancorrs", 1e-7 if case == "layernormed" else 1e-10),
            (found.weights_first_C, "own64_weights_norm", DEFINITION.get(case, 1e-10)),
        ):
            np.testing.assert_allclose(ours_C.numpy(), FIXTURE[f"{case}/{name}"][i, :C], atol=close, rtol=0)
    if case not in ("self", "rank_deficient", "layernormed"):
        np.testing.assert_allclose(found.singular_C.numpy(), FIXTURE[f"{case}/own64_eigvals"][i], atol=1e-10, rtol=0)


def test_single_precision_of_the_published_code_is_visible_where_features_are_singular():
    """The published Gram matrices were float32, whose noise is above the ridge 1e-4 (tasks/transfer/README.md 5)."""
    found = ours("layernormed", 1e-4).value
    assert abs(found - float(FIXTURE["layernormed/orig32_weighted_cca"][0])) > 5e-4


def test_offsets_change_the_published_form_and_not_the_centred_one():
    latent, offset = (ours(case, 0.0, means=False).value for case in ("latent", "latent_offset"))
    assert latent == pytest.approx(offset, abs=1e-7)  # the offsets cost float32 features some digits
    assert ours("latent_offset", 0.0).value - ours("latent", 0.0).value > 0.04
