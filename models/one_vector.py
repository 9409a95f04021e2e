"""The map after synchronisation: all tokens of a sentence equal one vector x, and F acts on that vector alone.

Attention then averages equal values, so F(x) = LN_2(p + W_2 g(W_1 p + b_1) + b_2) with
p = LN_1(x + W_o(W_v x + b_v) + b_o): the layer on one token, a T-th of the cost. Exact on the
synchronised manifold only. Whether states near it stay near is the question of the transverse linearisation: a change
whose mean over tokens is zero leaves the attention's output as it is (equal values whatever the weights, and a uniform
mean of the changes), so every token's change evolves by DLN_2 (I + DFFN) DLN_1 with the attention's output held fixed.
The layer's Jacobian at a synchronised state is made of just these two: the one acts on the mean over tokens, the other
on the deviations from it.

Dimensions: B batch, H hidden, K exponents.
"""

import torch
from torch import Tensor
from torch.nn import functional
from transformers.models.albert.modeling_albert import AlbertLayer

from models.iteration import Layer
from models.layer import Tail, albert_layer, push_tail, run_tail


def one_vector_layer(layer: Layer) -> Layer:
    """F on the synchronised manifold, x [B, H] -> x [B, H], for `models.albert.iterate`; a mask is not looked at.

    Raises:
        ValueError: `layer` is no ALBERT layer.
    """
    shared = albert_layer(layer)

    def step(x_BH: Tensor, mask: Tensor | None = None) -> Tensor:
        p = shared.attention.LayerNorm(x_BH + _attended(shared, x_BH))
        return shared.full_layer_layer_norm(shared.ff_chunk(p) + p)

    return step


@torch.no_grad()
def one_vector_frames(
    layer: Layer, x_BH: Tensor, along_BKH: Tensor | None = None, across_BKH: Tensor | None = None
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """(F(x) [B, H], tangents along the manifold, tangents across it), the base computed once.

    `along` [B, K, H]: changes that all tokens share, pushed through the derivative of the one-vector map.
    `across` [B, K, H]: one token's part of a change with zero mean over the tokens, pushed with the attention's output
    held fixed. Its largest exponent below zero: the tokens stay synchronised.

    Raises:
        ValueError: `layer` is no ALBERT layer.
    """
    shared = albert_layer(layer)
    tail: Tail = run_tail(shared, x_BH + _attended(shared, x_BH))
    if along_BKH is not None:
        attention = shared.attention
        moved = functional.linear(functional.linear(along_BKH, attention.value.weight), attention.dense.weight)
        along_BKH = push_tail(shared, tail, moved.add_(along_BKH))
    if across_BKH is not None:
        across_BKH = push_tail(shared, tail, across_BKH.clone())
    return tail.output.value, along_BKH, across_BKH


def _attended(layer: AlbertLayer, x_BH: Tensor) -> Tensor:
    return layer.attention.dense(layer.attention.value(x_BH))
