"""Which simulations a grid point needs, and by what its numbers are scaled: axes that homogeneity removes (dslm 5.1).

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
so the two are simulated apart ("x" and "g"); elsewhere in one ("both").
"""

from dataclasses import dataclass
from typing import Literal

from tasks.deepscale.component_moments.grids import SIZES, Component, Point

Side = Literal["x", "g", "both"]


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
    values = dict(point)
    sigma_g = values.pop("sigma_g")
    values["sigma_g"] = 1.0
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
