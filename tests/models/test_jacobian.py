"""Jacobians between levels, against torch's own and against maps whose Jacobian is known."""

from typing import Any

import pytest
import torch
from torch import nn

from metrics.singular_values import singular_values
from models.any_encoder import hidden_states
from models.jacobian import jacobian_blocks, level_graph, level_pairs, whole_jacobians
from tests.models.tiny_encoders import LAYERS, TYPES, WIDTH, sentence, tiny

PLENTY = 1 << 28
EMBEDDINGS = {"albert": "encoder.embedding_hidden_mapping_in"}
"""The module whose output is level 0, where it is not `embeddings`."""


def plain_jacobian(model, inputs, position):
    """d h_L[t] / d h_0 [H, T, H] by `torch.autograd.functional.jacobian`, level 0 put in from outside."""
    module = model.get_submodule(EMBEDDINGS.get(model.config.model_type, "embeddings"))

    def last(h_TH):
        hook = module.register_forward_hook(lambda *_: h_TH[None])
        try:
            return hidden_states(model, *inputs)[-1][0, position]
        finally:
            hook.remove()

    return torch.autograd.functional.jacobian(last, hidden_states(model, *inputs)[0][0].detach())


@pytest.mark.parametrize("kind", TYPES)
def test_blocks_are_those_of_torch_for_every_type(kind):
    model, inputs = tiny(kind), sentence(5)
    (found,) = jacobian_blocks(model, inputs, positions=[3], budget_bytes=PLENTY)
    expected = plain_jacobian(model, inputs, 3)
    assert isinstance(expected, torch.Tensor)
    torch.testing.assert_close(found.values, expected.transpose(0, 1), rtol=0, atol=1e-12 * float(expected.abs().max()))
    assert (found.input_level, found.output_level, found.position, found.nulls) == (0, LAYERS, 3, 2)
    # Two singular values are zero, the output is that of a LayerNorm; one of them up to its eps (1e-12 to 1e-5).
    values = singular_values(found.values, PLENTY)
    assert (values[:, -1:] < 1e-7 * values[:, :1]).all()
    assert (values[:, -2:] < 1e-4 * values[:, -3:-2]).all()
    assert (values[:, -3] > 1e-7 * values[:, 0]).all()


def test_levels_in_between_multiply_to_the_whole():
    model, inputs = tiny("bert", num_hidden_layers=3), sentence(4)
    found = {
        (b.input_level, b.output_level, b.position): b.values.clone()
        for b in jacobian_blocks(
            model, inputs, positions=range(4), input_levels=(0, 1), output_levels=(1, 3), budget_bytes=PLENTY
        )
    }
    assert {key[:2] for key in found} == {(0, 1), (0, 3), (1, 3)}
    # J_30[t, w] = sum over u of J_31[t, u] J_10[u, w]; blocks are [w, a, b].
    for t in range(4):
        whole = sum(found[1, 3, t][u] @ found[0, 1, u] for u in range(4))
        torch.testing.assert_close(found[0, 3, t], whole, rtol=0, atol=1e-12)


def test_less_memory_changes_no_value():
    model, inputs = tiny("albert"), sentence(6)
    asked = {"positions": [1, 5], "input_levels": (0, 1), "output_levels": (2,)}
    many = [b.values.clone() for b in jacobian_blocks(model, inputs, **asked, budget_bytes=PLENTY)]
    graph = level_graph(model, *inputs)
    block, row = 6 * WIDTH * WIDTH * 8, (graph.row_numbers + 6 * WIDTH) * 8
    for budget in (block + row, block + 3 * row, 2 * block + 9 * row):
        few = [b.values.clone() for b in jacobian_blocks(model, inputs, **asked, budget_bytes=budget)]
        for a, b in zip(many, few, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-14 * float(a.abs().max()))
    with pytest.raises(ValueError, match=rf"takes {block + row:,} bytes .* {block:,} may be used"):
        list(jacobian_blocks(model, inputs, **asked, budget_bytes=block))


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_padding_changes_nothing_of_the_whole_jacobian(kind):
    model = tiny(kind)
    short, long = sentence(4), sentence(7, seed=1)
    ids = torch.full((2, 7), model.config.pad_token_id)
    ids[0, :4], ids[1] = short[0][0], long[0][0]
    mask = torch.ones_like(ids)
    mask[0, 4:] = 0
    both = list(whole_jacobians(model, (ids, torch.zeros_like(ids), mask), budget_bytes=PLENTY))
    assert [number for number, _ in both] == [0, 1]
    assert [tuple(found.values.shape) for _, found in both] == [(1, WIDTH, 4 * WIDTH), (1, WIDTH, 7 * WIDTH)]
    for (_, found), inputs in zip(both, (short, long), strict=True):
        (alone,) = jacobian_blocks(model, inputs, positions=[0], budget_bytes=PLENTY)
        torch.testing.assert_close(found.values[0], alone.values.transpose(0, 1).flatten(1), rtol=0, atol=1e-12)


class Turn(nn.Module):
    """A layer that turns every state by one orthogonal matrix."""

    def __init__(self, matrix):
        super().__init__()
        self.matrix = matrix

    def forward(self, hidden_states, *_, **__):
        return hidden_states @ self.matrix


def test_an_orthogonal_network_is_an_isometry():
    model: Any = tiny("bert")
    inputs = sentence(5)
    for number in range(LAYERS):
        torch.manual_seed(number)
        turned = torch.linalg.qr(torch.randn(WIDTH, WIDTH, dtype=torch.float64))[0]
        model.encoder.layer[number].forward = Turn(turned).forward
    (found,) = jacobian_blocks(model, inputs, positions=[2], budget_bytes=PLENTY)
    values = singular_values(found.values, PLENTY)
    assert found.nulls == 0  # the last module is no LayerNorm
    torch.testing.assert_close(values[2], torch.ones(WIDTH, dtype=torch.float64), rtol=0, atol=1e-13)
    assert not values[[0, 1, 3, 4]].any()


def test_null_directions_follow_from_the_modules():
    assert level_graph(tiny("bert"), *sentence(4)).nulls == (2, 2, 2)
    assert level_graph(tiny("albert"), *sentence(4)).nulls == (0, 2, 2)  # level 0 is projected after its LayerNorm
    assert level_graph(tiny("modernbert"), *sentence(4)).nulls == (2, 0, 2)  # sums, and a LayerNorm at the end


def test_the_model_is_left_as_it_was():
    model, inputs = tiny("bert"), sentence(4)
    hidden_states(model, *inputs)  # the library puts hooks of its own there in the first pass
    hooks = [len(module._forward_hooks) for module in model.modules()]
    before = [p.requires_grad for p in model.parameters()]
    next(jacobian_blocks(model, inputs, positions=[0], budget_bytes=PLENTY))
    assert [p.requires_grad for p in model.parameters()] == before
    assert all(p.grad is None for p in model.parameters())
    assert [len(module._forward_hooks) for module in model.modules()] == hooks


def test_what_cannot_be_asked():
    model, inputs = tiny("bert"), sentence(4)
    with pytest.raises(ValueError, match="level 3 is asked for; this encoder has the levels 0 to 2"):
        level_pairs(2, (0,), (3,))
    with pytest.raises(ValueError, match="no input level"):
        level_pairs(2, (2,))
    with pytest.raises(ValueError, match="position 4 is not in a sentence of 4 tokens"):
        next(jacobian_blocks(model, inputs, positions=[4], budget_bytes=PLENTY))
    padded = (*inputs[:2], torch.tensor([[1, 1, 1, 0]]))
    with pytest.raises(ValueError, match="3 of 4 tokens; give one, cut"):
        next(jacobian_blocks(model, padded, positions=[0], budget_bytes=PLENTY))
