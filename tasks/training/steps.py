"""What training loops of several experiments share: the order of the data, the number of steps, points of a curve."""

from collections.abc import Iterator

import torch
from torch import Tensor

from tasks.training.seeds import torch_stream


def data_orders(seed: int, n_examples: int, epochs: int) -> Iterator[Tensor]:
    """For each epoch a fresh permutation [N] of the examples."""
    generator = torch_stream(seed, "order")
    for _ in range(epochs):
        yield torch.randperm(n_examples, generator=generator)


def n_steps(n_examples: int, batch_size: int, epochs: int) -> int:
    """Training steps: ceil(N / batch) an epoch, the last partial batch is kept."""
    return epochs * -(-n_examples // batch_size)


def is_curve_point(step: int, total: int, points: int) -> bool:
    """Whether a point follows step `step` = 0, 1, …: min(points, total) of them, evenly spread, the last at the end."""
    return (step + 1) * points // total > step * points // total
