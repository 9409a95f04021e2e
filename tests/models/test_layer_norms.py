"""Where LayerNorms are applied in encoders of several types, and what enters them."""

from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from models.any_encoder import hidden_states
from models.layer_norms import layer_norm_sites, structural_nulls, watched_layer_norms
from tests.models.tiny_encoders import TYPES, WIDTH, sentence, tiny

POST = ("albert", "bert", "deberta", "distilbert", "electra", "roberta")


def entering(model, inputs, sites):
    found = {}
    with torch.no_grad(), watched_layer_norms(model, sites, lambda number, site, v: found.update({number: v})):
        hidden_states(model, *inputs)
    return found


@pytest.mark.parametrize("kind", POST)
def test_every_layer_has_two_whose_outputs_are_known(kind):
    model, inputs = tiny(kind), sentence(5)
    sites = layer_norm_sites(model, *inputs)
    assert [(s.layer, s.place, s.kind) for s in sites.values()][1:] == [
        (1, 1, "attention"), (1, 2, "ffn"), (2, 1, "attention"), (2, 2, "ffn"),
    ]  # fmt: skip
    assert (sites[0].layer, sites[0].place) == (0, 1)
    found, states = entering(model, inputs, sites), hidden_states(model, *inputs)
    # What leaves the second of a layer is its level.
    for number, level in ((2, 1), (4, 2)):
        norm: Any = model.get_submodule(sites[number].name)
        torch.testing.assert_close(norm(found[number]), states[level], rtol=0, atol=1e-13)
        assert sites[number].eps == pytest.approx(getattr(norm, "eps", None) or norm.variance_epsilon)
        torch.testing.assert_close(sites[number].gain, norm.weight.abs())
    names = {site.name for site in sites.values()}
    assert len(names) == (3 if kind == "albert" else 5)


def test_a_model_whose_layers_begin_with_theirs():
    model, inputs = tiny("modernbert"), sentence(5)
    sites = layer_norm_sites(model, *inputs)
    assert [(s.layer, s.kind) for s in sites.values()] == [
        (0, "norm"), (1, "mlp_norm"), (2, "attn_norm"), (2, "mlp_norm"), (2, "final_norm"),
    ]  # fmt: skip
    # The first LayerNorm of a layer gets the level below.
    torch.testing.assert_close(entering(model, inputs, sites)[2], hidden_states(model, *inputs)[1], rtol=0, atol=0)


def test_a_larger_input_has_a_smaller_inverse_and_hooks_go_after_errors():
    model: Any = tiny("bert")
    inputs = sentence(4)
    sites = layer_norm_sites(model, *inputs)
    counted = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]

    def fail(number, site, v):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"), watched_layer_norms(model, sites, fail):
        hidden_states(model, *inputs)
    assert [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()] == counted
    with pytest.raises(ValueError, match="run one pass at a time"), watched_layer_norms(model, sites, lambda *_: None):
        model.encoder.layer[1](torch.randn(1, 4, WIDTH, dtype=torch.float64))


def test_a_model_without_any_is_refused_by_its_type():
    config = LlamaConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=9)
    model = LlamaModel(config)
    with pytest.raises(ValueError, match=r"type 'llama' has no LayerNorm \(it has LlamaRMSNorm\)"):
        layer_norm_sites(model, *sentence(3))
    assert [structural_nulls(m) for m in (model.norm, torch.nn.LayerNorm(4), torch.nn.Linear(2, 2))] == [1, 2, 0]


@pytest.mark.parametrize("kind", TYPES)
def test_padding_changes_nothing_that_enters_at_real_tokens(kind):
    model, (ids, types, mask) = tiny(kind), sentence(4)
    more = torch.full((1, 3), model.config.pad_token_id)
    padded = (torch.cat([ids, more], 1), torch.zeros(1, 7, dtype=torch.long), torch.tensor([[1, 1, 1, 1, 0, 0, 0]]))
    sites = layer_norm_sites(model, *padded)
    short, long = entering(model, (ids, types, mask), sites), entering(model, padded, sites)
    for number, v in short.items():
        torch.testing.assert_close(long[number][:, :4], v, rtol=0, atol=1e-12)
