"""Which simulations a grid point needs, by what its numbers are scaled, and how large a trial is (README 1).

Scaling the input, the weights or the gradient by a constant scales the output of these components exactly, so points
that differ only in such a constant share a simulation:

    linear           spreads of weights and gradient; of the input only mu / sigma_x counts
    relu, ffn_relu   spreads of input and gradient
    gelu, ffn_gelu   spread of the gradient
    layernorm        mean of the input, spread of the gradient (eps makes the spread of the input count)
    dropout          spreads of input (mu / sigma_x counts) and gradient
    softmax          spread of the gradient
    attention        spreads of values and gradient; of the rest only sigma_x sigma_qk counts

In linear and dropout the gradient that comes back knows nothing of the input, and the output nothing of the gradient,
so the two are simulated apart ("x" and "g"); elsewhere in one ("both"). Plain Python: the plan reads this.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tasks.deepscale.component_moments.config import FFN_RATIO, SIZES, Component, Point

Side = Literal["x", "g", "both"]
Sizes = Mapping[str, int]


@dataclass(frozen=True)
class Simulation:
    """What is simulated: a component at a point, with unit spreads where they only scale. Equal ones share numbers."""

    component: Component
    side: Side
    point: tuple[tuple[str, float], ...]
    """Names and values, by name."""

    @property
    def shape(self) -> tuple[tuple[str, int], ...]:
        """The sizes, by name: simulations of one component, side and shape run together."""
        return tuple((name, int(value)) for name, value in self.point if name in SIZES)

    @property
    def name(self) -> str:
        """What its random streams are named by."""
        return " ".join([self.component, self.side, *(f"{name}={value:.10g}" for name, value in self.point)])


@dataclass(frozen=True)
class Use:
    """A simulation, and the factors by which its output and its gradient become those of a grid point."""

    simulation: Simulation
    x_scale: float
    g_scale: float


def uses(component: Component, point: Point) -> tuple[Use, ...]:
    """The simulations of a grid point: one, or one forward and one backward."""
    sigma_g = point["sigma_g"]
    values = {**point, "sigma_g": 1.0}
    x_scale, g_scale = 1.0, sigma_g
    if component == "linear":
        sigma_x, sigma_w = values["sigma_x"], values["sigma_w"]
        x_scale, g_scale = sigma_x * sigma_w, sigma_g * sigma_w
        values |= {"mu": values["mu"] / sigma_x, "sigma_x": 1.0, "sigma_w": 1.0}
    elif component == "dropout":
        x_scale = values["sigma_x"]
        values |= {"mu": values["mu"] / x_scale, "sigma_x": 1.0}
    elif component in ("relu", "ffn_relu"):
        x_scale = values["sigma_x"]
        values["sigma_x"] = 1.0
    elif component == "layernorm":
        values["mu"] = 0.0
    elif component == "attention":
        x_scale, g_scale = values["sigma_v"] * values["sigma_x"], values["sigma_v"] * sigma_g
        values |= {"sigma_qk": values["sigma_qk"] * values["sigma_x"], "sigma_x": 1.0, "sigma_v": 1.0}
    if component not in ("linear", "dropout"):
        return (Use(_simulation(component, "both", values), x_scale, g_scale),)
    forward = {**values, "r_g": 0.0}
    backward = {**values, "mu": 0.0, "r_x": 0.0}
    return (
        Use(_simulation(component, "x", forward), x_scale, g_scale),
        Use(_simulation(component, "g", backward), x_scale, g_scale),
    )


def _simulation(component: Component, side: Side, values: Point) -> Simulation:
    """Values that differ by rounding alone are made equal."""
    return Simulation(component, side, tuple(sorted((name, float(f"{value:.10g}")) for name, value in values.items())))


def sizes_of(point: Point) -> dict[str, int]:
    """The sizes of a point."""
    return {name: int(point[name]) for name in SIZES if name in point}


def widths(component: Component, sizes: Sizes) -> tuple[int, int]:
    """Features of a token that goes in and of one that comes out."""
    if component == "linear":
        return sizes["d_in"], sizes["d_out"]
    if component in ("relu", "gelu", "softmax"):
        return 1, 1
    return sizes["d"], sizes["dk"] if component == "attention" else sizes["d"]


def numbers(component: Component, sizes: Sizes) -> int:
    """Numbers that a trial holds at most at once, all tensors together."""
    T, (d_in, d_out) = sizes["L"], widths(component, sizes)
    tokens = 3 * T * (d_in + d_out)
    if component == "linear":
        return tokens + d_in * d_out
    if component in ("ffn_relu", "ffn_gelu", "residual"):
        return tokens + FFN_RATIO * d_in * (2 * d_in + 4 * T)
    if component in ("attention", "attention_block"):
        heads, inner = sizes.get("heads", 1), d_out
        return tokens + 4 * d_in * inner + 8 * T * inner + 5 * heads * T * T
    return tokens


def products(component: Component, sizes: Sizes) -> float:
    """Floating-point operations of the matrix products of a trial, forward and backward."""
    T, (d_in, d_out) = sizes["L"], widths(component, sizes)
    if component == "linear":
        return 2.0 * T * d_in * d_out
    if component in ("ffn_relu", "ffn_gelu", "residual"):
        return 8.0 * FFN_RATIO * T * d_in * d_in
    if component in ("attention", "attention_block"):
        projections = 12.0 * T * d_in * d_out + (4.0 * T * d_in * d_in if component == "attention_block" else 0)
        return projections + 12.0 * T * T * d_out
    return 0.0


def trial_seconds(component: Component, sizes: Sizes) -> float:
    """Seconds of a trial on one CPU core, roughly: numbers that are held, drawn, and multiplied."""
    return numbers(component, sizes) / 100e6 + products(component, sizes) / 30e9
