"""Draws of inputs, gradients, weights and dropout masks, each grid point from streams of its own.

Equicorrelated tokens are mu + sigma (sqrt(r) z + sqrt(1 - r) e), where all tokens of a sample share z: the law of the
published T x T normal sampler in O(T) (dslm 5.1). A point's numbers depend on its simulation, the seed and the number
of the block alone: not on the points beside it, nor on memory (dslm 5, quirk 6).

Dimensions: G grid points, B trials of a block, T tokens, D features.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.deepscale.component_moments.canonical import Simulation
from tasks.training.seeds import torch_stream


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
    *,
    seed: int,
    block: int,
    trials: int,
    one_weight: bool,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> Draws:
    """The streams of the block of this number, of `trials` trials; `one_weight`: weights are those of every block."""

    def streams(*names: str | int) -> list[torch.Generator]:
        return [
            torch_stream(seed, "component_moments", simulation.name, *names, device=str(device))
            for simulation in simulations
        ]

    shared = streams("weights") if one_weight else None
    return Draws(generators=streams(block), weight_generators=shared, trials=trials, device=device, dtype=dtype)


def _column(values_G: Tensor, like: Tensor) -> Tensor:
    return values_G.to(like.dtype)[:, None, None, None]
