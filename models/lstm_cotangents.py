"""An LSTM layer whose one forward pass is kept, and many cotangents that go back through it together.

For gradients of many outputs with respect to the inputs alone: what going back needs of the gates is computed once and
shared by all cotangents, and nothing is computed for the weights. With the activated gates i, f, g, o (torch's order):

    c = f c' + i g      h = o tanh(c)
    dc = dh o (1 - tanh(c)^2) + dc_next    di = dc g i (1-i)    df = dc c' f (1-f)    dg = dc i (1-g^2)
    do = dh tanh(c) o (1-o)                dh' = [di df dg do] W_hh                    dc' = dc f

Padding is at the end of a row. There the state is carried on unchanged, in both directions, and so are cotangents: they
stand in such an order that those with something to do at a position come first, and the others are left alone.

Dimensions: B batch, S positions, I input, H hidden, R cotangents, n of them that have reached a position.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Weights = tuple[Tensor, Tensor, Tensor, Tensor]
"""weight_ih [4H, I], weight_hh [4H, H], bias_ih, bias_hh [4H], as torch keeps them."""


@dataclass(frozen=True)
class SavedPass:
    """What going back needs of a forward pass."""

    factors_SB6H: Tensor
    """g i (1-i), c' f (1-f), i (1-g^2), tanh(c) o (1-o), o (1 - tanh(c)^2), f."""
    weight_hh: Tensor
    reverse: bool


def layer_weights(layer: nn.Module, reverse: bool = False) -> Weights:
    """The weights of one direction of a one-layer LSTM."""
    end = "_l0_reverse" if reverse else "_l0"
    weight_ih, weight_hh, bias_ih, bias_hh = (
        getattr(layer, name + end).detach() for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    return weight_ih, weight_hh, bias_ih, bias_hh


def run(
    x_SBI: Tensor, weights: Weights, mask_SB: Tensor, start: tuple[Tensor, Tensor] | None = None, reverse: bool = False
) -> tuple[Tensor, tuple[Tensor, Tensor], SavedPass]:
    """(h [S, B, H], zero on padding; the final (h, c); what to keep) of one direction, without a graph."""
    weight_ih, weight_hh, bias_ih, bias_hh = weights
    S, B, H = x_SBI.shape[0], x_SBI.shape[1], weight_hh.shape[1]
    mask_SB1 = mask_SB[..., None].to(x_SBI.dtype)
    gates_SB4H = x_SBI @ weight_ih.T + (bias_ih + bias_hh)
    tanh_SBH, before_SBH, out_SBH = (x_SBI.new_empty(S, B, H) for _ in range(3))
    h, c = start if start is not None else (x_SBI.new_zeros(B, H), x_SBI.new_zeros(B, H))
    for s in reversed(range(S)) if reverse else range(S):
        gates = gates_SB4H[s].add_(h @ weight_hh.T)
        i, f, g, o = gates.chunk(4, dim=-1)
        for gate, activate in ((i, torch.sigmoid_), (f, torch.sigmoid_), (g, torch.tanh_), (o, torch.sigmoid_)):
            activate(gate)
        before_SBH[s] = c
        new_c = torch.addcmul(i * g, f, c)
        tanh_SBH[s] = new_c.tanh()
        new_h = o * tanh_SBH[s]
        mask = mask_SB1[s]
        out_SBH[s] = new_h * mask
        c, h = torch.lerp(c, new_c, mask), torch.lerp(h, new_h, mask)
    return out_SBH, (h, c), SavedPass(_factors(gates_SB4H, tanh_SBH, before_SBH), weight_hh, reverse)


def _factors(gates_SB4H: Tensor, tanh_SBH: Tensor, before_SBH: Tensor) -> Tensor:
    i, f, g, o = gates_SB4H.chunk(4, dim=-1)
    parts = (
        g * i * (1 - i),
        before_SBH * f * (1 - f),
        i * (1 - g * g),
        tanh_SBH * o * (1 - o),
        o * (1 - tanh_SBH * tanh_SBH),
        f,
    )
    return torch.cat(parts, dim=-1)


def pull_back(
    saved: SavedPass,
    sentence_R: Tensor,
    active: Sequence[int],
    output: Callable[[int], Tensor],
    end: tuple[Tensor, Tensor],
    keep: Callable[[int, Tensor], None],
) -> tuple[Tensor, Tensor]:
    """Take R cotangents back through the pass; returns those of the starting (h, c), [R, H] each.

    Args:
        saved: the forward pass.
        sentence_R: which row of the batch each cotangent is of.
        active: for each position how many cotangents have something to do there, n; they are the first.
        output: from a position to the cotangents of its output h, [n, H].
        end: cotangents of the final (h, c), [R, H] each.
        keep: is given each position and the cotangents of its gates before activation, [n, 4H]; times weight_ih they
            are those of the input.
    """
    dh, dc = end[0].clone(), end[1].clone()
    S, H = len(saved.factors_SB6H), saved.weight_hh.shape[1]
    for s in range(S) if saved.reverse else reversed(range(S)):
        n = active[s]
        if not n:
            continue
        factors = saved.factors_SB6H[s].index_select(0, sentence_R[:n])
        own = dh[:n] + output(s)
        cell = torch.addcmul(dc[:n], own, factors[:, 4 * H : 5 * H])
        gates = torch.cat([cell, cell, cell, own], dim=-1).mul_(factors[:, : 4 * H])
        keep(s, gates)
        torch.mm(gates, saved.weight_hh, out=dh[:n])
        torch.mul(cell, factors[:, 5 * H :], out=dc[:n])
    return dh, dc
