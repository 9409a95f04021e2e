"""Lyapunov spectrum and effective dimension as built against the plain ways. Part of `benchmarks/chaos.py`.

Spectrum, K = 8: eight exact tangents with a QR after every layer, against eight separate copies perturbed by eps beside
the base, as published: nine passes a layer, a distance and a reset. Their growth is compared over one layer in float64,
where the copies are the tangents' limit; times are of float32. The plain way is timed both with one pass a copy and
with all nine as one batch, with sdpa attention, and the faster counts.

Effective dimension: Gram matrices of the states on the device, against singular values of the stored states: an .npy
file written and read back, as the published script does.

One process, in turns, the best of several rounds. Dimensions: B sentences, T tokens, H hidden, K exponents.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from metrics.effective_dimension import gram_participation
from models.albert import Attention, Layer, random_albert, scratch_config, shared_layer
from models.differences import distance, perturbed
from models.tangents import frame_step, orthonormalise, random_frame

K, SENTENCES, TOKENS = 8, 8, 32
EPS = 0.01
Row = tuple[str, float, float, float]
"""What, seconds of the plain way, seconds of ours, largest difference."""


def measure(widths: tuple[int, ...] = (128, 256, 768), rounds: int = 9) -> list[Row]:
    """Seconds of both ways, and by how much their numbers differ."""
    rows = [spectrum(width, rounds) for width in widths]
    return rows + [dimension(n, d, rounds) for n, d in ((200, 4096), (200, 32768), (1000, 4096))]


def spectrum(width: int, rounds: int) -> Row:
    """Seconds a layer, and the largest difference in nats per layer."""
    h, V = _start(width, torch.float64)
    layer = _layer(width, "eager", torch.float64)
    exact = frame_step(layer, h, V)[1].flatten(2).norm(dim=2).log()
    with torch.no_grad():
        base = layer(h, None)
        apart = [distance(layer(perturbed(h, V[:, k], 1e-6), None) - base) for k in range(K)]
    difference = float(((torch.stack(apart, 1) / 1e-6).log() - exact).abs().max())

    h, V = _start(width, torch.float32)
    layer, fast = _layer(width, "eager", torch.float32), _layer(width, "sdpa", torch.float32)

    def ours() -> None:
        orthonormalise(frame_step(layer, h, V)[1])

    def copy_by_copy() -> None:
        after = fast(h, None)
        for k in range(K):
            _reset(after, fast(perturbed(h, V[:, k], EPS), None))

    def one_batch() -> None:
        copies = h + EPS * V.transpose(0, 1)
        after, *moved = fast(torch.cat([h[None], copies]).flatten(0, 1), None).unflatten(0, (K + 1, SENTENCES))
        for copy in moved:
            _reset(after, copy)

    slow, batched, built = _best([copy_by_copy, one_batch, ours], rounds)
    return f"spectrum, K = {K}, H = {width}, a layer", min(slow, batched), built, difference


def dimension(n: int, columns: int, rounds: int) -> Row:
    """Seconds a layer of n sentences, and the relative difference."""
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(n, TOKENS, columns // TOKENS, generator=generator) + torch.randn(
        1, TOKENS, 1, generator=generator
    )
    values: dict[str, float] = {}

    def plain() -> None:
        with tempfile.TemporaryDirectory() as place:
            np.save(Path(place) / "states.npy", states.numpy())
            X = torch.from_numpy(np.load(Path(place) / "states.npy")).flatten(1)
        s = torch.linalg.svdvals(X - X.mean(0)).double()
        values["plain"] = float(s.square().sum() ** 2 / s.pow(4).sum())

    def ours() -> None:
        values["ours"] = gram_participation(states)

    slow, built = _best([plain, ours], min(rounds, 3))
    difference = abs(values["ours"] / values["plain"] - 1)
    return f"effective dimension, N = {n}, T H = {columns}, a layer", slow, built, difference


def _layer(width: int, attention: Attention, dtype: torch.dtype) -> Layer:
    return shared_layer(random_albert(scratch_config(width, vocab_size=100, attention=attention), "keras", 0, dtype))


def _start(width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    h = torch.randn(SENTENCES, TOKENS, width, generator=torch.Generator().manual_seed(0))
    streams = [torch.Generator().manual_seed(sentence) for sentence in range(SENTENCES)]
    return h.to(dtype), random_frame(streams, K, TOKENS, width, dtype=dtype)


def _reset(base: Tensor, copy: Tensor) -> Tensor:
    apart = copy - base
    (distance(apart) / EPS).log()
    return perturbed(base, apart, EPS)


def _best(ways: list[Callable[[], None]], rounds: int) -> list[float]:
    """The shortest time of each, in turns, after one unmeasured round."""
    best = [float("inf")] * len(ways)
    with torch.no_grad():
        for round_ in range(rounds + 1):
            for i, way in enumerate(ways):
                began = time.perf_counter()
                way()
                if round_:
                    best[i] = min(best[i], time.perf_counter() - began)
    return best
