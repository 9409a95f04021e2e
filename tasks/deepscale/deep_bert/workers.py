"""What the workers of a job tell each other. A job of one worker needs no torch.distributed."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from orchestrator.experiment import Context


@dataclass(frozen=True, kw_only=True)
class Workers:
    """The processes that run a job together, seen from one of them."""

    rank: int
    count: int
    device: torch.device

    @staticmethod
    def of(context: Context) -> "Workers":
        """Those of a context.

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
        if self.count == 1:
            return value
        said = [value]
        dist.broadcast_object_list(said, src=0, device=self.device)
        return said[0]

    def all(self, value: Any) -> list[Any]:
        """What each worker says, by rank."""
        if self.count == 1:
            return [value]
        said: list[Any] = [None] * self.count
        dist.all_gather_object(said, value)
        return said
