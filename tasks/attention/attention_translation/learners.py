"""What is trained: one translator as it is, or several as a stack, with the same three verbs.

Dimensions: G runs trained at once, B pairs of a batch, S source positions, T target positions.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from models.attention_translator import PAD, AttentionTranslator, DropoutMasks
from models.stacked_translators import StackedTranslators

Batch = tuple[Tensor, Tensor]
"""Source [B, S] and target [B, T+1] of one run."""


class Learner(Protocol):
    """One translator, or a stack of them."""

    def parameters(self) -> list[Tensor]: ...

    def losses(self, batches: Sequence[Batch], dropout: Sequence[DropoutMasks | None]) -> Tensor:
        """Mean NLL of each run's own batch [G], in nats a target position."""
        ...

    def models(self) -> list[AttentionTranslator]: ...


class Alone:
    """One translator as it is: packed sequences, and cuDNN on a GPU."""

    def __init__(self, model: AttentionTranslator):
        self._model = model

    def parameters(self) -> list[Tensor]:
        return list(self._model.parameters())

    def losses(self, batches: Sequence[Batch], dropout: Sequence[DropoutMasks | None]) -> Tensor:
        return self._model.loss(*batches[0], dropout[0])[None]

    def models(self) -> list[AttentionTranslator]:
        return [self._model]


class Together:
    """A stack, whose runs see sentences of their own."""

    def __init__(self, models: Sequence[AttentionTranslator]):
        self._stack = StackedTranslators.of(models)

    def parameters(self) -> list[Tensor]:
        return self._stack.parameters()

    def losses(self, batches: Sequence[Batch], dropout: Sequence[DropoutMasks | None]) -> Tensor:
        source, target = (stacked([pair[side] for pair in batches]) for side in (0, 1))
        return self._stack.losses(source, target, dropout)

    def models(self) -> list[AttentionTranslator]:
        return self._stack.unstack()


def stacked(rows: Sequence[Tensor]) -> Tensor:
    """[B, S] of each run as one [G, B, S], padded at the end."""
    width = max(ids.shape[1] for ids in rows)
    return torch.stack([functional.pad(ids, (0, width - ids.shape[1]), value=PAD) for ids in rows])
