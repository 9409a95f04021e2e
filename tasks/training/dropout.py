"""Dropout as published, from streams of its own; without it there is nothing to seed."""

import contextlib
from collections.abc import Iterator

import torch

from tasks.training.seeds import stream_seed


@contextlib.contextmanager
def dropout_stream(device: torch.device, seed: int, *names: str | int) -> Iterator[None]:
    """Inside, what torch draws from its global stream is that of (seed, names); afterwards it is as it was before.

    Masks are drawn on the device: those of a CPU and of a GPU differ.
    """
    devices = [] if device.type == "cpu" else [device]
    with torch.random.fork_rng(devices=devices, device_type=device.type if devices else "cuda"):
        torch.manual_seed(stream_seed(seed, "dropout", *names))
        yield
