"""LSTM and GRU over a stack of models at once: the forward pass and its backward pass, written out step by step.

`torch.func.vmap` has no rule for nn.LSTM and nn.GRU, and a packed sequence cannot carry a stack. Here a step is one
batched matrix product over the stack; a mask carries the state past padding instead of packing. The backward pass is a
function of its own, so that K cotangents go back through one forward pass at once: `lstm_cotangents` takes any number
of them where the pass has a stack of one. For training see `models.recurrences`.

A position outside the mask has the gates i = 0, f = 1, o = 0 (LSTM) or z = 1 (GRU), which carry the state exactly and
let no gradient through, so that the backward pass needs to know of it only for the h of an LSTM.

Gates stand in PyTorch's order: i, f, g, o and r, z, n.

Dimensions: T positions, G stacked models, K cotangents (G of them, or any number where G is 1), B batch, H width,
V rows of a table.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LstmPass:
    """What a forward pass of an LSTM leaves for the way back."""

    weight_G4HH: Tensor
    hidden_SGBH: Tensor
    """States at the S = T + 1 places between positions, from left to right."""
    cells_SGBH: Tensor
    tanh_cells_TGBH: Tensor
    gates_TGB4H: Tensor
    mask_TGB1: Tensor | None
    reverse: bool


@dataclass(frozen=True)
class GruPass:
    """What a forward pass of a GRU leaves for the way back."""

    weight_G3HH: Tensor
    hidden_SGBH: Tensor
    gates_TGB3H: Tensor
    candidate_TGBH: Tensor
    """W_hn h + b_hn, which the reset gate multiplies."""
    mask_TGB1: Tensor | None
    reverse: bool


def places(T: int, reverse: bool) -> list[tuple[int, int, int]]:
    """(position, place of the state before it, place after it) in the order in which a pass goes."""
    return [(t, t + 1, t) for t in reversed(range(T))] if reverse else [(t, t, t + 1) for t in range(T)]


def outputs_of(saved: LstmPass | GruPass) -> Tensor:
    """h of every position [T, G, B, H], zero outside the mask; a view where there is no mask."""
    hidden = saved.hidden_SGBH[:-1] if saved.reverse else saved.hidden_SGBH[1:]
    return hidden if saved.mask_TGB1 is None else hidden * saved.mask_TGB1


def before_of(saved: LstmPass | GruPass) -> Tensor:
    """h before every position [T, G, B, H], a view."""
    return saved.hidden_SGBH[1:] if saved.reverse else saved.hidden_SGBH[:-1]


def _buffer(like: Tensor, places: int, *size: int, keep: bool) -> Tensor:
    """Room for every place, or room for one that all places share."""
    return like.new_empty(places, *size) if keep else like.new_empty(1, *size).expand(places, *size)


def rows_of(tokens_TGB: Tensor, G: int, V: int) -> Tensor:
    """The row of every token [T, G, B] where the tables of all models stand below each other."""
    return tokens_TGB + torch.arange(G, device=tokens_TGB.device)[:, None] * V


def _below(inputs: Tensor, tokens_TGB: Tensor | None) -> tuple[Tensor, Tensor | None]:
    if tokens_TGB is None:
        return inputs, None
    G, V, _ = inputs.shape
    return inputs.reshape(G * V, -1), rows_of(tokens_TGB, G, V)


def _load(into: Tensor, inputs: Tensor, rows_TGB: Tensor | None, t: int) -> Tensor:
    if rows_TGB is None:
        return into.copy_(inputs[t])
    torch.index_select(inputs, 0, rows_TGB[t].reshape(-1), out=into.view(-1, into.shape[-1]))
    return into


@torch.no_grad()
def lstm_pass(
    inputs: Tensor,
    weight_G4HH: Tensor,
    h_GBH: Tensor,
    c_GBH: Tensor,
    *,
    tokens_TGB: Tensor | None = None,
    mask_TGB: Tensor | None = None,
    reverse: bool = False,
    keep: bool = True,
) -> LstmPass:
    """Run G LSTMs over their sequences; arguments as of `models.recurrences.lstm`.

    Args:
        keep: hold what the way back needs: 7 numbers a position, sequence and unit, else 1.
    """
    G, B, H = h_GBH.shape
    inputs, rows = _below(inputs, tokens_TGB)
    T = len(inputs) if rows is None else len(rows)
    mask = None if mask_TGB is None else mask_TGB[..., None]
    hidden = _buffer(inputs, T + 1, G, B, H, keep=True)
    cells = _buffer(inputs, T + 1, G, B, H, keep=keep)
    tanh_cells = _buffer(inputs, T, G, B, H, keep=keep)
    gates = _buffer(inputs, T, G, B, 4 * H, keep=keep)
    start = T if reverse else 0
    hidden[start], cells[start] = h_GBH, c_GBH
    across = weight_G4HH.transpose(1, 2)
    for t, before, after in places(T, reverse):
        z = _load(gates[t], inputs, rows, t).baddbmm_(hidden[before], across)
        z[..., : 2 * H].sigmoid_()
        i, f, g, o = z.split(H, -1)
        g.tanh_()
        o.sigmoid_()
        if mask is not None:
            outside = ~mask[t]
            i.masked_fill_(outside, 0)
            f.masked_fill_(outside, 1)
            o.masked_fill_(outside, 0)
        torch.mul(f, cells[before], out=cells[after]).addcmul_(i, g)
        torch.tanh(cells[after], out=tanh_cells[t])
        torch.mul(o, tanh_cells[t], out=hidden[after])
        if mask is not None:
            hidden[after].addcmul_(hidden[before], outside.to(hidden.dtype))
    return LstmPass(weight_G4HH, hidden, cells, tanh_cells, gates, mask, reverse)


@torch.no_grad()
def lstm_cotangents(
    saved: LstmPass,
    d_outputs_TKBH: Tensor | None,
    d_h_KBH: Tensor,
    d_c_KBH: Tensor,
    *,
    first: Sequence[int] | None = None,
    take: Callable[[int, Tensor], None] | None = None,
    keep: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of a pass's inputs and of its first state, from gradients of its outputs and of its last state.

    No gradient of the weights is computed. The inner product of the gradient of the inputs with W_ih x is the effect of
    scaling x, so it needs no way back through W_ih.

    Args:
        saved: a pass with K models, or with one that all K cotangents go through.
        d_outputs_TKBH: None is zero.
        first: at position t only the cotangents from first[t] on are other than zero; the others are left out there.
        take: is given every position and the gradient of its inputs [K, B, 4H], while that is in the cache.
        keep: hold the gradient of the inputs; without, it is that of one position at all of them, of no use but to
            `take`.
    Returns:
        (d_inputs [T, K, B, 4H], d_h [K, B, H], d_c [K, B, H]).
    """
    T, _, B, _ = saved.gates_TGB4H.shape
    K, _, H = d_h_KBH.shape
    d_inputs = _buffer(d_h_KBH, T, K, B, 4 * H, keep=keep)
    if first is not None:
        d_inputs.zero_()
    d_h, d_c, scratch = d_h_KBH.clone(), d_c_KBH.clone(), torch.empty_like(d_h_KBH)
    slopes = torch.empty_like(saved.gates_TGB4H[0])
    for t, before, _ in reversed(places(T, saved.reverse)):
        k = 0 if first is None else first[t]
        dh, dc, u, dz = d_h[k:], d_c[k:], scratch[k:], d_inputs[t, k:]
        (i, f, g, o), (di, df, dg, do) = saved.gates_TGB4H[t].split(H, -1), dz.split(H, -1)
        inside = None if saved.mask_TGB1 is None else saved.mask_TGB1[t]
        if d_outputs_TKBH is not None:
            add_masked(dh, d_outputs_TKBH[t, k:], inside)
        tanh_c = saved.tanh_cells_TGBH[t]
        torch.mul(dh, tanh_c, out=do)
        torch.mul(dh, o, out=u)
        dc += u
        dc.addcmul_(u.mul_(tanh_c), tanh_c, value=-1)
        torch.mul(dc, g, out=di)
        torch.mul(dc, saved.cells_SGBH[before], out=df)
        torch.mul(dc, i, out=dg)
        dc *= f
        torch.addcmul(saved.gates_TGB4H[t], saved.gates_TGB4H[t], saved.gates_TGB4H[t], value=-1, out=slopes)
        torch.mul(g, g, out=slopes[..., 2 * H : 3 * H]).neg_().add_(1)
        dz *= slopes
        if take is not None:
            take(t, d_inputs[t])
        carried = None if inside is None else dh.masked_fill(inside, 0)
        _times(dz, saved.weight_G4HH, out=dh)
        if carried is not None:
            dh += carried
    return d_inputs, d_h, d_c


@torch.no_grad()
def gru_pass(
    inputs: Tensor,
    weight_G3HH: Tensor,
    bias_G3H: Tensor,
    h_GBH: Tensor,
    *,
    tokens_TGB: Tensor | None = None,
    mask_TGB: Tensor | None = None,
    reverse: bool = False,
    keep: bool = True,
) -> GruPass:
    """Run G GRUs over their sequences; arguments as of `models.recurrences.gru`, `keep` as of `lstm_pass`."""
    G, B, H = h_GBH.shape
    inputs, rows = _below(inputs, tokens_TGB)
    T = len(inputs) if rows is None else len(rows)
    mask = None if mask_TGB is None else mask_TGB[..., None]
    hidden = _buffer(inputs, T + 1, G, B, H, keep=True)
    gates = _buffer(inputs, T, G, B, 3 * H, keep=keep)
    candidate = _buffer(inputs, T, G, B, H, keep=keep)
    hidden[T if reverse else 0] = h_GBH
    across = weight_G3HH.transpose(1, 2)
    for t, before, after in places(T, reverse):
        z3 = _load(gates[t], inputs, rows, t)
        own = torch.baddbmm(bias_G3H[:, None], hidden[before], across)
        z3[..., : 2 * H].add_(own[..., : 2 * H]).sigmoid_()
        candidate[t].copy_(own[..., 2 * H :])
        r, z, n = z3.split(H, -1)
        n.addcmul_(r, candidate[t]).tanh_()
        if mask is not None:
            z.masked_fill_(~mask[t], 1)
        torch.sub(n, n * z, out=hidden[after]).addcmul_(z, hidden[before])
    return GruPass(weight_G3HH, hidden, gates, candidate, mask, reverse)


@torch.no_grad()
def gru_cotangents(
    saved: GruPass,
    d_outputs_TKBH: Tensor | None,
    d_h_KBH: Tensor,
    *,
    take: Callable[[int, Tensor, Tensor], None] | None = None,
    keep: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:
    """`lstm_cotangents` of a GRU: (d_inputs [T, K, B, 3H], gradient of W_hn h + b_hn [T, K, B, H], d_h [K, B, H]).

    Args:
        take: is given every position and both gradients.
    """
    T, _, B, _ = saved.gates_TGB3H.shape
    K, _, H = d_h_KBH.shape
    d_inputs = _buffer(d_h_KBH, T, K, B, 3 * H, keep=keep)
    d_candidate = _buffer(d_h_KBH, T, K, B, H, keep=keep)
    d_h = d_h_KBH.clone()
    gate_weight, candidate_weight = saved.weight_G3HH[:, : 2 * H], saved.weight_G3HH[:, 2 * H :]
    for t, before, _ in reversed(places(T, saved.reverse)):
        (r, z, n), (dr, dz, dn) = saved.gates_TGB3H[t].split(H, -1), d_inputs[t].split(H, -1)
        inside = None if saved.mask_TGB1 is None else saved.mask_TGB1[t]
        if d_outputs_TKBH is not None:
            add_masked(d_h, d_outputs_TKBH[t], inside)
        torch.mul(d_h, (1 - z) * (1 - n * n), out=dn)
        torch.mul(d_h, (saved.hidden_SGBH[before] - n) * (z * (1 - z)), out=dz)
        torch.mul(dn, saved.candidate_TGBH[t] * (r * (1 - r)), out=dr)
        torch.mul(dn, r, out=d_candidate[t])
        if take is not None:
            take(t, d_inputs[t], d_candidate[t])
        d_h *= z
        d_h += torch.matmul(d_inputs[t, ..., : 2 * H], gate_weight)
        d_h += torch.matmul(d_candidate[t], candidate_weight)
    return d_inputs, d_candidate, d_h


def add_masked(to: Tensor, more: Tensor, inside: Tensor | None) -> None:
    """Add what is inside the mask (None: everything), in place."""
    if inside is None:
        to.add_(more)
    else:
        to.addcmul_(more, inside.to(more.dtype))


def _times(d_KBO: Tensor, weight_GOH: Tensor, out: Tensor) -> None:
    if len(weight_GOH) == 1:
        torch.mm(d_KBO.view(-1, d_KBO.shape[-1]), weight_GOH[0], out=out.view(-1, out.shape[-1]))
    else:
        torch.bmm(d_KBO, weight_GOH, out=out)
