"""The product with the whole vocabulary, in pieces: losses, gradients and best guesses without keeping logits.

With the decoder frozen, a readout's loss needs two products of sizes P, E, V: one for the logits l and one for their
gradient. The softmax is never written out: with e = exp(l - max l) and s = sum e, the gradients of the mean loss are
dy = (e Word / s - Word[label]) / P and dc = (sum_p e_p / s_p - onehot) / P, so that e is the only wide array.

Dimensions: P masked positions, E embedding, V vocabulary.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

PIECE = 1 << 22
"""Logits at a time. A constant, never from free memory: float32 sums round differently in pieces of other sizes."""


def piece_rows(vocab_size: int) -> int:
    """Positions whose logits are in memory together."""
    return max(1, PIECE // vocab_size)


def mean_loss_and_gradients(
    y_PE: Tensor, table_VE: Tensor, bias_V: Tensor, labels_P: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean cross entropy (nats, a scalar) of one readout's outputs y, and its gradients to y [P, E] and to c [V]."""
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
