"""Each component with its random weights and masks, from streams of each grid point's own.

Equicorrelated tokens are mu + sigma (sqrt(r) z + sqrt(1 - r) e), where all tokens of a sample share z: the law of the
published T x T normal sampler in O(T). A point's numbers depend on its simulation, the seed and the number of the block
alone: not on the points beside it, nor on memory (README 1).

Dimensions: G grid points, B trials of a block, T = L tokens, D features, A heads, K width of a head, I width inside.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.deepscale.component_moments import operations
from tasks.deepscale.component_moments.canonical import Simulation, Sizes, widths
from tasks.deepscale.component_moments.config import FFN_RATIO, SIZES, Component, Effort
from tasks.deepscale.component_moments.operations import Operation
from tasks.training.seeds import torch_stream

Values = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Draws:
    """The random numbers of one block of trials of G points."""

    generators: Sequence[torch.Generator]
    """One a point."""
    weight_generators: Sequence[torch.Generator] | None
    """Where all trials of a point share one draw of weights, as published: generators that begin anew in each block."""
    trials: int
    """B."""
    device: torch.device
    dtype: torch.dtype

    def normal(self, *shape: int) -> Tensor:
        """[G, *shape], unit Gaussian."""
        return self._filled(self.generators, shape)

    def weight(self, rows: int, columns: int, spread_G: Tensor) -> Tensor:
        """[G, B or 1, rows, columns], Gaussian of standard deviation `spread_G` / sqrt(rows)."""
        shared = self.weight_generators
        lead = self.trials if shared is None else 1
        drawn = self._filled(self.generators if shared is None else shared, (lead, rows, columns))
        return drawn.mul_((spread_G / rows**0.5).to(self.dtype)[:, None, None, None])

    def tokens(self, T: int, D: int, r_G: Tensor, sigma_G: Tensor, mu_G: Tensor | None = None) -> Tensor:
        """[G, B, T, D], equicorrelated over T."""
        common, own = self.normal(self.trials, 1, D), self.normal(self.trials, T, D)
        own.mul_(_column(sigma_G * (1 - r_G).sqrt(), own)).add_(common.mul_(_column(sigma_G * r_G.sqrt(), own)))
        return own if mu_G is None else own.add_(_column(mu_G, own))

    def mask(self, p_G: Tensor, *shape: int) -> Tensor | None:
        """[G, *shape]: 0 with probability p, else 1 / (1 - p); None where no point drops anything."""
        dropping = p_G.tolist()
        if not any(dropping):
            return None
        mask = torch.ones(len(dropping), *shape, device=self.device, dtype=self.dtype)
        for at, (p, generator) in enumerate(zip(dropping, self.generators, strict=True)):
            if p:
                uniform = torch.rand(shape, generator=generator, device=self.device, dtype=self.dtype)
                torch.ge(uniform, p, out=mask[at]).div_(1 - p)
        return mask

    def _filled(self, generators: Sequence[torch.Generator], shape: tuple[int, ...]) -> Tensor:
        drawn = torch.empty(len(generators), *shape, device=self.device, dtype=self.dtype)
        for at, generator in enumerate(generators):
            drawn[at].normal_(generator=generator)
        return drawn


def draws(
    simulations: Sequence[Simulation],
    effort: Effort,
    *,
    block: int,
    trials: int,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> Draws:
    """The streams of the block of this number, of `trials` trials."""

    def streams(name: str | int) -> list[torch.Generator]:
        names = ((effort.seed, "component_moments", simulation.name, name) for simulation in simulations)
        return [torch_stream(*each, device=str(device)) for each in names]

    shared = streams("weights") if effort.legacy_weights else None
    return Draws(generators=streams(block), weight_generators=shared, trials=trials, device=device, dtype=dtype)


def _column(values_G: Tensor, like: Tensor) -> Tensor:
    return values_G.to(like.dtype)[:, None, None, None]


def run_block(simulations: Sequence[Simulation], draws: Draws) -> tuple[Tensor | None, Tensor | None]:
    """Output and gradient of the input of one block of trials, [G, B, T, D] each; None for a side that is left out.

    The simulations share component, side and sizes.
    """
    first = simulations[0]
    sizes = dict(first.shape)
    points = [dict(simulation.point) for simulation in simulations]
    values = {
        name: torch.tensor([point[name] for point in points], dtype=torch.float64, device=draws.device)
        for name in points[0]
        if name not in SIZES
    }
    T, (d_in, d_out) = sizes["L"], widths(first.component, sizes)
    operation = _MAKERS[first.component](draws, values, sizes)
    if first.side == "g":  # these gradients know nothing of the input: a token of zeros stands for it
        x = torch.zeros(1, 1, 1, d_in, device=draws.device, dtype=draws.dtype)
    else:
        x = draws.tokens(T, d_in, values["r_x"], values["sigma_x"], values.get("mu"))
    y, back = operation(x)
    if first.side == "x":
        return y, None
    dx = back(draws.tokens(T, d_out, values["r_g"], values["sigma_g"]))
    return (None if first.side == "g" else y), dx


def _linear(draws: Draws, values: Values, sizes: Sizes) -> Operation:
    return operations.linear(draws.weight(sizes["d_in"], sizes["d_out"], values["sigma_w"]))


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
