"""Masked-LM readouts of all depths and kinds, trained together, each as if alone (README 4).

They are stacked tensors. A depth's readouts read the same states, so their dense layers are one product; through gelu
and LayerNorm goes autograd; the product with the vocabulary, nearly all of the work, goes readout by readout, in pieces
so that no logits are kept. Clipping goes by each readout's own norm and AdamW is elementwise, so no readout sees the
others.

Dimensions: D depths, K readouts a depth, P masked positions, E embedding, H hidden, V vocabulary.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.mlm_head import MlmHead
from tasks.training.optimisers import clip_heads, learning_rate, make_optimiser, take_step
from tasks.transient_chaos.mlm_depth.stages import HeadSettings

PIECE = 1 << 22
"""Logits at a time. A constant, never from free memory: float32 sums round differently in pieces of other sizes."""
COPIES = 4  # of each trained parameter: itself, its gradient and AdamW's two moments


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
    """Epsilon of the LayerNorm."""

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


def piece_rows(vocab_size: int) -> int:
    """Positions whose logits are in memory together."""
    return max(1, PIECE // vocab_size)


def mean_loss_and_gradients(
    y_PE: Tensor, table_VE: Tensor, bias_V: Tensor, labels_P: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean cross entropy (nats, a scalar) of one readout's outputs y, and its gradients to y [P, E] and to c [V].

    With the decoder frozen two products of sizes P, E, V are needed: one for the logits l and one for their gradient.
    The softmax is never written out: with e = exp(l - max l) and s = sum e, dy = (e Word / s - Word[label]) / P and
    dc = (sum_p e_p / s_p - onehot) / P, so that e is the only wide array.
    """
    P = len(y_PE)
    dy_PE, dc_V, loss = torch.empty_like(y_PE), torch.zeros_like(bias_V), y_PE.new_zeros(())
    for piece, l_RV in _logits(y_PE, table_VE, bias_V):
        labels, top_R1 = labels_P[piece], l_RV.amax(dim=1, keepdim=True)
        e_RV = l_RV.sub_(top_R1).exp_()
        s_R1 = e_RV.sum(dim=1, keepdim=True)
        loss += (s_R1.log() + top_R1)[:, 0].sum()
        torch.mm(e_RV, table_VE, out=dy_PE[piece])
        dy_PE[piece].div_(s_R1)
        dc_V.addmv_(e_RV.T, s_R1.reciprocal()[:, 0])
        dc_V.index_add_(0, labels, dc_V.new_full((len(labels),), -1.0))
    own_PE = table_VE[labels_P]
    loss -= (y_PE * own_PE).sum() + bias_V[labels_P].sum()
    return loss / P, dy_PE.sub_(own_PE).div_(P), dc_V.div_(P)


def losses_and_guesses(y_PE: Tensor, table_VE: Tensor, bias_V: Tensor, labels_P: Tensor) -> tuple[Tensor, Tensor]:
    """Cross entropy (nats) of each position [P], and whether its label has the largest logit [P]."""
    losses, right = torch.empty_like(y_PE[:, 0]), torch.empty(len(y_PE), dtype=torch.bool, device=y_PE.device)
    own_P = (y_PE * table_VE[labels_P]).sum(dim=1) + bias_V[labels_P]
    for piece, l_RV in _logits(y_PE, table_VE, bias_V):
        top_R, guess_R = l_RV.max(dim=1)
        right[piece] = guess_R == labels_P[piece]
        losses[piece] = l_RV.sub_(top_R[:, None]).exp_().sum(dim=1).log() + top_R - own_P[piece]
    return losses, right


def _logits(y_PE: Tensor, table_VE: Tensor, bias_V: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Which positions, and their logits [R, V] in a buffer that is used again, piece after piece."""
    rows = piece_rows(len(table_VE))
    buffer = y_PE.new_empty(min(rows, len(y_PE)), len(table_VE))
    for start in range(0, len(y_PE), rows):
        piece = slice(start, min(start + rows, len(y_PE)))
        l_RV = buffer[: piece.stop - start]
        yield piece, torch.addmm(bias_V, y_PE[piece], table_VE.T, out=l_RV)
