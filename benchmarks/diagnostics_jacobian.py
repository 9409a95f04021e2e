"""Jacobian blocks in batches of rows against one backward pass for each component of the output, as published.

Part of `benchmarks/diagnostics.py`. Both begin with one forward pass of the same encoder with frozen weights; the plain
way then asks for the gradient of one component after the other. Singular values are left out, which both would compute
alike. One process, one thread; seconds are of the processor, the smaller of two runs each.

Dimensions: W words, H hidden.
"""

import time
from collections.abc import Callable

import torch
from torch import Tensor
from transformers import BertConfig, PreTrainedModel

from models.any_encoder import hidden_states, random_any
from models.jacobian import Inputs, jacobian_blocks

Row = tuple[str, float, float, float]


def plain_blocks(model: PreTrainedModel, inputs: Inputs, position: int) -> Tensor:
    """J [W, H, H], a backward pass for each row."""
    for parameter in model.parameters():
        parameter.requires_grad_(parameter is model.get_input_embeddings().weight)
    states = hidden_states(model, *inputs)
    rows = [torch.autograd.grad(y, states[0], retain_graph=True)[0][0] for y in states[-1][0, position]]
    return torch.stack(rows, dim=1)


def our_blocks(model: PreTrainedModel, inputs: Inputs, position: int) -> Tensor:
    """The blocks as built."""
    (found,) = jacobian_blocks(model, inputs, positions=[position], budget_bytes=1 << 30)
    return found.values


def timed(make: Callable[[PreTrainedModel, Inputs, int], Tensor], *given) -> tuple[Tensor, float]:
    """What it gives, and the processor seconds of the faster of two runs."""
    seconds = []
    for _ in range(2):
        clock = time.process_time()
        found = make(*given)
        seconds.append(time.process_time() - clock)
    return found, min(seconds)


def measure_blocks(layers: int = 6, width: int = 256, words: int = 12) -> Row:
    """What, plain seconds, seconds as built, largest difference over the largest entry."""
    config = BertConfig(
        num_hidden_layers=layers,
        hidden_size=width,
        num_attention_heads=width // 64,
        intermediate_size=4 * width,
        vocab_size=1000,
    )
    model = random_any(config, 0, attention="eager")
    ids = torch.randint(3, 1000, (1, words), generator=torch.Generator().manual_seed(0))
    given = (model, (ids, torch.zeros_like(ids), torch.ones_like(ids)), words // 2)
    our_blocks(*given)  # libraries load when they are first used
    expected, plain = timed(plain_blocks, *given)
    found, ours = timed(our_blocks, *given)
    apart = float((found - expected).abs().max() / expected.abs().max())
    return f"Jacobian of one position, {layers} layers, H={width}, {words} words", plain, ours, apart


def measure() -> list[Row]:
    """Measure the blocks on one thread, for a short sentence and for one that keeps the plain way's products busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows = [measure_blocks(), measure_blocks(words=40)]
    torch.set_num_threads(threads)
    return rows
