"""Random streams that depend on a job's parameters alone.

Every stream has a name: the order of the training examples of seed 3 is the same whichever depths, other seeds or
workers are there, and drawing more from one stream never shifts another.
"""

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # planning draws NumPy streams and must not wait two seconds for torch
    import torch


def stream_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed for the stream called `names` of the run `seed`, the same on every machine."""
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def torch_stream(seed: int, *names: str | int, device: str = "cpu") -> "torch.Generator":
    """A torch generator for one named stream."""
    import torch

    return torch.Generator(device=device).manual_seed(stream_seed(seed, *names))


def numpy_stream(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator for one named stream."""
    return np.random.default_rng(stream_seed(seed, *names))


def permutation(n: int, seed: int, *names: str | int) -> np.ndarray:
    """A permutation int64 [N] of 0 … n - 1 from one named stream, the same for every version of NumPy.

    NumPy promises to keep the raw 64-bit numbers of a stream, but not what its distributions make of them.
    """
    raw = numpy_stream(seed, *names).bit_generator.random_raw(n)
    return np.argsort(raw, kind="stable")
