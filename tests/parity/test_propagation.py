"""The moment recursion of whole models against published-setting arrays worked out elsewhere (see README)."""

from pathlib import Path

import numpy as np
import pytest

from metrics.dslm import Norm, mlp_spread, value_spreads
from metrics.propagation import Gains, Setting, propagate

FIXTURE = np.load(Path(__file__).parent / "propagation_192x1024_cut.npz")
N, H, A, L, P = 192, 1024, 16, 256, 0.1


def published(scheme: str, norm: Norm) -> tuple[Gains, Setting, float]:
    """Gains, setting and V_0 of the published figures."""
    one = np.ones(N)
    setting = {"norm": norm, "tokens": L, "width": H, "dropout": P, "attention_dropout": P}
    if scheme == "xavier":
        head = H * 2 / (H + H // A)
        mlp = 2 / (5 * H)
        gains = Gains(values=head * one, out=one, scores=head**2 * one, up=H * mlp * one, down=4 * H * mlp * one)
        return gains, Setting(**setting), 3 / H / (1 - P)
    values = H * value_spreads(N, H, P, 0.995, 0.005).spreads ** 2
    mlp = mlp_spread(H, 4 * H, P) ** 2
    gains = Gains(values=values, out=values, scores=one, up=H * mlp * one, down=4 * H * mlp * one)
    return gains, Setting(**setting, skip_sq=0.995, branch_sq=0.005), 1.0


@pytest.mark.parametrize("form", ["corrected", "repoSHA"])
@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("scheme", ["xavier", "dslm"])
def test_192_layers_of_the_published_setting(scheme, norm, form):
    gains, setting, var = published(scheme, norm)
    found = propagate(gains, setting, var=var, r=float(FIXTURE["r0"]), published=form == "repoSHA")
    at, rows = FIXTURE["at"], FIXTURE["at_layers"]
    want = {name: FIXTURE[f"{scheme}_{norm}ln_{form}/{name}"] for name in ("V", "r", "g", "rg", "wnorm_rel")}
    got = {"V": found.var[at], "r": found.r[at], "g": found.g[at], "rg": found.rg[at]}
    got["wnorm_rel"] = found.weight_profile[rows]
    for name, values in want.items():
        np.testing.assert_allclose(got[name], values, rtol=1e-11, atol=1e-15, err_msg=name)
