"""An LSTM layer whose one forward pass is kept, and many cotangents that go back through it together.

For gradients of many outputs with respect to the inputs alone: the gates of the forward pass are shared by all K
cotangents, and nothing is computed for the weights. With the activated gates i, f, g, o (torch's order):

    c = f c' + i g      h = o tanh(c)
    dc = dh o (1 - tanh(c)^2) + dc_next    di = dc g i (1-i)    df = dc c' f (1-f)    dg = dc i (1-g^2)
    do = dh tanh(c) o (1-o)                dh' = [di df dg do] W_hh                    dc' = dc f

Padding is at the end of a row. There the state is carried on unchanged, in both directions.

Dimensions: B batch, S positions, I input, H hidden, K cotangents.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Weights = tuple[Tensor, Tensor, Tensor, Tensor]
"""weight_ih [4H, I], weight_hh [4H, H], bias_ih, bias_hh [4H], as torch keeps them."""


@dataclass(frozen=True)
class SavedPass:
    """What going back needs of a forward pass."""

    gates_SB4H: Tensor
    """Activated i, f, g, o."""
    tanh_SBH: Tensor
    """tanh(c)."""
    before_SBH: Tensor
    """c of the position before."""
    mask_SB1: Tensor
    """1 on words, 0 on padding."""
    weight_hh: Tensor
    reverse: bool

    def until(self, stop: int) -> "SavedPass":
        """The pass up to a position, of one that goes forwards."""
        return dataclasses.replace(
            self,
            gates_SB4H=self.gates_SB4H[:stop],
            tanh_SBH=self.tanh_SBH[:stop],
            before_SBH=self.before_SBH[:stop],
            mask_SB1=self.mask_SB1[:stop],
        )


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
    return out_SBH, (h, c), SavedPass(gates_SB4H, tanh_SBH, before_SBH, mask_SB1, weight_hh, reverse)


def pull_back(
    saved: SavedPass,
    output: Callable[[int], Tensor],
    end: tuple[Tensor, Tensor],
    keep: Callable[[int, Tensor], None],
    active: Callable[[int], int] = lambda s: 0,
) -> tuple[Tensor, Tensor]:
    """Take K cotangents back through the pass; returns those of the starting (h, c), [K, B, H] each.

    Args:
        saved: the forward pass.
        output: from a position to the cotangents of its output h, [K - active, B, H].
        end: cotangents of the final (h, c), [K, B, H] each.
        keep: is given each position and the cotangents of its gates before activation, [K - active, B, 4H]; times
            weight_ih they are those of the input.
        active: from a position to the first cotangent that has reached it; those before are zero there.
    """
    dh, dc = end[0].clone(), end[1].clone()
    S, H = len(saved.gates_SB4H), saved.weight_hh.shape[1]
    for s in range(S) if saved.reverse else reversed(range(S)):
        first = active(s)
        mask = saved.mask_SB1[s]
        i, f, g, o = saved.gates_SB4H[s].chunk(4, dim=-1)
        tanh = saved.tanh_SBH[s]
        own = (dh[first:] + output(s)) * mask
        cell = torch.addcmul(dc[first:] * mask, own, o * (1 - tanh * tanh))
        gates = cell.new_empty(*cell.shape[:-1], 4 * H)
        torch.mul(cell, g * i * (1 - i), out=gates[..., :H])
        torch.mul(cell, saved.before_SBH[s] * f * (1 - f), out=gates[..., H : 2 * H])
        torch.mul(cell, i * (1 - g * g), out=gates[..., 2 * H : 3 * H])
        torch.mul(own, tanh * o * (1 - o), out=gates[..., 3 * H :])
        keep(s, gates)
        # On padding nothing was computed, so the cotangents pass as they are; the gates' are zero there.
        dh[first:] = torch.addmm((dh[first:] * (1 - mask)).flatten(0, 1), gates.flatten(0, 1), saved.weight_hh).view_as(
            own
        )
        dc[first:] = torch.addcmul(dc[first:] * (1 - mask), cell, f)
    return dh, dc
