"""The stage `component_moments`: simulates what its grid points share, and sets each point beside its closed forms.

For each quantity there is the published form and the exact (or best known) one.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from metrics import block_moments, component_moments
from metrics.published_errors import published_error
from orchestrator.experiment import Context
from tasks.deepscale.component_moments.canonical import Simulation, Use, sizes_of, uses, widths
from tasks.deepscale.component_moments.config import FFN_RATIO, Component, Point
from tasks.deepscale.component_moments.simulation import UNITS, Estimate, Measured, simulate
from tasks.deepscale.component_moments.stages import FORMS, NUMBERS, MomentsParams
from tasks.training.numerics import exact_numerics, synchronise, usable_bytes

Rows = list[dict[str, Any]]
Array = NDArray[np.float64]
ROUNDING = 2.0**-22
"""What float32 may move a moment systematically, in units of its scale: some values are exact, so that their standard
error is no measure (the mean of a LayerNorm)."""
FIELDS = {
    "x_mean": "mean",
    "x_var": "var",
    "x_cov": "cov",
    "x_cov_features": "cov_features",
    "g_var": "g_var",
    "g_cov": "g_cov",
}
"""Names of the moments in `metrics`; a component has most of them."""
SEVERAL_FORMS = {"x_var_full": "x_var", "g_var_full": "g_var"}
"""Quantities that are another published form of a measured one."""


class Predicted(NamedTuple):
    """[N] each, of N points; `published` is NaN where nobody published a form."""

    published: Array
    exact: Array


def predict(component: Component, points: Sequence[Point]) -> dict[str, Predicted]:
    """The predictions of all quantities of a component for its points."""
    x = {name: np.array([point[name] for point in points], dtype=np.float64) for name in points[0]}
    published, exact = _both(component, x)
    unknown = np.full(len(points), np.nan)
    found = {
        name: Predicted(getattr(published, own, unknown), getattr(exact, own))
        for name, own in FIELDS.items()
        if hasattr(exact, own)
    }
    if component == "softmax":
        full = component_moments.softmax(*_at(x, "L"), form="full")
        found |= {name: Predicted(getattr(full, FIELDS[own]), found[own].exact) for name, own in SEVERAL_FORMS.items()}
    return found


def _at(x: dict[str, Array], *more: str) -> tuple[Array, ...]:
    return tuple(x[name] for name in ("sigma_x", "r_x", "sigma_g", "r_g", *more))


def _both(component: Component, x: dict[str, Array]) -> tuple[Any, Any]:
    """The published and the exact moments; the same where there is but one form, None where nobody published one."""
    tokens, gradients = (x["sigma_x"], x["r_x"]), (x["sigma_g"], x["r_g"])
    if component == "softmax":
        at = _at(x, "L")
        return component_moments.softmax(*at, form="approx"), component_moments.softmax(*at, form="second_order")
    if component == "layernorm":
        at = _at(x, "d")
        return component_moments.layernorm(*at, form="published"), component_moments.layernorm(*at, form="exact")
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
    """The predicted variance that the published error metric gets for a quantity; None: none."""
    if component == "softmax" or "_var" in quantity or (component, quantity) == ("attention", "g_cov"):
        return None
    return g_var if quantity == "g_cov" else var


def moments(params: MomentsParams, context: Context) -> dict[str, Rows]:
    """Rows of both tables.

    Raises:
        ValueError: a trial does not fit into memory.
    """
    device = torch.device(context.device)
    points = params.named_points
    used = [uses(params.component, point) for point in points]
    groups: dict[Any, dict[Simulation, None]] = defaultdict(dict)  # dicts keep the order
    for use in (use for several in used for use in several):
        groups[use.simulation.side, use.simulation.shape][use.simulation] = None
    known: dict[Simulation, Measured] = {}
    clock = time.perf_counter()
    with exact_numerics(), torch.inference_mode():
        for group in groups.values():
            found = simulate(list(group), params.trials, params, device=device, budget=usable_bytes(context))
            known |= dict(zip(group, found, strict=True))
        synchronise(device)
    seconds = time.perf_counter() - clock
    rows = _rows(params, used, known)
    return {"moments": rows, "moment_costs": [_cost(points, known, seconds)]}


def scaled(several: tuple[Use, ...], known: dict[Simulation, Measured]) -> dict[str, Estimate]:
    """The moments of a grid point: those of its simulations, in its units."""
    found = {}
    for use in several:
        for name, (value, error) in known[use.simulation].estimates().items():
            scale = use.x_scale if UNITS[name] == "x" else use.g_scale
            factor = scale if name == "x_mean" else scale**2
            found[name] = Estimate(value * factor, error * factor)
    return found


def _rows(params: MomentsParams, used: Sequence[tuple[Use, ...]], known: dict[Simulation, Measured]) -> Rows:
    """A row a point and quantity."""
    measured = [scaled(several, known) for several in used]
    points = [
        {
            "point": point_name(point),
            "in_published_grid": published,
            **{name: point.get(name) for name in NUMBERS},
            "trials_done": max(known[use.simulation].trials for use in several),
            "blocks": max(len(known[use.simulation].blocks) for use in several),
        }
        for point, published, several in zip(params.named_points, params.published, used, strict=True)
    ]
    rows: Rows = []
    predicted = predict(params.component, params.named_points)
    for quantity in predicted:
        estimates = [moments[SEVERAL_FORMS.get(quantity, quantity)] for moments in measured]
        m, error = np.array(estimates).T
        columns = {"measured": m, "standard_error": error}
        for form, ending in FORMS.items():
            t, mean, var, g_var = (getattr(predicted[name], form) for name in (quantity, "x_mean", "x_var", "g_var"))
            scale = _scale(quantity, mean, var, g_var)
            columns[f"predicted_{form}"] = t
            columns["bias" + ending] = (m - t) / np.where(t == 0, scale, np.abs(t))
            columns["z" + ending] = (m - t) / np.hypot(error, ROUNDING * scale)
            handed = handed_variance(params.component, quantity, var, g_var)
            columns["legacy_error" + ending] = published_error(m, t, handed)
        plain = {name: values.tolist() for name, values in columns.items()}
        for at, point in enumerate(points):
            rows.append({**point, "quantity": quantity, **{name: values[at] for name, values in plain.items()}})
    return rows


def _scale(quantity: str, mean: np.ndarray, var: np.ndarray, g_var: np.ndarray) -> np.ndarray:
    """The unit of a quantity: the root of the mean square for a mean, else the variance of its side."""
    if quantity == "x_mean":
        return np.sqrt(var + mean**2)
    return g_var if quantity.startswith("g") else var


def point_name(point: Point) -> str:
    """A point as text."""
    return " ".join(f"{name}={value:.6g}" for name, value in point.items())


def _cost(points: list[Point], known: dict[Simulation, Measured], seconds: float) -> dict:
    drawn = 0.0
    for simulation, measured in known.items():
        sizes = dict(simulation.shape)
        d_in, d_out = widths(simulation.component, sizes)
        sides = {"x": d_in, "g": d_out, "both": d_in + d_out}[simulation.side]
        drawn += float(measured.trials) * sizes["L"] * sides
    return {
        "shape": " ".join(f"{name}={size}" for name, size in sizes_of(points[0]).items()),
        "first": point_name(points[0]),
        "grid_points": len(points),
        "simulations": len(known),
        "trials_total": sum(measured.trials for measured in known.values()),
        "numbers_drawn": drawn,
        "simulation_seconds": seconds,
    }
