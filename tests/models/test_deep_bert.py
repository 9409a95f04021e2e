"""DeepBert: its residual steps written out, padding, recomputation, weights from the seed, and its files."""

import json
from typing import Any

import pytest
import torch
from torch.nn import functional
from transformers import BertConfig, BertForPreTraining, BertModel

from models.deep_bert import DeepBert, DeepBertConfig
from models.deep_bert_files import (
    from_hugging_face,
    load_deep_bert,
    read_hugging_face,
    save_deep_bert,
    to_hugging_face,
    unset_deep_bert,
)
from models.deep_bert_init import Spreads, draw, vanilla_spreads, xavier_spreads

B, T, V = 3, 10, 50


def config(**changed):
    given: dict[str, Any] = {
        "layers": 2,
        "width": 16,
        "heads": 2,
        "intermediate": 24,
        "vocab_size": V,
        "max_length": 12,
    }
    return DeepBertConfig(**(given | changed))


def network(seed: int = 0, **changed) -> DeepBert:
    """In float64, with gains and biases that are no longer 1 and 0."""
    model = unset_deep_bert(config(**changed)).double()
    draw(model, vanilla_spreads(model.config, 0.3), seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name or name.endswith("bias"):
                parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.1)
    return model.eval()


def batch():
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, V, (B, T), generator=generator)
    types = torch.randint(0, 2, (B, T), generator=generator)
    mask = torch.ones(B, T, dtype=torch.bool)
    mask[1, 6:] = False
    return ids, types, mask


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_a_layer_is_its_two_residual_steps_written_out(norm, activation):
    model = network(norm=norm, activation=activation, skip=0.9, branch=0.4)
    layer = model.layer_list[0]
    x = torch.randn(B, T, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def step(x, gains, branch):
        y = functional.layer_norm(x, (16,), gains.weight, gains.bias, 1e-5)
        return 0.9 * (x if norm == "pre" else y) + 0.4 * branch(y)

    def attention(y):
        q, k, v = (part.view(B, T, 2, 8).transpose(1, 2) for part in layer.qkv(y).chunk(3, dim=-1))
        weights = torch.softmax(q @ k.transpose(2, 3) / 8**0.5, dim=-1)
        return layer.out((weights @ v).transpose(1, 2).reshape(B, T, 16))

    act = torch.relu if activation == "relu" else functional.gelu
    expected = step(x, layer.attention_norm, attention)
    expected = step(expected, layer.mlp_norm, lambda y: layer.down(act(layer.up(y))))
    torch.testing.assert_close(layer(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_padding_changes_nothing(norm):
    model = network(norm=norm)
    ids, types, mask = batch()
    whole = model.encode(ids, types, mask)
    alone = model.encode(ids[1:2, :6], types[1:2, :6])
    torch.testing.assert_close(whole[1:2, :6], alone, rtol=1e-12, atol=1e-12)


def test_forward_gives_both_heads_at_the_masked_positions():
    model = network(logit_scale=0.5)
    ids, types, mask = batch()
    positions = torch.tensor([1, T + 2, 2 * T])
    mlm, order = model(ids, types, mask, positions)
    h = model.encode(ids, types, mask)
    torch.testing.assert_close(mlm, model.mlm_logits(h)[[0, 1, 2], [1, 2, 0]], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(order, model.order(torch.tanh(model.pooler(h[:, 0]))))
    plain = network()
    plain.load_state_dict(model.state_dict())
    bias = model.mlm_bias
    torch.testing.assert_close((plain.mlm_logits(h) - bias) / 2, model.mlm_logits(h) - bias)


def test_recomputed_layers_give_the_same_gradients_with_dropout_and_fire_hooks_once():
    ids, types, mask = batch()
    found = []
    for on in (False, True):
        model = network(dropout=0.2, attention_dropout=0.2).train()
        model.recompute(on)
        calls = []
        model.layers[1].register_forward_hook(lambda *given, calls=calls: calls.append(given[2].shape))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            model.encode(ids, types, mask).square().mean().backward()
        found.append([parameter.grad for parameter in model.parameters() if parameter.grad is not None])
        assert calls == [(B, T, 16)]
    for plain, again in zip(*found, strict=True):
        assert torch.equal(plain, again)


def test_weights_depend_on_the_seed_alone_and_have_their_spreads():
    shape = config(layers=3, width=64, heads=4, intermediate=128, vocab_size=500)
    spreads = xavier_spreads(shape)
    torch.manual_seed(5)
    one, two, other = (unset_deep_bert(shape) for _ in range(3))
    state = torch.random.get_rng_state()
    draw(one, spreads, 7)
    draw(two, spreads, 7)
    draw(other, spreads, 8)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(one.embeddings.word.weight, other.embeddings.word.weight)
    layer = one.layer_list[1]
    assert float(layer.qkv.weight[:128].detach().std()) == pytest.approx(spreads.query_key[1], rel=0.03)
    assert float(layer.up.weight.detach().std()) == pytest.approx(spreads.mlp[1], rel=0.03)
    assert float(one.embeddings.word.weight.detach().std()) == pytest.approx(1 / 8, rel=0.03)
    assert not layer.up.bias.any()
    assert (layer.mlp_norm.weight == 1).all()


def test_values_have_their_own_spread():
    shape = config(width=64, heads=4)
    each = (0.1,) * 2
    spreads = Spreads(embeddings=0.1, query_key=each, value=(0.5, 0.7), out=each, mlp=each, dense=0.1, order=0.1)
    model = unset_deep_bert(shape)
    draw(model, spreads, 0)
    assert float(model.layer_list[1].qkv.weight[128:].detach().std()) == pytest.approx(0.7, rel=0.05)
    with pytest.raises(ValueError, match="not of 2 layers"):
        draw(model, vanilla_spreads(config(layers=3)), 0)


def test_the_library_s_bert_is_the_same_network_and_comes_back_bit_by_bit():
    model = network(activation="gelu")
    ids, types, mask = batch()
    theirs = to_hugging_face(model)
    with torch.no_grad():
        given = theirs(input_ids=ids, token_type_ids=types, attention_mask=mask.long())
        h = model.encode(ids, types, mask)
        torch.testing.assert_close(given.prediction_logits[mask], model.mlm_logits(h)[mask], rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(given.seq_relationship_logits, model.order_logits(h), rtol=1e-10, atol=1e-10)
    back = from_hugging_face(theirs)
    assert back.config == model.config
    for name, weight in model.state_dict().items():
        assert torch.equal(back.state_dict()[name], weight), name


@pytest.mark.parametrize("changed", [{"norm": "pre"}, {"skip": 0.9}, {"branch": 0.4}, {"logit_scale": 0.5}])
def test_networks_that_the_library_does_not_have_are_refused(changed):
    with pytest.raises(ValueError, match=r"the library.s BERT is post-LN"):
        to_hugging_face(network(**changed))


def test_a_checkpoint_of_the_library_is_read_with_zero_heads_where_it_has_none(tmp_path):
    shape = BertConfig(vocab_size=V, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24)
    bare: Any = BertModel(shape)
    bare.save_pretrained(tmp_path)
    model = read_hugging_face(tmp_path)
    assert torch.equal(model.pooler.weight, bare.pooler.dense.weight)
    assert not model.order.weight.any()
    ids, types, mask = batch()
    with torch.no_grad():
        theirs = bare.eval()(input_ids=ids, token_type_ids=types, attention_mask=mask.long()).last_hidden_state
        torch.testing.assert_close(model.encode(ids, types, mask)[mask], theirs[mask], rtol=1e-4, atol=1e-5)


def test_a_checkpoint_without_a_pooler_is_refused(tmp_path):
    shape = BertConfig(vocab_size=V, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24)
    BertModel(shape, add_pooling_layer=False).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"lacks weights of the encoder: bert\.pooler"):
        read_hugging_face(tmp_path)


def test_another_activation_than_ours_is_refused():
    shape = BertConfig(vocab_size=V, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, hidden_act="silu")
    with pytest.raises(ValueError, match="activation is 'silu'"):
        from_hugging_face(BertForPreTraining(shape))


def test_files_give_the_same_model_back_with_changed_dropout(tmp_path):
    model = network(norm="pre", skip=0.9, branch=0.4).float()
    save_deep_bert(model, tmp_path)
    back = load_deep_bert(tmp_path, dropout=0.0)
    assert back.config.dropout == 0.0
    assert back.config.skip == 0.9
    for name, weight in model.state_dict().items():
        assert torch.equal(back.state_dict()[name], weight), name


def test_files_that_do_not_fit_are_refused_with_the_reason(tmp_path):
    with pytest.raises(ValueError, match="no checkpoint of deep_bert"):
        load_deep_bert(tmp_path)
    save_deep_bert(network().float(), tmp_path)
    path = tmp_path / "config.json"
    given = json.loads(path.read_text())
    path.write_text(json.dumps(given | {"layers": 3}))
    with pytest.raises(ValueError, match=r"does not fit its config\.json"):
        load_deep_bert(tmp_path)
    path.write_text(json.dumps(given | {"colour": 3}))
    with pytest.raises(ValueError, match="missing or unknown: colour"):
        load_deep_bert(tmp_path)
    path.write_text(json.dumps(given | {"model_type": "bert"}))
    with pytest.raises(ValueError, match="is not of the type deep_bert"):
        load_deep_bert(tmp_path)
    path.write_text(json.dumps(given))
    (tmp_path / "model.safetensors").write_bytes(b"\x10")
    with pytest.raises(ValueError, match="no checkpoint of deep_bert"):
        load_deep_bert(tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"layers": 0}, "layers is 0"),
        ({"heads": 3}, "cannot be divided among 3 heads"),
        ({"norm": "mid"}, "choose pre or post"),
        ({"activation": "silu"}, "choose relu or gelu"),
        ({"dropout": 1.0}, "dropout is 1.0"),
    ],
)
def test_shapes_that_cannot_be_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        config(**changed)


def test_more_tokens_than_positions_are_refused():
    with pytest.raises(ValueError, match="13 tokens a sequence; the position table ends at 12"):
        network().encode(torch.zeros(1, 13, dtype=torch.int64))
