"""Simulates points that share component, side and sizes: in blocks of trials, streamed, until their errors are small.

A block is a fixed number of trials with streams of its own, so memory never changes a number: it only decides how many
points go through a block together. The estimate of a point pools the sums of all its blocks; its standard error is that
of the mean of the blocks' own estimates (batch means). Points whose errors are below the target leave; limits count
trials, not seconds, so that the same config gives the same numbers on every machine.

Dimensions: G grid points, Q quantities.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from metrics.token_moments import TokenSums, token_moments, token_sums
from tasks.deepscale.component_moments.canonical import Simulation, numbers
from tasks.deepscale.component_moments.components import Draws, draws, run_block
from tasks.deepscale.component_moments.config import Effort

BLOCKS = 32
"""Blocks that the trials are cut into at least (where there are as many): so many estimates tell a standard error."""
BLOCK_NUMBERS = 1 << 21
"""Numbers that a block of one point holds at most, unless one trial holds more."""
CPU_BYTES = 64 << 20
"""Bytes of the points that go through together on a CPU: more than its caches hold is no faster."""
UNITS = {"x_mean": "x", "x_var": "x", "x_cov": "x", "x_cov_features": "x", "g_var": "g", "g_cov": "g"}
"""The quantities, and the side that each is of."""


class Estimate(NamedTuple):
    """A measured moment."""

    value: float
    error: float
    """Standard error; NaN of a single block. It leaves out the draw of weights that all trials share as published."""


@dataclass
class Measured:
    """What is known of one point so far."""

    sums: dict[str, TokenSums] = field(default_factory=dict)
    """By side, and of features of one token where they are wanted."""
    blocks: list[np.ndarray] = field(default_factory=list)
    """[Q] each: the estimates of single blocks."""
    names: tuple[str, ...] = ()
    trials: int = 0

    def estimates(self) -> dict[str, Estimate]:
        """All moments of the point."""
        values = {name: float(value[0]) for name, value in _moments(self.sums).items()}
        count = len(self.blocks)
        errors = np.full(len(self.names), np.nan)
        if count > 1:
            errors = np.stack(self.blocks).std(0, ddof=1) / math.sqrt(count)
        return {name: Estimate(values[name], float(e)) for name, e in zip(self.names, errors, strict=True)}

    def precise(self, target: float) -> bool:
        """Whether every standard error is below `target` times the variance (or the root of the mean square)."""
        known = self.estimates()
        for name, (_, error) in known.items():
            scale = known[f"{UNITS[name]}_var"].value
            if name == "x_mean":
                scale = math.sqrt(max(0.0, scale + known["x_mean"].value ** 2))
            if not error <= target * scale:
                return False
        return True


def block_trials(simulation: Simulation, trials: int) -> int:
    """Trials of a block: from the simulation's sizes and number of trials alone."""
    room = BLOCK_NUMBERS // numbers(simulation.component, dict(simulation.shape))
    return max(1, min(math.ceil(trials / BLOCKS), room))


def simulate(
    simulations: Sequence[Simulation], trials: int, effort: Effort, *, device: torch.device, budget: int
) -> list[Measured]:
    """The moments of each simulation; all share component, side and sizes.

    Args:
        simulations: what to simulate.
        trials: trials of the first round; further rounds follow while a standard error is above the effort's target.
        effort: how much is simulated at most, and from which draws.
        device: where.
        budget: bytes that draws and what is made of them may take together.

    Raises:
        ValueError: one trial of one point does not fit into the budget; with both numbers.
    """
    first = simulations[0]
    block = block_trials(first, trials)
    held = numbers(first.component, dict(first.shape)) * torch.float32.itemsize * block
    if held > budget:
        raise ValueError(
            f"{block} trial(s) of {first.name} take {held:,} bytes of {budget:,} that may be used; give the job more "
            "memory, or smaller sizes"
        )
    together = max(1, (min(budget, CPU_BYTES) if device.type == "cpu" else budget) // held)
    measured = [Measured() for _ in simulations]
    rounds = math.ceil(trials / block)
    draw = functools.partial(draws, effort=effort, trials=block, device=device)
    active = list(range(len(simulations)))
    for number in range(effort.most):
        for start in range(0, len(active), together):
            chunk = active[start : start + together]
            blocks = range(number * rounds, (number + 1) * rounds)
            _run([simulations[i] for i in chunk], [measured[i] for i in chunk], blocks, draw)
        active = [i for i in active if effort.target > 0 and not measured[i].precise(effort.target)]
    return measured


def _run(
    simulations: Sequence[Simulation], measured: Sequence[Measured], blocks: range, draw: Callable[..., Draws]
) -> None:
    """Add these blocks to what is measured, in float64. One transfer from the device at the end."""
    total: dict[str, TokenSums] = {}
    found: list[Tensor] = []
    moments, trials = {}, 0
    for block in blocks:
        drawn = draw(simulations, block=block)
        y, dx = run_block(simulations, drawn)
        sums: dict[str, TokenSums] = {}
        if y is not None:
            sums["x"] = token_sums(y)
            if simulations[0].component == "layernorm":
                sums["features"] = token_sums(y.transpose(2, 3))
        if dx is not None:
            sums["g"] = token_sums(dx)
        total = {side: total[side] + own for side, own in sums.items()} if total else sums
        moments = _moments(sums)
        found.append(torch.stack(list(moments.values()), 1))
        trials += drawn.trials
    estimates = torch.stack(found).cpu().numpy()  # [blocks, G, Q]
    for at, known in enumerate(measured):
        own = {side: _point(sums, at) for side, sums in total.items()}
        known.sums = {side: known.sums[side] + sums for side, sums in own.items()} if known.sums else own
        known.blocks += list(estimates[:, at])
        known.names = tuple(moments)
        known.trials += trials


def _moments(sums: dict[str, TokenSums]) -> dict[str, Tensor]:
    """[G] each, by name."""
    found: dict[str, Tensor] = {}
    if "x" in sums:
        found["x_mean"], found["x_var"], found["x_cov"] = token_moments(sums["x"])
    if "features" in sums:
        found["x_cov_features"] = token_moments(sums["features"])[2]
    if "g" in sums:
        _, found["g_var"], found["g_cov"] = token_moments(sums["g"])
    return found


def _point(sums: TokenSums, at: int) -> TokenSums:
    """The sums of one point, on the host."""
    own = slice(at, at + 1)
    return TokenSums(sums.samples, sums.token_GT[own].cpu(), sums.square_G[own].cpu(), sums.pair_G[own].cpu())
