"""Random sequences to copy, each from a named stream (attention_dynamics 4.1, 8.8).

Streams of initialisation, training and evaluation are apart, so that none shifts another (quirks S1, S3). They are
drawn on the CPU, so that a sequence does not hang on the device.

Dimensions: N sequences, L symbols of a sequence, S = L + 1 source positions, V symbols; the target has L + 2 positions.
"""

import torch
from torch import Tensor

from tasks.attention.copying.settings import Setting


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
    """(source [..., L + 1], target [..., L + 2]): the sequences with the end symbol V; the target begins with V + 1."""
    edge = sequences[..., :1]
    source = torch.cat([sequences, torch.full_like(edge, symbols)], -1)
    return source, torch.cat([torch.full_like(edge, symbols + 1), source], -1)
