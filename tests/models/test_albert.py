"""Loading, drawing and iterating an ALBERT."""

import pytest
import torch
from transformers import AlbertConfig, AlbertModel, BertConfig, BertModel, DistilBertConfig, DistilBertModel

from models.albert import (
    check_iterated,
    embed,
    iterate,
    layers_of,
    load_albert,
    padding_mask,
    random_albert,
    scratch_config,
    shared_layer,
)

CONFIG = scratch_config(32, heads=4, embedding_size=16, vocab_size=50, max_position=64)


def weights(model):
    return torch.cat([p.detach().double().flatten() for p in model.parameters()])


def test_scratch_config_has_the_v2_settings():
    config = scratch_config(128, vocab_size=100)
    assert (config.num_attention_heads, config.intermediate_size, config.embedding_size) == (2, 512, 128)
    assert (config.hidden_act, config.layer_norm_eps, config.classifier_dropout_prob) == ("gelu_new", 1e-12, 0.1)
    assert config.hidden_dropout_prob == config.attention_probs_dropout_prob == 0
    assert scratch_config(16).num_attention_heads == 1
    with pytest.raises(ValueError, match="no multiple of 5 heads"):
        scratch_config(32, heads=5)


def test_large_has_the_published_number_of_parameters():
    with torch.device("meta"):
        model = AlbertModel(scratch_config(1024))
    assert sum(p.numel() for p in model.parameters()) == 17_683_968
    assert sum(p.numel() for p in shared_layer(model).parameters()) == 12_596_224  # pyright: ignore[reportFunctionMemberAccess]


@pytest.mark.parametrize("style", ["hf_default", "glue_legacy"])
def test_random_weights_depend_on_the_seed_alone(style):
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = random_albert(CONFIG, style, seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(weights(random_albert(CONFIG, style, seed=3)), weights(first))
    assert torch.equal(weights(random_albert(CONFIG, style, seed=3, dtype=torch.float64)), weights(first))
    assert not torch.equal(weights(random_albert(CONFIG, style, seed=4)), weights(first))
    assert not first.training


def test_styles_differ_where_they_should():
    plain, legacy = (random_albert(CONFIG, style, seed=0) for style in ("hf_default", "glue_legacy"))
    assert (plain.embeddings.LayerNorm.weight == 1).all()
    assert legacy.embeddings.LayerNorm.weight.abs().max() <= 0.04
    assert (plain.embeddings.word_embeddings.weight[0] == 0).all()
    assert (legacy.embeddings.word_embeddings.weight[0] != 0).any()
    with pytest.raises(ValueError, match="choose hf_default, keras, glue_legacy, mlm_legacy or dump_legacy"):
        random_albert(CONFIG, "xavier", seed=0)  # pyright: ignore[reportArgumentType]


def test_default_style_is_what_transformers_draws():
    """Same constants, and the same spread where it draws."""
    ours = dict(random_albert(CONFIG, "hf_default", seed=0).named_parameters())
    for name, parameter in AlbertModel(CONFIG).named_parameters():
        theirs = parameter.detach()
        if float(theirs.std()) == 0:
            assert torch.equal(ours[name], theirs), name
        else:
            assert float(ours[name].detach().std()) == pytest.approx(float(theirs.std()), rel=0.25), name
    assert float(AlbertModel(CONFIG).embeddings.word_embeddings.weight[0].detach().abs().max()) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_hidden_groups": 2}, "num_hidden_groups = 2"),
        ({"inner_group_num": 2}, "inner_group_num = 2"),
        ({"hidden_dropout_prob": 0.1}, "hidden_dropout_prob = 0.1"),
        ({"attention_probs_dropout_prob": 0.1}, "attention_probs_dropout_prob = 0.1"),
    ],
)
def test_what_is_no_iterated_map_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        check_iterated(AlbertConfig(**change))


def test_checkpoints_come_back_and_bad_ones_are_refused(tmp_path):
    model = random_albert(CONFIG, "hf_default", seed=0)
    model.save_pretrained(tmp_path / "good")
    assert torch.equal(weights(load_albert(tmp_path / "good")), weights(model))
    double = load_albert(tmp_path / "good", dtype=torch.float64, attention="eager")
    assert next(double.parameters()).dtype == torch.float64
    assert double.config._attn_implementation == "eager"

    BertConfig().save_pretrained(tmp_path / "bert")
    with pytest.raises(ValueError, match="model type 'bert'"):
        load_albert(tmp_path / "bert")
    with pytest.raises(ValueError, match="cannot read the configuration"):
        load_albert(tmp_path / "nothing")
    CONFIG.save_pretrained(tmp_path / "empty")
    with pytest.raises(ValueError, match="cannot load the weights"):
        load_albert(tmp_path / "empty")
    AlbertModel(CONFIG, add_pooling_layer=False).save_pretrained(tmp_path / "headless")
    with pytest.raises(ValueError, match=r"lacks the weights pooler\.bias, pooler\.weight"):
        load_albert(tmp_path / "headless")


def test_a_pass_can_go_on_from_its_middle():
    model = random_albert(CONFIG, "hf_default", seed=0, dtype=torch.float64)
    layer, seen = shared_layer(model), []
    ids = torch.tensor([[2, 7, 8, 3], [2, 9, 3, 0]])
    with torch.no_grad():
        h_0 = embed(model, ids)
        mask = padding_mask(model, (ids != 0).long(), h_0)
        whole = iterate(layer, h_0, 5, mask)
        half = iterate(layer, h_0, 2, mask, (lambda t, _: seen.append(t),))
        assert torch.equal(iterate(layer, half, 3, mask, (lambda t, _: seen.append(t),), start=2), whole)
    assert seen == [0, 1, 2, 3, 4, 5]
    assert padding_mask(model, None, h_0) is None
    assert iterate(layer, h_0, 0) is h_0
    with pytest.raises(ValueError, match="steps is -1"):
        iterate(layer, h_0, -1)


def test_identical_tokens_stay_identical():
    """A symmetry of the map: it has no position after h_0."""
    model = random_albert(CONFIG, "hf_default", seed=0, dtype=torch.float64)
    h = torch.randn(2, 1, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).expand(2, 6, 32)
    with torch.no_grad():
        h = iterate(shared_layer(model), h, 10)
    assert (h - h[:, :1]).abs().max() < 1e-13


def test_layers_of_a_bert_are_taken_in_their_order():
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32, vocab_size=50
    )  # fmt: skip
    model = BertModel(config).double().eval()
    ids, types = torch.tensor([[2, 7, 8, 3], [2, 9, 3, 0]]), torch.tensor([[0, 0, 1, 1], [0, 1, 1, 0]])
    layers, seen = layers_of(model), {}
    with torch.no_grad():
        h_0 = embed(model, ids, types)
        mask = padding_mask(model, (ids != 0).long(), h_0)
        states = model(
            input_ids=ids, token_type_ids=types, attention_mask=(ids != 0).long(), output_hidden_states=True
        ).hidden_states
        two = iterate(layers, h_0, 2, mask, (seen.__setitem__,))
        iterate(layers, two, 1, mask, (seen.__setitem__,), start=2)
        assert sorted(seen) == [0, 1, 2, 3]
        assert all(torch.equal(seen[t], states[t]) for t in seen)
        with pytest.raises(ValueError, match="layers 1 to 4 of an encoder that has 3"):
            iterate(layers, h_0, 4, mask)
        with pytest.raises(ValueError, match="layers 3 to 4 of an encoder that has 3"):
            iterate(layers, two, 2, mask, start=2)


def test_layers_of_an_albert_is_the_shared_one():
    model = random_albert(CONFIG, "hf_default", seed=0)
    assert layers_of(model) is shared_layer(model)
    with pytest.raises(ValueError, match="num_hidden_groups = 2"):
        layers_of(AlbertModel(AlbertConfig(**{**CONFIG.to_dict(), "num_hidden_groups": 2, "num_hidden_layers": 2})))
    small = DistilBertConfig(dim=16, n_layers=1, n_heads=2, hidden_dim=32, vocab_size=50)
    with pytest.raises(ValueError, match=r"DistilBertModel has no `encoder\.layer`"):
        layers_of(DistilBertModel(small))
