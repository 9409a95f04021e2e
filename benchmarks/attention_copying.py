"""Copy networks of the published size trained together against one after another on PyTorch's own modules.

Dimensions: G stacked models, B batch.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.copying import CopyModel, CopyModelConfig, StackedCopyModels
from models.multihead_copying import MultiHeadConfig, MultiHeadCopyModel, StackedMultiHead

SYMBOLS, BATCH, HIDDEN = 40, 128, 256
Data = list[tuple[Tensor, Tensor]]


def sequences(members: int, steps: int, generator: torch.Generator) -> Data:
    """Permutations with their ends, [G, B, 41] and [G, B, 42], a step each."""
    found = []
    for _ in range(steps):
        noise = torch.rand(members, BATCH, SYMBOLS, generator=generator)
        source = F.pad(noise.argsort(-1), (0, 1), value=SYMBOLS)
        found.append((source, F.pad(source, (1, 0), value=SYMBOLS + 1)))
    return found


def one_by_one(models: list[Any], optimisers: list[torch.optim.Adam], data: Data) -> Tensor:
    """Losses [steps, G]: every model goes through all steps before the next one does."""
    losses = torch.empty(len(data), len(models), device=data[0][0].device)
    for g, (model, optimiser) in enumerate(zip(models, optimisers, strict=True)):
        for step, (source, target) in enumerate(data):
            g_data = g % len(source)
            scores, _ = model(source[g_data], target[g_data, :, :-1])
            loss = F.cross_entropy(scores.flatten(0, 1), target[g_data, :, 1:].flatten())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses[step, g] = loss.detach()
    return losses


def together(stacked: Any, optimiser: torch.optim.Adam, data: Data) -> Tensor:
    """Losses [steps, G]."""
    losses = []
    for source, target in data:
        losses.append(stacked.backward(source, target))
        optimiser.step()
    return torch.stack(losses)


def now(device: str) -> float:
    """Seconds, once the device has done what it was given."""
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter()


def race(make: Callable[[], nn.Module], stack: Any, *, members: int, shared: bool, device: str) -> Any:
    """(seconds plain, seconds as built, largest difference of the losses): in turns, the first turn uncounted."""
    steps, turns = (2, 4) if device == "cpu" else (10, 4)
    torch.manual_seed(0)
    models = [make().to(device) for _ in range(members)]
    stacked = stack.of(models)
    plain_adams = [torch.optim.Adam(model.parameters()) for model in models]
    adam = torch.optim.Adam(stacked.parameters())
    generator, seconds, apart = torch.Generator().manual_seed(1), ([], []), 0.0
    for turn in range(turns):
        drawn = sequences(1 if shared else members, steps, generator)
        data = [(source.to(device), target.to(device)) for source, target in drawn]
        started = now(device)
        plain = one_by_one(models, plain_adams, data)
        halfway = now(device)
        ours = together(stacked, adam, data)
        if turn:
            seconds[0].append(halfway - started)
            seconds[1].append(now(device) - halfway)
        apart = max(apart, (plain - ours).abs().max().item())
    return statistics.median(seconds[0]) / steps, statistics.median(seconds[1]) / steps, apart


def measure(device: str = "cpu") -> list[tuple[str, float, float, float]]:
    """A training step of all models: seconds in the plain way and as built, and how far the losses are apart."""
    copy, several = CopyModelConfig(symbols=SYMBOLS, hidden=HIDDEN), MultiHeadConfig(symbols=SYMBOLS, hidden=HIDDEN)
    eight = race(lambda: CopyModel(copy), StackedCopyModels, members=8, shared=False, device=device)
    heads = race(lambda: MultiHeadCopyModel(several), StackedMultiHead, members=4, shared=True, device=device)
    return [
        (f"a step of 8 copy networks on {device}", *eight),
        (f"a step of 4 copy networks of 8 heads on {device}", *heads),
    ]
