"""The workers of a pretraining, and where its weights lie: whole in each worker (DDP), in parts (FSDP2), or in one.

Whole, a weight takes 4 bytes, its gradient 4, the optimiser's two averages 8. Numbers do not depend on the arrangement
but for the order of sums. A job of one worker needs no torch.distributed.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from models.deep_bert import DeepBert, DeepBertConfig
from orchestrator.experiment import Context
from tasks.deepscale.deep_bert.params import RunSettings, Sharding

COPIES = 4  # of the weights: themselves, gradients, two averages
ROOM = 0.85  # of the memory may be these where each worker has all; the rest is for activations


@dataclass(frozen=True, kw_only=True)
class Workers:
    """The processes that run a job together, seen from one of them."""

    rank: int
    count: int
    device: torch.device

    @staticmethod
    def of(context: Context) -> "Workers":
        """The workers of a context.

        Raises:
            ValueError: torch.distributed is not initialised, or for another number of processes.
        """
        if context.workers > 1:
            found = dist.get_world_size() if dist.is_available() and dist.is_initialized() else None
            if found != context.workers:
                raise ValueError(
                    f"context.workers is {context.workers}, but torch.distributed "
                    f"{'is not initialised' if found is None else f'has {found} processes'}; start the job with a group"
                )
        return Workers(rank=context.rank, count=context.workers, device=torch.device(context.device))

    @property
    def first(self) -> bool:
        return self.rank == 0

    def total(self, value: Tensor) -> Tensor:
        """The sum over workers of tensors of one shape, in place."""
        if self.count > 1:
            dist.all_reduce(value)
        return value

    def agreed(self, value: Any) -> Any:
        """What the first worker says, a plain Python value."""
        return self.all(value)[0]

    def all(self, value: Any) -> list[Any]:
        """What each worker says, by rank."""
        if self.count == 1:
            return [value]
        said: list[Any] = [None] * self.count
        dist.all_gather_object(said, value)
        return said


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """A network in its place."""

    model: DeepBert
    call: Callable[..., tuple[Tensor, Tensor]]
    """`model.forward`, so that gradients are averaged over workers."""
    last: Callable[[bool], AbstractContextManager[Any]]
    """Around a forward and backward pass: gradients are exchanged only where it is the step's last."""


def arrange(model: DeepBert, settings: RunSettings, workers: Workers, memory_bytes: int) -> Arrangement:
    """Bring a network with its weights, the same in all workers, to its device.

    Raises:
        ValueError: it does not fit into the memory; with both numbers.
    """
    how = choose(model, settings.sharding, workers, memory_bytes)
    if settings.compile == "on" or (settings.compile == "auto" and workers.device.type == "cuda"):
        for layer in model.layers:  # all are alike, so the first is translated for all
            layer.compile()
    if how == "fsdp":
        mesh = init_device_mesh(workers.device.type, (workers.count,))
        for layer in model.layers:
            fully_shard(layer, mesh=mesh)
        sharded = fully_shard(model, mesh=mesh)
        return Arrangement(model=model, call=model, last=lambda on: _exchanging(sharded, on))
    model.to(workers.device)
    if workers.count == 1:
        return Arrangement(model=model, call=model, last=lambda on: nullcontext())
    wrapped = DistributedDataParallel(model, gradient_as_bucket_view=True)
    return Arrangement(model=model, call=wrapped, last=lambda on: nullcontext() if on else wrapped.no_sync())


def choose(model: DeepBert, sharding: Sharding, workers: Workers, memory_bytes: int) -> Sharding:
    """`ddp` or `fsdp`; with one worker `ddp`, which is then the plain model.

    Raises:
        ValueError: it does not fit into the memory; with both numbers.
    """
    bytes_needed = weight_bytes(model)
    fits = bytes_needed <= ROOM * memory_bytes
    if workers.count > 1 and (sharding == "fsdp" or (sharding == "auto" and not fits)):
        return "fsdp"
    if not fits:
        remedy = "--sharding fsdp" if workers.count > 1 else "more --workers"
        raise ValueError(
            f"weights, gradients and the optimiser's state take {bytes_needed / 2**30:,.2f} GiB of the "
            f"{memory_bytes / 2**30:,.2f} GiB that a worker may use; give {remedy}, a smaller network, or workers "
            "with more memory"
        )
    return "ddp"


@contextlib.contextmanager
def _exchanging(sharded: FSDPModule, on: bool) -> Iterator[None]:
    sharded.set_requires_gradient_sync(on)
    yield


def whole(value: Tensor) -> Tensor:
    """All of a tensor that may lie in parts. Every worker must ask for it at the same time."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def placed_like(parameter: Tensor, value: Tensor) -> Tensor:
    """A whole tensor, the same in all workers, laid where a parameter lies."""
    value = value.to(parameter.device, parameter.dtype)
    if isinstance(parameter, DTensor):
        return distribute_tensor(value, parameter.device_mesh, parameter.placements, src_data_rank=None)
    return value


def weight_bytes(model: nn.Module) -> int:
    """Bytes of the weights, their gradients and the optimiser's two averages."""
    return COPIES * sum(p.numel() * p.element_size() for p in model.parameters())


def layer_bytes(config: DeepBertConfig, rows: int, tokens: int, itemsize: int, fused: bool) -> int:
    """Estimated bytes that autograd keeps of one layer for [rows, tokens].

    About 20 H-vectors a token with a feed-forward width of 4 H, and where attention is not `fused`, as on a CPU with
    dropout, three matrices [A, T, T] a row.
    """
    scores = 0 if fused else 3 * config.heads * tokens
    return rows * tokens * (12 * config.width + 2 * config.intermediate + scores) * itemsize


def total_norm(model: nn.Module) -> Tensor:
    """L2 norm of all gradients, of all workers' parts, float64 where parameters are, else float32."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return whole(torch.nn.utils.get_total_norm(gradients))
