"""What training a stack of copy models takes: random sequences from named streams, initial weights, the stack.

Streams of initialisation, training and evaluation are apart, so that none shifts another (README 4). Sequences are
drawn on the CPU, so that they are the same on any device.

Dimensions: N sequences, L symbols of a sequence, S = L + 1 source
positions, V symbols; the target has T + 1 = L + 2 positions, the start symbol included.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from models.stacked import default_tile
from models.stacked_copies import StackedCopies
from orchestrator.experiment import Context
from tasks.attention.copying.options import CopyingParams, Setting
from tasks.training.numerics import usable_bytes
from tasks.training.seeds import stream_seed

Module = TypeVar("Module", bound=nn.Module)
Stack = TypeVar("Stack", bound="StackedCopies[Any]")
FLOAT = 4  # bytes
KEPT = 4  # a weight, its gradient, Adam's two moments


def draw_sequences(setting: Setting, length: int, count: int, generator: torch.Generator) -> Tensor:
    """int64 [N, L] on the CPU, each sequence independent of the others.

    A permutation is the order of uniform noise, in float64 so that ties, which would favour small symbols, do not
    happen; L distinct of V symbols are the first L columns of it.

    Raises:
        ValueError: the setting has no sequences of this length.
    """
    setting.check_length(length)
    if setting.kind == "repeat":
        return torch.randint(setting.symbols, (count, length), generator=generator)
    noise_NV = torch.rand(count, setting.symbols, generator=generator, dtype=torch.float64)
    return noise_NV.argsort(1)[:, :length]


def framed(sequences: Tensor, symbols: int) -> tuple[Tensor, Tensor]:
    """(source [..., S], target [..., T + 1]): the sequences with the end symbol V; the target begins with V + 1."""
    edge = sequences[..., :1]
    source = torch.cat([sequences, torch.full_like(edge, symbols)], -1)
    return source, torch.cat([torch.full_like(edge, symbols + 1), source], -1)


def drawn(make: Callable[[], Module], seed: int, *names: str | int) -> Module:
    """A module with PyTorch's default initialisation from a named stream; the global generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, *names))
        return make()


def parameters_of(module: nn.Module) -> int:
    """The number of weights."""
    return sum(parameter.numel() for parameter in module.parameters())


def stack_of(
    params: CopyingParams,
    context: Context,
    models: Sequence[Any],
    stack: type[Stack],
    training_bytes: Callable[..., int],
) -> tuple[Stack, int]:
    """The models stacked on the job's device, and how many of them go forward and backward at once.

    These are as many as are fastest on the device, fewer where memory is short.

    Args:
        models: All models, whose weights and Adam's state are in memory at once.
        training_bytes: What a model's forward and backward take, from its config, a number of sequences and S.

    Raises:
        ValueError: not even one fits beside the weights.
    """
    device = torch.device(context.device)
    sequences = max(params.batch, params.evaluation_sequences)
    activations = training_bytes(models[0].config, sequences, params.length + 1)
    parameters = parameters_of(models[0])
    room = usable_bytes(context) - FLOAT * KEPT * parameters * len(models)
    if room < activations:
        raise ValueError(
            f"{len(models)} models of {parameters:,} weights with Adam's state and one update of "
            f"{activations / 2**20:,.0f} MiB do not fit into {usable_bytes(context) / 2**20:,.0f} MiB: train fewer "
            "together, or give a smaller batch, hidden or length, or more memory"
        )
    step_bytes = FLOAT * 4 * params.hidden * params.batch  # the gates of one position
    together = min(room // activations, default_tile(len(models), step_bytes, device))
    return stack.of([model.to(device) for model in models], together=together), together
