"""Exact tangents against perturbed copies, and effective dimensions by Gram matrices against SVDs of stored states.

Part of `benchmarks/chaos.py`. Dimensions: B sentences, T tokens, H hidden, K exponents.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from metrics.effective_dimension import gram_participation
from models.albert import embed, iterate, random_albert, scratch_config, shared_layer
from models.tangents import frame_step, orthonormalise, random_frame
from tasks.seeds import torch_stream

Row = tuple[str, float, float, float, str]
"""What, plain seconds, ours, largest difference of the results, what else was found."""
K, EVERY = 8, 5


def start(width: int, sentences: int, tokens: int, dtype: torch.dtype) -> tuple[object, Tensor]:
    """A random encoder with the gain of albert-large, and the embeddings of random sentences."""
    config = scratch_config(width, vocab_size=1000, attention="eager")
    config.initializer_range = 0.02 * (1024 / width) ** 0.5
    model = random_albert(config, "hf_default", 0, dtype)
    ids = torch.randint(5, 1000, (sentences, tokens), generator=torch_stream(0, "benchmark"))
    with torch.no_grad():
        return shared_layer(model), embed(model, ids)


@torch.no_grad()
def by_tangents(layer, h: Tensor, frame: Tensor, steps: int) -> Tensor:
    """K exponents [B, K] of `steps` layers, nats per layer."""
    total = torch.zeros(frame.shape[:2], dtype=torch.float64)
    for t in range(1, steps + 1):
        h, frame = frame_step(layer, h, frame)
        if t % EVERY == 0:
            frame, growth = orthonormalise(frame)
            total += growth
    return total / steps


@torch.no_grad()
def by_copies(layer, h: Tensor, frame: Tensor, steps: int, eps: float) -> Tensor:
    """The same by finite differences: K copies at distance eps, each passed on its own, set back after every QR."""
    copies = [h + eps * frame[:, k] for k in range(K)]
    total = torch.zeros(frame.shape[:2], dtype=torch.float64)
    for t in range(1, steps + 1):
        h = layer(h, None)
        copies = [layer(copy, None) for copy in copies]
        if t % EVERY == 0:
            frame, growth = orthonormalise(torch.stack([copy - h for copy in copies], 1) / eps)
            total += growth
            copies = [h + eps * frame[:, k] for k in range(K)]
    return total / steps


def spectrum(width: int, sentences: int = 8, tokens: int = 32, steps: int = 20) -> Row:
    """Time in float32; that both measure the same is checked in float64, where small distances can be had."""
    layer64, h64 = start(width, 2, tokens, torch.float64)
    frame64 = random_frame([torch_stream(0, "frame", s) for s in range(2)], K, tokens, width, dtype=torch.float64)
    apart = by_tangents(layer64, h64, frame64, 10) - by_copies(layer64, h64, frame64, 10, 1e-6)
    layer, h = start(width, sentences, tokens, torch.float32)
    frame = random_frame([torch_stream(0, "frame", s) for s in range(sentences)], K, tokens, width)
    seconds = {}
    for _ in range(2):  # the first round warms up
        for name, run in (("copies", by_copies), ("tangents", by_tangents)):
            clock = time.perf_counter()
            run(layer, h, frame, steps, *([1e-2] if name == "copies" else []))
            seconds[name] = time.perf_counter() - clock
    what = f"{K} exponents, width {width}, {sentences} sentences of {tokens}, {steps} layers"
    return what, seconds["copies"], seconds["tangents"], float(apart.abs().max()), "float64 check, nats per layer"


@torch.no_grad()
def effective_dimension(width: int = 256, sentences: int = 400, tokens: int = 32, layers: int = 3) -> Row:
    """The published way writes all states, reads them again and takes an SVD of each layer's matrix."""
    layer, h = start(width, sentences, tokens, torch.float32)
    states: list[Tensor] = []
    iterate(layer, h, layers, None, (lambda t, h: states.append(h),))  # pyright: ignore[reportArgumentType]
    with tempfile.TemporaryDirectory() as folder:
        clock = time.perf_counter()
        for t, state in enumerate(states):
            np.save(Path(folder) / f"{t}.npy", state.numpy())
        plain = []
        for t in range(len(states)):
            x = np.load(Path(folder) / f"{t}.npy").reshape(sentences, -1)
            s = np.linalg.svd(x - x.mean(0), compute_uv=False).astype(np.float64) ** 2
            plain.append(s.sum() ** 2 / (s**2).sum())
        seconds = time.perf_counter() - clock
        written = sum(path.stat().st_size for path in Path(folder).iterdir())
    clock = time.perf_counter()
    ours = [gram_participation(state) for state in states]
    own = time.perf_counter() - clock
    apart = max(abs(a / b - 1) for a, b in zip(ours, plain, strict=True))
    what = f"effective dimension, {sentences} sentences of {tokens} x {width}, {len(states)} layers"
    return what, seconds, own, apart, f"relative; {written / 1e6:.0f} MB of states written against none"


def measure() -> list[Row]:
    return [spectrum(128), spectrum(256), spectrum(768, steps=10), effective_dimension()]
