"""The ALBERT layer and its derivative, written out: everything one application computes, and K tangents through it.

`torch.func.jvp` gives the same tangents (a test holds both equal to 1e-12 in float64). Written out, the quantities of
the base are computed once, each derivative of a nonlinearity is one number an entry that all K tangents share, and what
remains for a tangent are the layer's matrix products. The base itself is bit by bit that of the Hugging Face layer with
eager attention.

The layer is ALBERT's (Lan et al., 2020), post-LayerNorm. Dimensions: B batch, T tokens, H hidden, A heads, D head size,
I feed-forward width, K tangents. A tangent has its axis K right after the batch: [B, K, T, H] for states [B, T, H], [B,
K, H] for [B, H].
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.activations import NewGELUActivation
from transformers.models.albert.modeling_albert import AlbertLayer


@dataclass(frozen=True)
class Normed:
    """A LayerNorm at one place: y = g (x - mean) / sd + b, the variance being that of the population."""

    value: Tensor
    """y, like x [..., H]."""
    direction: Tensor
    """(x - mean) / sd, like x."""
    scale: Tensor
    """g / sd, like x."""


@dataclass(frozen=True)
class Tail:
    """What follows the attention, token by token: F = LN_2(p + W_2 g(W_1 p + b_1) + b_2), p = LN_1(s)."""

    block: Normed
    """p, the attention block's output."""
    activation: Tensor
    """g(W_1 p + b_1) [..., I]."""
    slope: Tensor
    """g'(W_1 p + b_1) [..., I]."""
    output: Normed
    """F, the layer's output."""


@dataclass(frozen=True)
class Attention:
    """Self-attention at one place."""

    query: Tensor
    """[B, A, T, D], divided by sqrt(D)."""
    key: Tensor
    """[B, A, T, D], divided by sqrt(D)."""
    value: Tensor
    """[B, A, T, D]."""
    probabilities: Tensor
    """[B, A, T, T], query before key."""
    context: Tensor
    """c [B, T, H], the heads' outputs side by side, before W_o."""
    output: Tensor
    """c W_o + b_o [B, T, H]."""


def albert_layer(layer: Any) -> AlbertLayer:
    """`layer` itself, when it is an ALBERT layer in evaluation mode or without dropout.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(layer, AlbertLayer):
        raise ValueError(f"{type(layer).__name__} is no ALBERT layer; give models.albert.shared_layer(model)")
    if layer.training and (layer.dropout.p or layer.attention.attention_dropout.p):
        raise ValueError("the layer is in training mode with dropout; call model.eval()")
    return layer


def run_attention(layer: AlbertLayer, h_BTH: Tensor, mask: Tensor | None = None) -> Attention:
    """Self-attention of the layer at states h, with the mask that the layer takes (additive or boolean)."""
    attention = layer.attention
    shape = (*h_BTH.shape[:-1], -1, attention.attention_head_size)
    query, key, value = (
        linear(h_BTH).view(shape).transpose(1, 2) for linear in (attention.query, attention.key, attention.value)
    )
    scores = torch.matmul(query, key.transpose(2, 3)) * attention.scaling
    if mask is not None and mask.dtype == torch.bool:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    elif mask is not None:
        scores = scores + mask
    probabilities = functional.softmax(scores, dim=-1)
    context = torch.matmul(probabilities, value).transpose(1, 2).contiguous().reshape(h_BTH.shape)
    scaling = attention.scaling
    return Attention(query * scaling, key * scaling, value, probabilities, context, attention.dense(context))


def run_tail(layer: AlbertLayer, s: Tensor) -> Tail:
    """The layer after its attention, for s = h + attention output [..., H]."""
    block = _normed(layer.attention.LayerNorm, s)
    activation, slope = _activated(layer.activation, layer.ffn(block.value))
    output = _normed(layer.full_layer_layer_norm, layer.ffn_output(activation) + block.value)
    return Tail(block, activation, slope, output)


def push_attention(layer: AlbertLayer, at: Attention, u_BKTH: Tensor) -> Tensor:
    """The change of the attention's output [B, K, T, H] along changes u of the states.

    With dS = dq k^T + q dk^T and dA = A (dS - sum_keys A dS), the context changes by dA v + A dv.
    """
    attention = layer.attention
    B, K, T, H = u_BKTH.shape
    A, D = at.query.shape[1], at.query.shape[3]
    dq, dk, dv = (
        functional.linear(u_BKTH, linear.weight).view(B, K, T, A, D)
        for linear in (attention.query, attention.key, attention.value)
    )
    # The tangents stand side by side, so that each product is one matrix a head, whatever K is.
    dS = (dq.permute(0, 3, 1, 2, 4).reshape(B, A, K * T, D) @ at.key.transpose(2, 3)).view(B, A, K, T, T)
    dS += (at.query @ dk.permute(0, 3, 4, 1, 2).reshape(B, A, D, K * T)).view(B, A, T, K, T).transpose(2, 3)
    p = at.probabilities[:, :, None]
    dA = dS.mul_(p)
    dA.addcmul_(p, dA.sum(-1, keepdim=True), value=-1)
    dc = torch.empty_like(dq)  # [B, K, T, A, D]
    dc.copy_((dA.view(B, A, K * T, T) @ at.value).view(B, A, K, T, D).permute(0, 2, 3, 1, 4))
    dv_side = dv.permute(0, 3, 2, 1, 4).reshape(B, A, T, K * D)
    dc += (at.probabilities @ dv_side).view(B, A, T, K, D).permute(0, 3, 2, 1, 4)
    return functional.linear(dc.view(B, K, T, H), attention.dense.weight)


def push_tail(layer: AlbertLayer, at: Tail, ds: Tensor) -> Tensor:
    """The change of the layer's output along changes `ds` [B, K, ..., H] of s, which are overwritten."""
    dp = _push_norm(at.block, ds)
    hidden = functional.linear(dp, layer.ffn.weight).mul_(at.slope.unsqueeze(1))
    return _push_norm(at.output, dp.add_(functional.linear(hidden, layer.ffn_output.weight)))


def _normed(norm: nn.LayerNorm, x: Tensor) -> Normed:
    value, mean, inverse_sd = torch.native_layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
    direction = (x - mean) * inverse_sd
    return Normed(value, direction, norm.weight * inverse_sd)


def _push_norm(at: Normed, u: Tensor) -> Tensor:
    """g/sd (u - mean u - x mean(x u)) with x the normalised state, in place."""
    x = at.direction.unsqueeze(1)
    along = torch.linalg.vecdot(u, x).div_(u.shape[-1]).unsqueeze(-1)
    return u.sub_(u.mean(-1, keepdim=True)).addcmul_(x, along, value=-1).mul_(at.scale.unsqueeze(1))


def _activated(activation: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """(g(x), g'(x)), both like x; in closed form for ALBERT v2's gelu_new, the tanh form."""
    if isinstance(activation, NewGELUActivation):
        c = math.sqrt(2.0 / math.pi)
        tanh = torch.tanh(c * (x + 0.044715 * torch.pow(x, 3.0)))
        slope = (x * x).mul_(3 * 0.044715).add_(1.0).mul_(0.5 * c).mul_(x).mul_(1.0 - tanh * tanh)
        one_plus = 1.0 + tanh
        return 0.5 * x * one_plus, slope.add_(one_plus, alpha=0.5)
    both: Any = torch.func.jvp(activation, (x,), (torch.ones_like(x),))
    return both
