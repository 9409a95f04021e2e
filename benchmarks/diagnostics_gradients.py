"""Similarity of all pairs of gradients, and distances at all levels of noise, against the published way.

Part of `benchmarks/diagnostics.py`. Similarity: the published code keeps n gradient vectors and passes over two of them
for each pair and each of cosine, inner product and distance; as built, a Gram matrix comes from blocks of coordinates.
The vectors are random numbers with a common part; making them is not timed. Perturbation: the published code passes a
batch twice a level, once without noise; as built, all levels share that pass and the draw of the noise. Both ways get
the same noise and evaluate the same levels in the same precision, in one process, one thread; seconds are of the
processor. The difference is relative to the largest value.

Letters: n gradients, P numbers of each, B sentences, T tokens, H hidden.
"""

import copy
import itertools
import time

import numpy as np
import torch
from torch import Tensor

from metrics.gradient_similarity import cosines, distances, dots, grams
from models.any_encoder import random_any
from models.perturbed import Inputs, first_states, perturbed_states, unit_noise
from models.perturbed import distances as moved
from models.transformer import model_inputs, scratch_transformer_config

Row = tuple[str, float, float, float]
N, SIZE = 64, 1_000_000
STDS = (1e-2, 1e-3, 1e-4, 1e-5)  # float32 resolves them all, so that both ways compute in float32


def plain_pairs(vectors: Tensor) -> np.ndarray:
    """Cosine, inner product and distance of each pair by itself, [3, Q]."""
    found = [
        (float(torch.nn.functional.cosine_similarity(a, b, dim=0)), float(torch.dot(a, b)), float((a - b).norm()))
        for a, b in itertools.combinations(vectors, 2)
    ]
    return np.array(found).T


def measure_pairs(n: int = N, size: int = SIZE) -> list[Row]:
    """All pairs of n gradients of `size` numbers."""
    draw = torch.Generator().manual_seed(0)
    vectors = torch.randn(n, size, generator=draw) + 0.5 * torch.randn(size, generator=draw)
    plain_pairs(vectors[:3])  # libraries load when they are first used
    clock = time.process_time()
    plain = plain_pairs(vectors)
    middle = time.process_time()
    found = grams(vectors.split(size // 4, dim=1))
    ours = np.stack([cosines(found.plain), dots(found.plain), distances(found.centred)])
    end = time.process_time()
    off = float((np.abs(ours - plain).max(1) / np.abs(plain).max(1)).max())
    return [(f"similarity of {len(plain[0])} pairs of {n} gradients, P={size:,}", middle - clock, end - middle, off)]


@torch.no_grad()
def plain_levels(model: torch.nn.Module, inputs: Inputs, stds: tuple[float, ...]) -> Tensor:
    """Distances [levels, B], two passes a level and a draw of noise each; weights are edited in place."""
    rows = []
    for std in stds:
        other = copy.deepcopy(model)
        noise = unit_noise(other, torch.Generator().manual_seed(1))  # pyright: ignore[reportArgumentType]
        for name, weight in other.named_parameters():
            weight.add_(noise[name], alpha=std)
        given = model_inputs(model, *inputs)  # pyright: ignore[reportArgumentType]
        states = [network(**given).last_hidden_state[:, 0] for network in (model, other)]
        rows.append((states[1] - states[0]).norm(dim=-1))
    return torch.stack(rows)


def measure_levels(
    width: int = 256, layers: int = 12, batch: int = 32, tokens: int = 64, longest: int = 128
) -> list[Row]:
    """Four levels of noise on one batch, the plain way padded to `longest` as published, or to the longest sentence."""
    config = scratch_transformer_config(
        "bert", layers=layers, width=width, heads=width // 64, vocab_size=8000, positions=longest
    )
    model = random_any(config, 0)
    ids = torch.randint(5, 8000, (batch, longest), generator=torch.Generator().manual_seed(2))
    mask = (torch.arange(longest) < torch.linspace(8, tokens, batch)[:, None]).long()
    whole: Inputs = (ids, torch.zeros_like(ids), mask)
    trimmed: Inputs = (ids[:, :tokens], torch.zeros_like(ids[:, :tokens]), mask[:, :tokens])
    plain_levels(model, trimmed, STDS[:1])
    clock = time.process_time()
    clean, noise = first_states(model, trimmed), unit_noise(model, torch.Generator().manual_seed(1))
    ours = torch.stack([moved(clean, perturbed_states(model, trimmed, noise, std)) for std in STDS])
    spent = time.process_time() - clock
    rows = []
    for what, inputs in ((f"padded to {longest}", whole), ("padded to the longest", trimmed)):
        clock = time.process_time()
        plain = plain_levels(model, inputs, STDS)
        seconds = time.process_time() - clock
        # Relative to each level's own size; of the two smaller levels float32 shows mostly its rounding.
        off = float(((ours - plain).abs().amax(1) / plain.amax(1))[:2].max())
        rows.append((f"distances at {len(STDS)} levels, {layers} layers, H={width}, plain {what}", seconds, spent, off))
    return rows


def measure() -> list[Row]:
    """Measure both on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows = measure_pairs() + measure_levels()
    torch.set_num_threads(threads)
    return rows
