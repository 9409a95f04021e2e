"""How stages compute: plain float32, repeatable kernels, dropout from a named stream, memory, waiting for the GPU."""

import contextlib
import os
from collections.abc import Iterator

import torch

from orchestrator.experiment import Context
from tasks.training.seeds import stream_seed


@contextlib.contextmanager
def exact_numerics() -> Iterator[None]:
    """Plain float32 and repeatable kernels on CUDA, as they were before when it ends.

    TF32 keeps 10 bits of the mantissa: over 100 layers of a chaotic map that changes the states visibly. Backward
    passes of embeddings and attention add atomically, in any order, unless told not to.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when it starts
    matmul = torch.backends.cuda.matmul
    before = (
        matmul.allow_tf32,
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    fill = torch.utils.deterministic.fill_uninitialized_memory  # pyright: ignore[reportAttributeAccessIssue]
    matmul.allow_tf32 = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        matmul.allow_tf32 = before[0]
        torch.use_deterministic_algorithms(before[1], warn_only=before[2])
        torch.utils.deterministic.fill_uninitialized_memory = fill  # pyright: ignore[reportAttributeAccessIssue]


def usable_bytes(context: Context) -> int:
    """Memory for features or activations, in bytes; the rest is for weights, one layer's work and torch itself."""
    device = torch.device(context.device)
    if device.type == "cuda":
        return int(0.7 * torch.cuda.mem_get_info(device)[0])
    return context.memory_bytes // 2


def synchronise(device: torch.device) -> None:
    """Wait for the GPU, so that a clock read after it means what it says."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextlib.contextmanager
def dropout_stream(device: torch.device, seed: int, *names: str | int) -> Iterator[None]:
    """Inside, what torch draws from its global stream is that of (seed, names); afterwards it is as it was before.

    Masks are drawn on the device: those of a CPU and of a GPU differ.
    """
    devices = [] if device.type == "cpu" else [device]
    with torch.random.fork_rng(devices=devices, device_type=device.type if devices else "cuda"):
        torch.manual_seed(stream_seed(seed, "dropout", *names))
        yield
