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
from metrics.component_moments import Moments
from metrics.published_errors import published_error
from orchestrator.experiment import Context
from tasks.deepscale.component_moments.canonical import Simulation, Use, sizes_of, uses, widths
from tasks.deepscale.component_moments.config import FFN_RATIO, Component, Point
from tasks.deepscale.component_moments.simulation import UNITS, Estimate, Measured, simulate
from tasks.deepscale.component_moments.stages import NUMBERS, MomentsParams
from tasks.training.numerics import exact_numerics, synchronise, usable_bytes

Rows = list[dict[str, Any]]
Array = NDArray[np.float64]
ROUNDING = 2.0**-22
"""What float32 may move a moment systematically, in units of its scale: some values are exact, so that their standard
error is no measure (the mean of a LayerNorm)."""
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
    """The predicted variance that the published error metric gets for a quantity; None: none."""
    if component == "softmax":
        return None
    if quantity in ("x_mean", "x_cov", "x_cov_features"):
        return var
    if quantity == "g_cov" and component != "attention":
        return g_var
    return None


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
    measured = [scaled(several, known) for several in used]
    trials = [max(known[use.simulation].trials for use in several) for several in used]
    blocks = [max(len(known[use.simulation].blocks) for use in several) for several in used]
    return {
        "moments": _rows(params, points, measured, trials, blocks),
        "moment_costs": [_cost(params, points, known, seconds)],
    }


def scaled(several: tuple[Use, ...], known: dict[Simulation, Measured]) -> dict[str, Estimate]:
    """The moments of a grid point: those of its simulations, in its units."""
    found = {}
    for use in several:
        for name, (value, error) in known[use.simulation].estimates().items():
            scale = use.x_scale if UNITS[name] == "x" else use.g_scale
            factor = scale if name == "x_mean" else scale**2
            found[name] = Estimate(value * factor, error * factor)
    return found


def _rows(
    params: MomentsParams,
    points: list[Point],
    measured: list[dict[str, Estimate]],
    trials: list[int],
    blocks: list[int],
) -> Rows:
    """A row a point and quantity."""
    rows: Rows = []
    predicted = predict(params.component, points)
    for quantity, forms in predicted.items():
        estimates = [known[SEVERAL_FORMS.get(quantity, quantity)] for known in measured]
        m = np.array([estimate.value for estimate in estimates])
        error = np.array([estimate.error for estimate in estimates])
        columns = {"measured": m, "standard_error": error}
        for ending, at in (("_published", 0), ("", 1)):
            t, var, g_var = forms[at], predicted["x_var"][at], predicted["g_var"][at]
            mean = predicted["x_mean"][at]
            scale = _scale(quantity, mean, var, g_var)
            bias = (m - t) / np.where(t == 0, scale, np.abs(t))
            columns["bias" + ending] = bias
            columns["z" + ending] = (m - t) / np.hypot(error, ROUNDING * scale)
            handed = handed_variance(params.component, quantity, var, g_var)
            columns["legacy_error" + ending] = published_error(m, t, handed)
        columns["predicted_published"], columns["predicted_exact"] = forms
        plain = {name: values.tolist() for name, values in columns.items()}
        for at, point in enumerate(points):
            rows.append(
                {
                    "point": point_name(point),
                    "quantity": quantity,
                    "in_published_grid": params.published[at],
                    **{name: point.get(name) for name in NUMBERS},
                    **{name: values[at] for name, values in plain.items()},
                    "trials_done": trials[at],
                    "blocks": blocks[at],
                }
            )
    return rows


def _scale(quantity: str, mean: np.ndarray, var: np.ndarray, g_var: np.ndarray) -> np.ndarray:
    """The unit of a quantity: the root of the mean square for a mean, else the variance of its side."""
    if quantity == "x_mean":
        return np.sqrt(var + mean**2)
    return g_var if quantity.startswith("g") else var


def point_name(point: Point) -> str:
    """A point as text."""
    return " ".join(f"{name}={value:.6g}" for name, value in point.items())


def _cost(params: MomentsParams, points: list[Point], known: dict[Simulation, Measured], seconds: float) -> dict:
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
