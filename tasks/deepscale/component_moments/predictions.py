"""What the closed forms say of grid points: for each quantity the published form and the exact (or better) one."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from metrics import block_moments, component_moments
from metrics.component_moments import Moments
from tasks.deepscale.component_moments.grids import FFN_RATIO, Component, Point

Array = NDArray[np.float64]
FIVE = {"x_mean": "mean", "x_var": "var", "x_cov": "cov", "g_var": "g_var", "g_cov": "g_cov"}
SEVERAL_FORMS = {"x_var_full": "x_var", "g_var_full": "g_var"}
"""Quantities that are another published form of a measured one."""


class Predicted(NamedTuple):
    """[N] each, of N points; `published` is NaN where nobody published a form."""

    published: Array
    exact: Array


def predict(component: Component, points: Sequence[Point]) -> dict[str, Predicted]:
    """The predictions of all quantities of a component for its points."""
    x = {name: np.array([point[name] for point in points], dtype=np.float64) for name in points[0]}
    if component == "softmax":
        at = (x["sigma_x"], x["r_x"], x["sigma_g"], x["r_g"], x["L"])
        better = component_moments.softmax(*at, form="second_order")
        approx, full = (component_moments.softmax(*at, form=form) for form in ("approx", "full"))
        return {
            "x_mean": Predicted(approx.mean, better.mean),
            "x_var": Predicted(approx.var, better.var),
            "x_var_full": Predicted(full.var, better.var),
            "g_var": Predicted(approx.g_var, better.g_var),
            "g_var_full": Predicted(full.g_var, better.g_var),
        }
    if component == "layernorm":
        at = (x["sigma_x"], x["r_x"], x["sigma_g"], x["r_g"], x["d"])
        published, exact = (component_moments.layernorm(*at, form=form) for form in ("published", "exact"))
        fields = {**FIVE, "x_cov_features": "cov_features"}
        return {name: Predicted(getattr(published, own), getattr(exact, own)) for name, own in fields.items()}
    published, exact = _both(component, x)
    return {
        name: Predicted(
            np.full(len(points), np.nan) if published is None else getattr(published, own), getattr(exact, own)
        )
        for name, own in FIVE.items()
    }


def _both(component: Component, x: dict[str, Array]) -> tuple[Moments | None, Moments]:
    """The published and the exact form; the same where there is but one, None where nobody published one."""
    tokens, gradients = (x["sigma_x"], x["r_x"]), (x["sigma_g"], x["r_g"])
    if component == "linear":
        s = x["sigma_w"] / np.sqrt(x["d_in"])
        only = component_moments.linear(x["mu"], *tokens, s, *gradients, x["d_in"], x["d_out"])
        return only, only
    if component == "dropout":
        only = component_moments.dropout(x["mu"], *tokens, *gradients, x["p"])
        return only, only
    if component in ("relu", "gelu"):
        only = block_moments.activation(*tokens, *gradients, kind=component)
        return only, only
    if component == "attention":
        at = (*tokens, x["sigma_v"], x["sigma_qk"], x["p"], *gradients, x["d"], x["dk"], x["L"])
        return block_moments.attention(*at, published=True), block_moments.attention(*at, published=False)
    if component == "attention_block":
        at = (*tokens, 1.0, 1.0, x["sigma_qk"], x["p"], *gradients, x["d"], x["L"])
        return block_moments.attention_block(*at, published=True), block_moments.attention_block(*at, published=False)
    kind = "gelu" if component == "ffn_gelu" else "relu"
    block = block_moments.ffn_block(*tokens, 1.0, 1.0, x["p"], *gradients, x["d"], FFN_RATIO * x["d"], kind=kind)
    if component == "residual":
        block = block_moments.residual(*tokens, *gradients, x["skip"], np.sqrt(1 - x["skip"] ** 2), block)
    return None, block


def handed_variance(component: Component, quantity: str, var: Array, g_var: Array) -> Array | None:
    """The predicted variance that the published error metric gets for a quantity; None: none (dslm 1.1)."""
    if component == "softmax":
        return None
    if quantity in ("x_mean", "x_cov", "x_cov_features"):
        return var
    if quantity == "g_cov" and component != "attention":
        return g_var
    return None
