"""What the stacked forms of both copy networks have in common: verbs over a stack, tile by tile.

Symbols are 0..V-1, V ends a sequence and V + 1 begins the target; there is no padding. Tokens are [G, B, positions], or
[1, B, positions] where all members see the same.

Dimensions: G stacked models, B batch, S source positions, T target positions, V symbols.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Generic, Self, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.stacked import (
    Parameters,
    default_tile,
    keep_members,
    member_state,
    members_of,
    over_tiles,
    stack_parameters,
    tiled_gradients,
    tiles,
    tokens_of,
)

Model = TypeVar("Model", bound=nn.Module)


class StackedCopies(Generic[Model]):
    """Networks of one configuration that are trained together."""

    network: ClassVar[type[nn.Module]]
    """The module of one member, made from a configuration alone."""
    gates: ClassVar[int]
    """Gates of a recurrence: 4 of an LSTM, 3 of a GRU."""

    def __init__(self, config: Any, stack: Parameters, together: int | None = None) -> None:
        """Wrap parameters that `of` has stacked."""
        self.config, self.stack, self.together = config, stack, together

    @classmethod
    def of(cls, models: Sequence[Model], together: int | None = None) -> Self:
        """Copies of the models.

        Args:
            together: members that go forward and backward at once; without, what suits the device. Bounds memory:
                see `training_bytes`.
        Raises:
            ValueError: no model, or models of different configurations.
        """
        for n, model in enumerate(models):
            if model.config != models[0].config:
                raise ValueError(f"model {n} of the stack has {model.config}, model 0 has {models[0].config}")
        stack = stack_parameters(models)
        return cls(models[0].config, stack, together)

    def forward(self, parameters: Parameters, source_GBS: Tensor, target_GBT: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [T, G, B, V + 2] and alpha [G, ..., B, T, S] of the members with these parameters."""
        raise NotImplementedError

    def attended(self, alpha: Tensor) -> Tensor:
        """The source position that is attended to most."""
        return alpha.argmax(-1)

    def __len__(self) -> int:
        return members_of(self.stack)

    def parameters(self) -> list[Tensor]:
        """The stacked tensors, for an optimiser that works element by element."""
        return list(self.stack.values())

    def losses(self, source_GBS: Tensor, target_GBT1: Tensor) -> Tensor:
        """Mean negative log-likelihood (nats) a predicted position, of each member [G]; differentiable.

        Args:
            target_GBT1: V + 1, the symbols, V.
        """
        return self._losses(self.stack, source_GBS, target_GBT1)

    def backward(self, source_GBS: Tensor, target_GBT1: Tensor) -> Tensor:
        """`losses`, with each member's gradient left in `.grad` of the stacked tensors, tile by tile."""

        def of_tile(parameters: Parameters, part: slice) -> Tensor:
            return self._losses(parameters, tokens_of(source_GBS, part), tokens_of(target_GBT1, part))

        return tiled_gradients(self.stack, self._tile(source_GBS), of_tile)

    def predict(self, source_GBS: Tensor, target_GBT: Tensor) -> tuple[Tensor, Tensor]:
        """(the likeliest next symbol [G, B, T], the source position attended to most [G, B, T], of heads [G, M, B, T]).

        Args:
            target_GBT: the gold symbols so far, which begins with V + 1.
        """

        @torch.no_grad()
        def of_tile(part: slice) -> tuple[Tensor, Tensor]:
            members = {name: stacked[part] for name, stacked in self.stack.items()}
            logits_TGBV, alpha = self.forward(members, tokens_of(source_GBS, part), tokens_of(target_GBT, part))
            return logits_TGBV.argmax(-1).permute(1, 2, 0), self.attended(alpha)

        found = over_tiles(tiles(len(self), self._tile(source_GBS)), of_tile, source_GBS.device)
        tokens, attended = zip(*found, strict=True)
        return torch.cat(tokens), torch.cat(attended)

    def keep(self, indices: Sequence[int], optimiser: torch.optim.Optimizer | None = None) -> None:
        """Go on with these members alone, and the optimiser with their state; `parameters()` are new tensors."""
        self.stack = keep_members(self.stack, indices, optimiser)

    def unstack(self) -> list[Model]:
        """Copies of the members."""
        return [self.member(n) for n in range(len(self))]

    def member(self, n: int) -> Model:
        """A copy of one member."""
        with torch.device("meta"):  # so that no random numbers are drawn for weights that are replaced
            model: Any = self.network(self.config)
        model.load_state_dict(member_state(self.stack, n), assign=True)
        return model

    def _losses(self, parameters: Parameters, source_GBS: Tensor, target_GBT1: Tensor) -> Tensor:
        logits_TGBV, _ = self.forward(parameters, source_GBS, target_GBT1[..., :-1])
        wanted_TGB = target_GBT1[..., 1:].permute(2, 0, 1).expand(logits_TGBV.shape[:3])
        nll = F.cross_entropy(logits_TGBV.flatten(0, 2), wanted_TGB.flatten(), reduction="none")
        return nll.view(wanted_TGB.shape).mean((0, 2))

    def _tile(self, source_GBS: Tensor) -> int:
        weight = self.parameters()[0]
        step_bytes = self.gates * self.config.hidden * source_GBS.shape[1] * weight.element_size()
        return self.together or default_tile(len(self), step_bytes, weight.device)
