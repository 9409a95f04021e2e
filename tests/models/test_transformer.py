"""Encoders of the four types: levels, weights drawn and loaded, the span head, what is refused."""

# A module's attributes are Tensor or Module to pyright, so these rules say nothing here:
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportIndexIssue=false

import json
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForQuestionAnswering,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    ElectraConfig,
)

from models.transformer import (
    ARCHITECTURES,
    check_transformer,
    hidden_states,
    layers_of_config,
    load_reader,
    load_transformer,
    load_transformer_config,
    longest,
    n_layers,
    new_reader,
    random_transformer,
    scratch_transformer_config,
    span_logits,
    width,
)

SIZES: dict[str, Any] = {"layers": 3, "width": 16, "heads": 2, "vocab_size": 40, "positions": 20, "pad_token_id": 1}


def config_of(architecture, **change):
    return scratch_transformer_config(architecture, **{**SIZES, **change})


def batch(T: int = 9):
    ids = torch.randint(3, 40, (2, T), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    ids[1, T - 3 :], mask[1, T - 3 :] = 1, 0
    types = torch.zeros_like(ids)
    types[:, 4:] = 1
    return ids, types * mask, mask


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_head_on_the_last_level_gives_the_models_logits(architecture):
    reader = new_reader(random_transformer(config_of(architecture), 3, torch.float64), 4)
    ids, types, mask = batch()
    with torch.no_grad():
        states = hidden_states(reader.base_model, ids, types, mask)
        start, end = span_logits(reader, ids, types, mask)
        given = {"input_ids": ids, "attention_mask": mask}
        if architecture in ("albert", "bert"):
            given["token_type_ids"] = types
        last = reader.base_model(**given).last_hidden_state
    assert len(states) == 4
    assert n_layers(reader) == 3
    assert {tuple(h.shape) for h in states} == {(2, 9, 16)}
    assert width(reader) == 16
    assert torch.equal(states[-1], last)
    torch.testing.assert_close(reader.qa_outputs(states[-1]), torch.stack([start, end], dim=-1), rtol=0, atol=1e-14)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_level_zero_is_the_output_of_the_embeddings(architecture):
    model = random_transformer(config_of(architecture, **({"embedding": 8} if architecture == "albert" else {})), 3)
    ids, types, mask = batch()
    with torch.no_grad():
        h = model.embeddings(ids, token_type_ids=types) if architecture in ("albert", "bert") else model.embeddings(ids)
        if architecture == "albert":
            h = model.encoder.embedding_hidden_mapping_in(h)
        states = hidden_states(model, ids, types, mask)
    torch.testing.assert_close(states[0], h)
    assert not torch.allclose(states[0], states[1])


@pytest.mark.parametrize("architecture", ["albert", "bert"])
def test_token_types_count_where_the_model_tells_them_apart(architecture):
    model = random_transformer(config_of(architecture), 3)
    ids, types, mask = batch()
    with torch.no_grad():
        with_types, without = hidden_states(model, ids, types, mask), hidden_states(model, ids, None, mask)
    assert not torch.allclose(with_types[0], without[0])


@pytest.mark.parametrize("architecture", ["distilbert", "roberta"])
def test_token_types_are_left_out_where_there_are_none(architecture):
    model = random_transformer(config_of(architecture), 3)
    ids, types, mask = batch()
    with torch.no_grad():
        with_types, without = hidden_states(model, ids, types, mask), hidden_states(model, ids, None, mask)
    assert all(torch.equal(a, b) for a, b in zip(with_types, without, strict=True))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_longest_text_fits_and_padding_changes_nothing(architecture):
    config = config_of(architecture)
    assert longest(config) == 20
    model = random_transformer(config, 3, torch.float64)
    ids, types, mask = batch(20)
    with torch.no_grad():
        padded = hidden_states(model, ids, types, mask)[-1]
        alone = hidden_states(model, ids[1:, :17], types[1:, :17], mask[1:, :17])[-1]
        torch.testing.assert_close(padded[1:, :17], alone)
        with pytest.raises((IndexError, RuntimeError)):
            hidden_states(model, *(torch.cat([x, x[:, :1]], dim=1) for x in (ids, types, mask)))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_random_weights_come_from_the_seed_alone(architecture):
    config = config_of(architecture, width=64, vocab_size=300)
    before = torch.random.get_rng_state()
    a, again, other = (random_transformer(config, seed) for seed in (5, 5, 6))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), again.parameters(), strict=True))
    assert not torch.equal(next(a.parameters()), next(other.parameters()))
    words = a.get_input_embeddings().weight
    assert not words[1].any()
    assert float(words[2:].detach().std()) == pytest.approx(0.02 * (768 / 64) ** 0.5, rel=0.05)
    if architecture == "roberta":
        assert not a.embeddings.position_embeddings.weight[1].any()
    for name, parameter in a.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
        elif "norm" in name.lower():
            assert (parameter == 1).all(), name
    assert not any("pooler" in name for name in a.state_dict())
    assert not a.training


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_checkpoint_comes_back_with_and_without_its_head(architecture, tmp_path):
    reader = new_reader(random_transformer(config_of(architecture), 3), 4)
    reader.save_pretrained(tmp_path)
    encoder, again = load_transformer(tmp_path), load_reader(tmp_path)
    assert all(torch.equal(x, encoder.state_dict()[name]) for name, x in reader.base_model.state_dict().items())
    assert all(torch.equal(x, again.state_dict()[name]) for name, x in reader.state_dict().items())
    assert not encoder.training
    assert not again.training
    # The library itself reads it as the same model.
    theirs = AutoModelForQuestionAnswering.from_pretrained(tmp_path, trust_remote_code=False)
    assert type(theirs) is type(reader)
    encoder.save_pretrained(tmp_path / "bare")
    with pytest.raises(ValueError, match=r"bare has no span head \(qa_outputs\)"):
        load_reader(tmp_path / "bare")


def test_a_new_head_depends_on_its_seed_alone():
    encoder = random_transformer(config_of("bert"), 3)
    a, again, other = (new_reader(encoder, seed).qa_outputs.weight for seed in (4, 4, 5))
    assert torch.equal(a, again)
    assert not torch.equal(a, other)
    assert 0.07 < float(a.detach().std()) < 0.21  # 0.02 sqrt(768 / 16) is 0.139


def test_the_published_width_has_the_published_spread():
    assert config_of("bert", width=768, heads=12).initializer_range == 0.02


def test_a_pooler_is_left_out(tmp_path):
    BertModel(config_of("bert")).save_pretrained(tmp_path)
    model = load_transformer(tmp_path)
    assert model.pooler is None
    assert new_reader(model, 0).bert.pooler is None


def test_layers_of_an_inner_group_are_levels_too():
    config = config_of("albert", layers=2)
    config.inner_group_num = 2
    ids, types, mask = batch()
    with torch.no_grad():
        assert len(hidden_states(random_transformer(config, 0), ids, types, mask)) == layers_of_config(config) + 1 == 5


def test_missing_and_misshapen_weights_are_named(tmp_path):
    reader = new_reader(random_transformer(config_of("bert"), 3), 4)
    state = {name: x for name, x in reader.state_dict().items() if "layer.2.output.dense" not in name}
    reader.save_pretrained(tmp_path, state_dict=state)
    for load in (load_transformer, load_reader):
        with pytest.raises(ValueError, match=r"lacks the weights .*layer\.2\.output\.dense\.bias"):
            load(tmp_path)
    reader.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(
        (tmp_path / "config.json").read_text().replace('"hidden_size": 16', '"hidden_size": 8')
    )
    with pytest.raises(ValueError, match=r"word_embeddings\.weight.* other shapes than its config\.json says"):
        load_transformer(tmp_path)


def test_a_head_of_another_kind_is_no_span_head(tmp_path):
    config = config_of("bert")
    config.num_labels = 3
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="a head of 3 outputs, a span head has 2"):
        load_reader(tmp_path)
    assert new_reader(load_transformer(tmp_path), 0).qa_outputs.out_features == 2


def test_other_types_are_refused_with_the_four_that_are_taken(tmp_path):
    with pytest.raises(
        ValueError, match="type 'electra'; give a model of the type albert, bert, distilbert or roberta"
    ):
        check_transformer(ElectraConfig(), "x")
    ElectraConfig().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="type 'electra'"):
        load_transformer(tmp_path)
    with pytest.raises(ValueError, match="is a decoder"):
        check_transformer(BertConfig(is_decoder=True), "x")
    with pytest.raises(ValueError, match="architecture is 'gpt'"):
        config_of("gpt")
    with pytest.raises(ValueError, match="no multiple of 3 heads"):
        config_of("bert", heads=3)
    with pytest.raises(ValueError, match="only albert takes another one"):
        config_of("bert", embedding=8)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"model_type": 3}', '{"model_type": "bert", "hidden_size": "x"}', "{}"]
)
def test_a_bad_configuration_is_one_error(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match="cannot read the configuration of"):
        load_transformer_config(tmp_path)


def test_code_of_a_models_own_never_runs(tmp_path):
    config = {"auto_map": {"AutoConfig": "mine.Config"}, "model_type": "mine"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "mine.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ValueError, match="wants to run Python code of its own"):
        load_transformer(tmp_path)
