"""Each component with its random weights and masks: an operation, the shapes of its input and gradient, and its size.

Dimensions: G grid points, B trials, T = L tokens, D features, A heads, K width of a head, I width inside.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.deepscale.component_moments import operations
from tasks.deepscale.component_moments.canonical import Simulation
from tasks.deepscale.component_moments.drawing import Draws
from tasks.deepscale.component_moments.grids import FFN_RATIO, SIZES, Component
from tasks.deepscale.component_moments.operations import Operation
from tasks.deepscale.component_moments.sizes import Sizes, widths

Values = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Passed:
    """What a block of trials gives; None where the simulation leaves a side out."""

    y: Tensor | None
    dx: Tensor | None


def run_block(simulations: Sequence[Simulation], draws: Draws) -> Passed:
    """One block of trials of simulations that share component, side and sizes."""
    first = simulations[0]
    sizes = dict(first.shape)
    points = [dict(simulation.point) for simulation in simulations]
    values = {
        name: torch.tensor([point[name] for point in points], dtype=torch.float64, device=draws.device)
        for name in points[0]
        if name not in SIZES
    }
    T, (d_in, d_out) = sizes["L"], widths(first.component, sizes)
    if first.side == "g":  # the transposed operation alone, since these gradients know nothing of the input
        back = _TRANSPOSED[first.component](draws, values, sizes)
        return Passed(y=None, dx=back(draws.tokens(T, d_out, values["r_g"], values["sigma_g"]))[0])
    operation = _MAKERS[first.component](draws, values, sizes)
    y, back = operation(draws.tokens(T, d_in, values["r_x"], values["sigma_x"], values.get("mu")))
    if first.side == "x":
        return Passed(y=y, dx=None)
    return Passed(y=y, dx=back(draws.tokens(T, d_out, values["r_g"], values["sigma_g"])))


def _linear(draws: Draws, values: Values, sizes: Sizes) -> Operation:
    return operations.linear(draws.weight(sizes["d_in"], sizes["d_out"], values["sigma_w"]))


def _transposed_linear(draws: Draws, values: Values, sizes: Sizes) -> Operation:
    return operations.linear(draws.weight(sizes["d_in"], sizes["d_out"], values["sigma_w"]).mT)


def _dropout(draws: Draws, values: Values, sizes: Sizes) -> Operation:
    return operations.times(draws.mask(values["p"], draws.trials, sizes["L"], sizes["d"]))


def _attention(draws: Draws, values: Values, sizes: Sizes) -> Operation:
    d, dk, T = sizes["d"], sizes["dk"], sizes["L"]
    query, key = (draws.weight(d, dk, values["sigma_qk"]) for _ in range(2))
    value = draws.weight(d, dk, values["sigma_v"])
    return operations.attention(query, key, value, draws.mask(values["p"], draws.trials, 1, T, T))


def _attention_block(draws: Draws, values: Values, sizes: Sizes) -> Operation:
    d, heads, T = sizes["d"], sizes["heads"], sizes["L"]
    unit = torch.ones_like(values["p"])
    query, key = (draws.weight(d, d, values["sigma_qk"]) for _ in range(2))
    value, out = (draws.weight(d, d, unit) for _ in range(2))
    mask = draws.mask(values["p"], draws.trials, heads, T, T)
    return operations.chain(
        operations.attention(query, key, value, mask, heads),
        operations.linear(out),
        operations.times(draws.mask(values["p"], draws.trials, T, d)),
    )


def _ffn(activation: Operation) -> Callable[[Draws, Values, Sizes], Operation]:
    def make(draws: Draws, values: Values, sizes: Sizes) -> Operation:
        d, inner, unit = sizes["d"], FFN_RATIO * sizes["d"], torch.ones_like(values["p"])
        return operations.chain(
            operations.linear(draws.weight(d, inner, unit)),
            activation,
            operations.linear(draws.weight(inner, d, unit)),
            operations.times(draws.mask(values["p"], draws.trials, sizes["L"], d)),
        )

    return make


def _residual(draws: Draws, values: Values, sizes: Sizes) -> Operation:
    skip = values["skip"].to(draws.dtype)[:, None, None, None]
    return operations.residual(skip, (1 - skip**2).sqrt(), _ffn(operations.relu)(draws, values, sizes))


_MAKERS: Mapping[Component, Callable[[Draws, Values, Sizes], Operation]] = {
    "linear": _linear,
    "relu": lambda *_: operations.relu,
    "gelu": lambda *_: operations.gelu,
    "layernorm": lambda *_: operations.layernorm,
    "dropout": _dropout,
    "softmax": lambda *_: operations.softmax,
    "attention": _attention,
    "ffn_relu": _ffn(operations.relu),
    "ffn_gelu": _ffn(operations.gelu),
    "attention_block": _attention_block,
    "residual": _residual,
}
_TRANSPOSED: Mapping[Component, Callable[[Draws, Values, Sizes], Operation]] = {
    "linear": _transposed_linear,
    "dropout": _dropout,
}
