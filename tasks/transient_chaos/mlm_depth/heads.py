"""Masked-LM readouts of all depths and kinds, trained together, each as if alone (transient_chaos 4).

They are stacked tensors. A depth's readouts read the same states, so their dense layers are one product; through gelu
and LayerNorm goes autograd; the product with the vocabulary, nearly all of the work, goes readout by readout
(`vocabulary`). Clipping goes by each readout's own norm and AdamW is elementwise, so no readout sees the others.

Dimensions: D depths, K readouts a depth, G = D K, P masked positions, H hidden, E embedding, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.mlm_head import MlmHead
from tasks.training.optimisers import clip_heads, learning_rate, make_optimiser, take_step
from tasks.transient_chaos.mlm_depth.vocabulary import losses_and_guesses, mean_loss_and_gradients

COPIES = 4  # of each trained parameter: itself, its gradient and AdamW's two moments


@dataclass(frozen=True, kw_only=True)
class HeadSettings:
    """How readouts are trained; the fields are those of `FrozenParams`."""

    learning_rate: float = 2e-3
    warmup: int = 100
    weight_decay: float = 0.001
    clip: float = 1.0


@dataclass(frozen=True, kw_only=True)
class HeadStack:
    """K readouts at each of D depths."""

    dense: Tensor
    """W [D, K E, H]."""
    rest: Tensor
    """b, LayerNorm gain and shift [3, D, K, E]."""
    bias: Tensor
    """c [D, K, V]."""
    table: Tensor
    """The decoder [V, E], which is never trained."""
    eps: float
    """Of the LayerNorm."""

    @property
    def kinds(self) -> int:
        """K."""
        return self.bias.shape[1]

    def outputs(self, x_DPH: Tensor) -> Tensor:
        """y [D, K, P, E] of the states at masked positions."""
        (D, P, _), E = x_DPH.shape, self.table.shape[1]
        b, gain, shift = self.rest[:, :, None]  # [D, 1, K, E] each
        u = torch.bmm(x_DPH, self.dense.transpose(1, 2)).view(D, P, self.kinds, E) + b
        u = functional.layer_norm(functional.gelu(u, approximate="tanh"), (E,), eps=self.eps)
        return (u * gain + shift).transpose(1, 2)

    @torch.no_grad()
    def judge(self, x_DPH: Tensor, labels_P: Tensor) -> tuple[Tensor, Tensor]:
        """Cross entropies [D, K, P] in nats, and whether each label has the largest logit [D, K, P]."""
        y_DKPE = self.outputs(x_DPH).contiguous()
        losses = x_DPH.new_empty(y_DKPE.shape[:3])
        right = torch.empty(y_DKPE.shape[:3], dtype=torch.bool, device=x_DPH.device)
        for d, k in _each(y_DKPE):
            losses[d, k], right[d, k] = losses_and_guesses(y_DKPE[d, k], self.table, self.bias[d, k], labels_P)
        return losses, right


def stack_heads(heads: Sequence[MlmHead], depths: int, table_VE: Tensor, eps: float) -> HeadStack:
    """Copies of the K `heads` at each depth, on the table's device and in its precision."""

    def stacked(*tensors: Tensor) -> Tensor:
        one = torch.stack(tensors).to(table_VE)
        return one.expand(depths, *one.shape)

    dense_DKEH = stacked(*(head.dense for head in heads))
    rest = [stacked(*(getattr(head, name) for head in heads)) for name in ("dense_bias", "gain", "shift")]
    return HeadStack(
        dense=dense_DKEH.reshape(depths, -1, dense_DKEH.shape[-1]).clone(),
        rest=torch.stack(rest),
        bias=stacked(*(head.bias for head in heads)).clone(),
        table=table_VE,
        eps=eps,
    )


class HeadTrainer:
    """A stack and its optimiser: the old Hugging Face AdamW, a linear schedule with warm-up."""

    def __init__(self, stack: HeadStack, settings: HeadSettings, total: int):
        """`total`: steps of the whole training, for the schedule."""
        self.stack, self.settings, self.total, self.step = stack, settings, total, 0
        for parameter in (stack.dense, stack.rest, stack.bias):
            parameter.requires_grad_()
            parameter.grad = torch.zeros_like(parameter)
        self.optimiser = make_optimiser([stack.dense], [stack.rest, stack.bias], "hf_adamw", settings.weight_decay)

    def take(self, x_DPH: Tensor, labels_P: Tensor) -> tuple[Tensor, float]:
        """One step on the states of a batch's masked positions: losses [D, K] before it, and the learning rate.

        A batch without a masked token has no loss; it counts as a step and changes nothing but the averages' decay.
        """
        stack = self.stack
        dense, rest, bias = stack.dense.grad, stack.rest.grad, stack.bias.grad
        assert dense is not None  # made in __init__
        assert rest is not None
        assert bias is not None
        for gradient in (dense, rest, bias):
            gradient.zero_()
        losses_DK = x_DPH.new_zeros(len(x_DPH), stack.kinds)
        if len(labels_P):
            y_DKPE = stack.outputs(x_DPH)
            dy_DKPE = torch.empty_like(y_DKPE, memory_format=torch.contiguous_format)
            with torch.no_grad():
                values = y_DKPE.contiguous()
                for d, k in _each(values):
                    found = mean_loss_and_gradients(values[d, k], stack.table, stack.bias[d, k], labels_P)
                    losses_DK[d, k], dy_DKPE[d, k], bias[d, k] = found
            y_DKPE.backward(dy_DKPE)
            if self.settings.clip:
                self._clip(dense, rest, bias)
        rate = learning_rate("linear", self.settings.learning_rate, self.step, self.total, self.settings.warmup)
        take_step(self.optimiser, "hf_adamw", rate, self.step, [stack.dense], self.settings.weight_decay)
        self.step += 1
        return losses_DK, rate

    def _clip(self, dense: Tensor, rest: Tensor, bias: Tensor) -> None:
        """Each readout's gradients by their own norm."""
        (D, K, V), E = bias.shape, rest.shape[-1]
        parts = [dense.view(D * K, -1), *rest.view(3, D * K, E), bias.view(D * K, V)]
        clip_heads(parts, self.settings.clip)


def _each(y_DKPE: Tensor) -> list[tuple[int, int]]:
    return [(d, k) for d in range(y_DKPE.shape[0]) for k in range(y_DKPE.shape[1])]
