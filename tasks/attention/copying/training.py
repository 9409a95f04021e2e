"""What training a stack of copy models takes: weights from streams, a tile that fits, an update.

Dimensions: G stacked models, B sequences, S source positions, T target positions.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from models.stacked import default_tile
from orchestrator.experiment import Context
from tasks.attention.copying.params import CopyingParams
from tasks.training.numerics import usable_bytes
from tasks.training.seeds import stream_seed

Module = TypeVar("Module", bound=nn.Module)
FLOAT = 4  # bytes
KEPT = 4  # a weight, its gradient, Adam's two moments


class Stack(Protocol):
    """The verbs of stacked copy models that an update needs."""

    def backward(self, source_GBS: Tensor, target_GBT1: Tensor, /) -> Tensor: ...


def drawn(make: Callable[[], Module], seed: int, *names: str | int) -> Module:
    """A module with PyTorch's default initialisation from a named stream; the global generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, *names))
        return make()


def parameters_of(module: nn.Module) -> int:
    """How many weights it has."""
    return sum(parameter.numel() for parameter in module.parameters())


def tile(params: CopyingParams, context: Context, members: int, *, parameters: int, activations: int) -> int:
    """How many members go forward and backward at once: what is fastest on the device, fewer where memory is short.

    Args:
        members: In the stack, whose weights and Adam's state are all there at once.
        parameters: Weights of one.
        activations: Bytes that one's forward and backward take.

    Raises:
        ValueError: not even one fits beside the weights.
    """
    room = usable_bytes(context) - FLOAT * KEPT * parameters * members
    if room < activations:
        raise ValueError(
            f"{members} models of {parameters:,} weights with Adam's state and one update of "
            f"{activations / 2**20:,.0f} MiB do not fit into {usable_bytes(context) / 2**20:,.0f} MiB: train fewer "
            "together, or give a smaller batch, hidden or length, or more memory"
        )
    step_bytes = FLOAT * 4 * params.hidden * params.batch  # the gates of one position
    return min(room // activations, default_tile(members, step_bytes, torch.device(context.device)))


def update(stack: Stack, optimiser: torch.optim.Optimizer, source: Tensor, target: Tensor) -> Tensor:
    """One update of all members; their losses [G] before it, nats a position."""
    losses = stack.backward(source, target)
    optimiser.step()
    return losses.detach()
