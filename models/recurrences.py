"""LSTM and GRU for training a stack of models at once, equal to nn.LSTM and nn.GRU up to the order of sums.

The input's projection W_ih x + b_ih (+ b_hh for an LSTM) comes ready. Where x is an embedding of few symbols, it comes
as a table with a row a symbol, and the tokens pick the rows: the product of W_ih is then computed once a symbol instead
of once a position. Everything else is in `models.recurrent_passes`.

Dimensions: T positions, G stacked models, B batch, H width, E input width, O = 4H (LSTM) or 3H (GRU), V rows of a
table.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.recurrent_passes import (
    GruPass,
    LstmPass,
    before_of,
    gru_cotangents,
    gru_pass,
    lstm_cotangents,
    lstm_pass,
    outputs_of,
    rows_of,
)


def lstm(
    inputs: Tensor,
    weight_G4HH: Tensor,
    state: tuple[Tensor, Tensor] | None = None,
    *,
    tokens_TGB: Tensor | None = None,
    mask_TGB: Tensor | None = None,
    reverse: bool = False,
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """G LSTMs of one layer and one direction.

    Args:
        inputs: projections [T, G, B, 4H] with both biases, or a table of them [G, V, 4H] with `tokens_TGB`.
        weight_G4HH: W_hh of each, rows in PyTorch's order i, f, g, o.
        state: first h and c, each [G, B, H]; zeros without.
        tokens_TGB: rows of the table; [T, 1, B] where all models see the same.
        mask_TGB: true inside a sequence, [T, 1, B] where it is the same for all; outside, the state is carried on and
            the output is zero, as with a packed sequence.
        reverse: from the last position to the first.
    Returns:
        (outputs [T, G, B, H], (h, c) after the last step).
    Raises:
        ValueError: shapes that do not belong together.
    """
    h, c = state or (_zeros(inputs, weight_G4HH, tokens_TGB),) * 2
    _check(inputs, weight_G4HH, h, tokens_TGB, mask_TGB, gates=4)
    if torch.is_grad_enabled() and any(x.requires_grad for x in (inputs, weight_G4HH, h, c)):
        outputs, h, c = _Lstm.apply(inputs, weight_G4HH, h, c, tokens_TGB, mask_TGB, reverse)
        return outputs, (h, c)
    done = lstm_pass(inputs, weight_G4HH, h, c, tokens_TGB=tokens_TGB, mask_TGB=mask_TGB, reverse=reverse, keep=False)
    last = 0 if reverse else -1
    return outputs_of(done), (done.hidden_SGBH[last].clone(), done.cells_SGBH[last].clone())


def gru(
    inputs: Tensor,
    weight_G3HH: Tensor,
    bias_G3H: Tensor,
    state: Tensor | None = None,
    *,
    tokens_TGB: Tensor | None = None,
    mask_TGB: Tensor | None = None,
    reverse: bool = False,
) -> tuple[Tensor, Tensor]:
    """G GRUs of one layer and one direction; arguments as of `lstm`, but the inputs hold b_ih alone.

    Args:
        bias_G3H: b_hh; its last third stands inside the product with the reset gate.
    Returns:
        (outputs [T, G, B, H], h after the last step [G, B, H]).
    Raises:
        ValueError: shapes that do not belong together.
    """
    h = _zeros(inputs, weight_G3HH, tokens_TGB) if state is None else state
    _check(inputs, weight_G3HH, h, tokens_TGB, mask_TGB, gates=3)
    if torch.is_grad_enabled() and any(x.requires_grad for x in (inputs, weight_G3HH, bias_G3H, h)):
        return _Gru.apply(inputs, weight_G3HH, bias_G3H, h, tokens_TGB, mask_TGB, reverse)  # type: ignore[return-value]
    done = gru_pass(
        inputs, weight_G3HH, bias_G3H, h, tokens_TGB=tokens_TGB, mask_TGB=mask_TGB, reverse=reverse, keep=False
    )
    return outputs_of(done), done.hidden_SGBH[0 if reverse else -1].clone()


def project(x_TGBE: Tensor, weight_GOE: Tensor, bias_GO: Tensor | None = None) -> Tensor:
    """W x + b of each model at every position, [T, G, B, O]; one matrix product a model."""
    T, G, B, E = x_TGBE.shape
    if G == 1:
        return F.linear(x_TGBE, weight_GOE[0], None if bias_GO is None else bias_GO[0])
    rows, across = x_TGBE.transpose(0, 1).reshape(G, T * B, E), weight_GOE.transpose(1, 2)
    found = torch.bmm(rows, across) if bias_GO is None else torch.baddbmm(bias_GO[:, None], rows, across)
    return found.view(G, T, B, -1).transpose(0, 1)


def input_table(embedding_GVE: Tensor, weight_GOE: Tensor, bias_GO: Tensor) -> Tensor:
    """W e + b of each model for every symbol, [G, V, O]."""
    return torch.baddbmm(bias_GO[:, None], embedding_GVE, weight_GOE.transpose(1, 2))


class _Lstm(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, inputs: Tensor, weight: Tensor, h: Tensor, c: Tensor, tokens: Any, mask: Any, reverse: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        done = lstm_pass(inputs, weight, h, c, tokens_TGB=tokens, mask_TGB=mask, reverse=reverse)
        saved = (done.hidden_SGBH, done.cells_SGBH, done.tanh_cells_TGBH, done.gates_TGB4H, done.mask_TGB1)
        ctx.save_for_backward(weight, *saved, tokens)
        ctx.reverse, ctx.rows = reverse, inputs.shape[1]
        last = 0 if reverse else -1
        return outputs_of(done), done.hidden_SGBH[last].clone(), done.cells_SGBH[last].clone()

    @staticmethod
    def backward(ctx: Any, d_outputs: Tensor, d_h: Tensor, d_c: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        *saved, tokens = ctx.saved_tensors
        done, d_weight = LstmPass(*saved, reverse=ctx.reverse), torch.zeros_like(saved[0])
        before, (d_table, rows) = before_of(done), _table_gradient(d_weight, tokens, ctx.rows)

        def take(t: int, d_GB4H: Tensor) -> None:
            d_weight.baddbmm_(d_GB4H.transpose(1, 2), before[t])
            if rows is not None:
                d_table.index_add_(0, rows[t].flatten(), d_GB4H.flatten(0, 1))

        d_inputs, d_h, d_c = lstm_cotangents(done, d_outputs, d_h, d_c, take=take, keep=rows is None)
        return d_inputs if rows is None else d_table.view(len(d_h), ctx.rows, -1), d_weight, d_h, d_c, None, None, None


class _Gru(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor, h: Tensor, tokens: Any, mask: Any, reverse: bool
    ) -> tuple[Tensor, Tensor]:
        done = gru_pass(inputs, weight, bias, h, tokens_TGB=tokens, mask_TGB=mask, reverse=reverse)
        ctx.save_for_backward(weight, done.hidden_SGBH, done.gates_TGB3H, done.candidate_TGBH, done.mask_TGB1, tokens)
        ctx.reverse, ctx.rows = reverse, inputs.shape[1]
        return outputs_of(done), done.hidden_SGBH[0 if reverse else -1].clone()

    @staticmethod
    def backward(ctx: Any, d_outputs: Tensor, d_h: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        *saved, tokens = ctx.saved_tensors
        done, weight = GruPass(*saved, reverse=ctx.reverse), saved[0]
        before, (d_table, rows) = before_of(done), _table_gradient(weight, tokens, ctx.rows)
        G, H = len(weight), weight.shape[-1]
        d_gates, d_new = weight.new_zeros(G, 2 * H, H), weight.new_zeros(G, H, H)
        d_gates_bias, d_new_bias = weight.new_zeros(G, 2 * H), weight.new_zeros(G, H)

        def take(t: int, d_GB3H: Tensor, d_candidate_GBH: Tensor) -> None:
            of_gates = d_GB3H[..., : 2 * H]
            d_gates.baddbmm_(of_gates.transpose(1, 2), before[t])
            d_new.baddbmm_(d_candidate_GBH.transpose(1, 2), before[t])
            d_gates_bias.add_(of_gates.sum(1))
            d_new_bias.add_(d_candidate_GBH.sum(1))
            if rows is not None:
                d_table.index_add_(0, rows[t].flatten(), d_GB3H.flatten(0, 1))

        d_inputs, _, d_h = gru_cotangents(done, d_outputs, d_h, take=take, keep=rows is None)
        d_given = d_inputs if rows is None else d_table.view(G, ctx.rows, -1)
        return d_given, torch.cat([d_gates, d_new], 1), torch.cat([d_gates_bias, d_new_bias], 1), d_h, None, None, None


def _table_gradient(weight_GOH: Tensor, tokens_TGB: Tensor | None, V: int) -> tuple[Tensor, Tensor | None]:
    """Zeros [G V, O] and the row of each token [T, G, B]; nothing without tokens."""
    G, width, _ = weight_GOH.shape
    if tokens_TGB is None:
        return weight_GOH.new_zeros(0), None
    return weight_GOH.new_zeros(G * V, width), rows_of(tokens_TGB, G, V)


def _zeros(inputs: Tensor, weight_GOH: Tensor, tokens_TGB: Tensor | None) -> Tensor:
    B = inputs.shape[-2] if tokens_TGB is None else tokens_TGB.shape[-1]
    return inputs.new_zeros(len(weight_GOH), B, weight_GOH.shape[-1])


def _check(
    inputs: Tensor, weight: Tensor, h: Tensor, tokens: Tensor | None, mask: Tensor | None, *, gates: int
) -> None:
    G, B, H = h.shape
    width = gates * H
    if weight.shape != (G, width, H):
        raise ValueError(f"weight_hh is {tuple(weight.shape)}; for a state of {tuple(h.shape)} it is {(G, width, H)}")
    if tokens is None:
        if inputs.ndim != 4 or inputs.shape[1:] != (G, B, width):
            raise ValueError(
                f"inputs are {tuple(inputs.shape)}; they are [T, {G}, {B}, {width}], or a table with tokens"
            )
        T = len(inputs)
    else:
        if inputs.ndim != 3 or (len(inputs), inputs.shape[2]) != (G, width):
            raise ValueError(f"the table of inputs is {tuple(inputs.shape)}; with tokens it is [{G}, V, {width}]")
        T = len(tokens)
    for name, given in (("tokens", tokens), ("mask", mask)):
        if given is not None and (given.ndim != 3 or given.shape[1] not in (1, G) or given.shape[::2] != (T, B)):
            raise ValueError(f"{name} are {tuple(given.shape)}; they are [{T}, {G} or 1, {B}]")
