"""Stacked LSTM and GRU against PyTorch's own, packed where there is a mask.

Dimensions: T positions, G stacked models, K cotangents, B batch, H width, E input width, V rows of a table.
"""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.recurrences import gru, input_table, lstm, project
from models.recurrent_passes import lstm_cotangents, lstm_pass, outputs_of

T, G, B, H, E, V = 7, 3, 4, 5, 6, 9
LENGTHS = torch.tensor([7, 1, 4, 6])
EXACT: dict[str, Any] = {"rtol": 0, "atol": 1e-12}


def modules(kind: type, bidirectional: bool = False) -> list[nn.RNNBase]:
    torch.manual_seed(0)
    return [kind(E, H, bidirectional=bidirectional).double() for _ in range(G)]


def stack(members: list[nn.RNNBase], name: str) -> Tensor:
    return torch.stack([member.get_parameter(name).detach() for member in members]).requires_grad_()


def run_stacked(members: list[nn.RNNBase], x: Tensor, tokens: Any, mask: Any, states: list[Tensor], suffix: str) -> Any:
    """(outputs, last states, stacked parameters); x is [T, G, B, E], or embeddings [G, V, E] with tokens."""
    names = [f"{name}_l0{suffix}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    own = {name: stack(members, name) for name in names}
    w_ih, w_hh, b_ih, b_hh = own.values()
    is_lstm = isinstance(members[0], nn.LSTM)
    bias = b_ih + b_hh if is_lstm else b_ih
    inputs = project(x, w_ih, bias) if tokens is None else input_table(x, w_ih, bias)
    how: Any = {"tokens_TGB": tokens, "mask_TGB": mask, "reverse": bool(suffix)}
    if is_lstm:
        outputs, last = lstm(inputs, w_hh, (states[0], states[1]), **how)
    else:
        outputs, h = gru(inputs, w_hh, b_hh, states[0], **how)
        last = (h,)
    return outputs, last, own


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_outputs_states_and_gradients_are_those_of_pytorch(kind, bidirectional, table, masked):
    members = modules(kind, bidirectional)
    directions = ["", "_reverse"][: 1 + bidirectional]
    embedding = torch.randn(G, V, E, dtype=torch.float64, requires_grad=True)
    tokens = torch.randint(V, (T, G, B))
    x = torch.stack([embedding[g][tokens[:, g]] for g in range(G)], 1)
    mask = (torch.arange(T)[:, None] < LENGTHS)[:, None] if masked else None
    n_states = 2 if kind is nn.LSTM else 1
    first = torch.randn(n_states, len(directions), G, B, H, dtype=torch.float64, requires_grad=True)

    found, lasts, parameters = [], [], {}
    for d, suffix in enumerate(directions):
        given = (embedding, tokens) if table else (x, None)
        outputs, last, own = run_stacked(members, *given, mask, [s[d] for s in first], suffix)
        found.append(outputs)
        lasts.append(torch.stack(last))
        parameters |= own
    found_outputs, found_last = torch.cat(found, -1), torch.stack(lasts, 1)
    cotangents = torch.randn_like(found_outputs), torch.randn_like(found_last)
    loss = (found_outputs * cotangents[0]).sum() + (found_last * cotangents[1]).sum()
    found_gradients = torch.autograd.grad(loss, [embedding, first, *parameters.values()], retain_graph=True)

    expected_loss = torch.zeros((), dtype=torch.float64)
    for g, member in enumerate(members):
        given_x: Any = x[:, g]
        if masked:
            given_x = pack_padded_sequence(given_x, LENGTHS, enforce_sorted=False)
        state = tuple(first[:, :, g]) if kind is nn.LSTM else first[0, :, g]
        outputs, last = member(given_x, state)
        if masked:
            outputs, _ = pad_packed_sequence(outputs, total_length=T)
        last = torch.stack(last) if kind is nn.LSTM else last[None]
        torch.testing.assert_close(found_outputs[:, g], outputs, **EXACT)
        torch.testing.assert_close(found_last[:, :, g], last, **EXACT)
        expected_loss = expected_loss + (outputs * cotangents[0][:, g]).sum() + (last * cotangents[1][:, :, g]).sum()
    weights = [[member.get_parameter(name) for member in members] for name in parameters]
    expected = torch.autograd.grad(expected_loss, [embedding, first, *itertools.chain.from_iterable(weights)])
    torch.testing.assert_close(found_gradients[:2], expected[:2], **EXACT)
    for n, name in enumerate(parameters):
        want = torch.stack(expected[2 + n * G : 2 + (n + 1) * G])
        torch.testing.assert_close(found_gradients[2 + n], want, msg=name, **EXACT)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_without_gradients_the_numbers_are_the_same(kind):
    members = modules(kind)
    x = torch.randn(T, G, B, E, dtype=torch.float64)
    states = [torch.randn(G, B, H, dtype=torch.float64) for _ in range(2)]
    mask = (torch.arange(T)[:, None] < LENGTHS)[:, None]
    for suffix_mask in (None, mask):
        learning = run_stacked(members, x, None, suffix_mask, states, "")
        with torch.no_grad():
            reading = run_stacked(members, x, None, suffix_mask, states, "")
        assert torch.equal(learning[0], reading[0])
        assert all(torch.equal(a, b) for a, b in zip(learning[1], reading[1], strict=True))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_many_cotangents_go_back_through_one_pass(masked, reverse):
    K = 5
    torch.manual_seed(1)
    inputs = torch.randn(T, 1, B, 4 * H, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(1, 4 * H, H, dtype=torch.float64) / H**0.5
    h, c = (torch.randn(1, B, H, dtype=torch.float64, requires_grad=True) for _ in range(2))
    mask = (torch.arange(T)[:, None] < LENGTHS)[:, None] if masked else None
    outputs, last = lstm(inputs, weight, (h, c), mask_TGB=mask, reverse=reverse)
    d_outputs = torch.randn(T, K, B, H, dtype=torch.float64)
    d_last = torch.randn(2, K, B, H, dtype=torch.float64)
    saved = lstm_pass(inputs, weight, h, c, mask_TGB=mask, reverse=reverse)
    assert torch.equal(outputs_of(saved), outputs)
    found = lstm_cotangents(saved, d_outputs, d_last[0], d_last[1])
    for k in range(K):
        given = [d_outputs[:, k : k + 1], d_last[0, k : k + 1], d_last[1, k : k + 1]]
        want = torch.autograd.grad([outputs, *last], [inputs, h, c], given, retain_graph=True)
        torch.testing.assert_close(found[0][:, k], want[0][:, 0], **EXACT)
        torch.testing.assert_close(found[1][k], want[1][0], **EXACT)
        torch.testing.assert_close(found[2][k], want[2][0], **EXACT)


def test_cotangents_that_begin_later_are_left_out_before():
    torch.manual_seed(2)
    inputs, weight = torch.randn(T, 1, B, 4 * H), torch.randn(1, 4 * H, H)
    zeros = torch.zeros(T, B, H)
    saved = lstm_pass(inputs, weight, zeros[:1], zeros[:1])
    d_outputs = torch.randn(T, 1, B, H) * torch.eye(T)[:, :, None, None]  # cotangent k is of position k alone
    whole = lstm_cotangents(saved, d_outputs, zeros, zeros)
    short = lstm_cotangents(saved, d_outputs, zeros, zeros, first=range(T))
    for a, b in zip(short, whole, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_what_stands_outside_the_mask_does_not_matter(kind):
    members = modules(kind)
    x = torch.randn(T, G, B, E, dtype=torch.float64)
    mask = (torch.arange(T)[:, None] < LENGTHS)[:, None]
    other = torch.where(mask[..., None], x, 100 * torch.randn_like(x))
    states = [torch.zeros(G, B, H, dtype=torch.float64)] * 2
    for suffix in ("", "_reverse"):
        if suffix:
            members = modules(kind, bidirectional=True)
        one, two = (run_stacked(members, given, None, mask, states, suffix) for given in (x, other))
        assert torch.equal(one[0], two[0])
        assert torch.equal(one[1][0], two[1][0])


def test_shapes_that_do_not_belong_together_are_refused():
    weight = torch.zeros(G, 4 * H, H)
    with pytest.raises(ValueError, match=r"inputs are \(7, 3, 4, 15\)"):
        lstm(torch.zeros(T, G, B, 3 * H), weight)
    with pytest.raises(ValueError, match="table of inputs"):
        lstm(torch.zeros(2, V, 4 * H), weight, tokens_TGB=torch.zeros(T, G, B, dtype=torch.long))
    with pytest.raises(ValueError, match=r"mask are \(7, 2, 4\)"):
        lstm(torch.zeros(T, G, B, 4 * H), weight, mask_TGB=torch.ones(T, 2, B, dtype=torch.bool))
    with pytest.raises(ValueError, match="weight_hh"):
        gru(torch.zeros(T, G, B, 3 * H), weight, torch.zeros(G, 3 * H))
