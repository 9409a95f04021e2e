"""Encoders of every type that AutoModel loads: levels, maps, what is drawn, and checkpoints that are refused."""

# A module's attributes are Tensor or Module to pyright, so these rules say nothing here:
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportIndexIssue=false

import json
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, DebertaV2Config, ElectraConfig, GPT2Config, ModernBertConfig, ViTConfig

from models.any_encoder import (
    attention_maps,
    check_encoder,
    hidden_states,
    load_any,
    load_classifier,
    positions,
    random_any,
    random_classifier,
)
from models.transformer import ARCHITECTURES, scratch_transformer_config

VOCAB = 40
SIZES: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 20,
    "pad_token_id": 1,
}
OTHERS = {
    "electra": ElectraConfig(**SIZES, embedding_size=8),
    "deberta-v2": DebertaV2Config(**SIZES),
    "modernbert": ModernBertConfig(**SIZES, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3),
}
TYPES = (*ARCHITECTURES, *OTHERS)
ROUNDING = {"modernbert": 1e-6}  # its eager softmax is computed in float32, whatever the precision of the rest


def config_of(kind: str):
    if kind in OTHERS:
        return OTHERS[kind]
    return scratch_transformer_config(kind, layers=2, width=16, heads=2, vocab_size=VOCAB, positions=20, pad_token_id=1)


def batch(T: int = 9):
    """Two texts, the second with three tokens of padding."""
    ids = torch.randint(4, VOCAB, (2, T), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    ids[1, T - 3 :], mask[1, T - 3 :] = 1, 0
    types = torch.zeros_like(ids)
    types[:, 4:] = 1
    return ids, types * mask, mask


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def checkpoint(tmp_path):
    """Writes a tiny BERT classifier with a pooler, as published ones are, and returns its directory."""

    def write(outputs: int = 3):
        random_classifier(config_of("bert"), outputs, 3).save_pretrained(tmp_path)
        return tmp_path

    return write


def change_weights(directory, change):
    """Apply a function to the tensors of a checkpoint."""
    path = directory / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


@pytest.mark.parametrize("kind", TYPES)
def test_levels_are_the_embeddings_and_the_state_after_every_layer(kind):
    model = random_any(config_of(kind), 1, torch.float64)
    ids, types, mask = batch()
    seen = []
    with torch.no_grad():
        found = hidden_states(model, ids, types, mask)
        given = {"input_ids": ids, "attention_mask": mask}
        if kind in ("albert", "bert", "electra", "deberta-v2"):
            given["token_type_ids"] = types
        last = model(**given).last_hidden_state
        hook = model.embeddings.register_forward_hook(lambda module, inputs, output: seen.append(output))
        hidden_states(model, ids, types, mask)
        hook.remove()
        first = seen[0]
        if kind == "albert":
            first = model.encoder.embedding_hidden_mapping_in(first)
        if kind == "electra":
            first = model.embeddings_project(first)
    assert len(found) == 3
    assert {tuple(h.shape) for h in found} == {(2, 9, 16)}
    torch.testing.assert_close(found[0], first, rtol=0, atol=1e-14)
    torch.testing.assert_close(found[-1], last, rtol=0, atol=1e-14)
    assert not torch.allclose(found[0], found[1])


@pytest.mark.parametrize("kind", TYPES)
def test_eager_and_fused_attention_agree_on_what_is_no_padding(kind):
    ids, types, mask = batch()
    with torch.no_grad():
        eager, fused = (
            hidden_states(random_any(config_of(kind), 1, torch.float64, attention), ids, types, mask)
            for attention in ("eager", "fused")
        )
    for one, other in zip(eager, fused, strict=True):
        torch.testing.assert_close(one[mask.bool()], other[mask.bool()], rtol=0, atol=ROUNDING.get(kind, 1e-12))


@pytest.mark.parametrize("kind", TYPES)
def test_attention_maps_are_distributions_over_what_is_no_padding(kind):
    model = random_any(config_of(kind), 1, torch.float64, "eager")
    ids, types, mask = batch()
    with torch.no_grad():
        maps = attention_maps(model, ids, types, mask)
    assert len(maps) == 2
    for layer in maps:
        assert layer.shape == (2, 2, 9, 9)
        rows = layer.transpose(1, 2)[mask.bool()]  # [valid queries, heads, keys]
        atol = ROUNDING.get(kind, 1e-12)
        torch.testing.assert_close(rows.sum(-1), torch.ones_like(rows[..., 0]), rtol=0, atol=atol)
        assert float(layer[1, :, :6, 6:].abs().max()) == 0


@pytest.mark.parametrize("kind", TYPES)
def test_random_weights_depend_on_the_seed_alone_and_leave_the_random_state(kind):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one = weights(random_any(config_of(kind), 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    assert same(one, weights(random_any(config_of(kind), 1)))
    assert not same(one, weights(random_any(config_of(kind), 2)))
    double = weights(random_any(config_of(kind), 1, torch.float64))
    assert all(torch.equal(double[name], one[name].to(double[name].dtype)) for name in one)


@pytest.mark.parametrize("kind", TYPES)
def test_a_checkpoint_comes_back_whatever_head_it_was_saved_with(kind, tmp_path):
    saved = random_classifier(config_of(kind), 3, 7)
    saved.save_pretrained(tmp_path)
    ids, types, mask = batch()
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    loaded = load_any(tmp_path, dtype=torch.float64)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not loaded.training
    with torch.no_grad():
        expected, found = (
            hidden_states(saved.base_model.double(), ids, types, mask),
            hidden_states(loaded, ids, types, mask),
        )
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_a_new_classifier_is_drawn_from_its_seed_alone(kind, tmp_path):
    encoder = random_any(config_of(kind), 7)
    encoder.save_pretrained(tmp_path)  # without a pooler, which the classifiers of two types then lack too
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one = load_classifier(tmp_path, 3, 11)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    again, other = load_classifier(tmp_path, 3, 11), load_classifier(tmp_path, 3, 12)
    assert same(weights(one), weights(again))
    inner = {f"{one.base_model_prefix}.{name}" for name in encoder.state_dict()}
    drawn = [name for name in one.state_dict() if name not in inner]
    assert drawn
    for name in drawn:
        value = one.state_dict()[name]
        if name.endswith("bias"):
            assert not value.any()
        else:
            assert float(value.std()) == pytest.approx(one.config.initializer_range, rel=0.35), name
            assert not torch.equal(value, other.state_dict()[name])
    for name in inner & set(one.state_dict()):
        assert torch.equal(one.state_dict()[name], encoder.state_dict()[name.removeprefix(f"{one.base_model_prefix}.")])
    ids, _, mask = batch()
    with torch.no_grad():
        assert one(input_ids=ids, attention_mask=mask).logits.shape == (2, 3)


def test_a_checkpoints_own_head_is_replaced_and_its_pooler_kept(checkpoint):
    saved = load_file(checkpoint(outputs=3) / "model.safetensors")
    for outputs in (3, 1):
        model = load_classifier(checkpoint(), outputs, 11)
        assert torch.equal(model.bert.pooler.dense.weight, saved["bert.pooler.dense.weight"])
        assert model.classifier.weight.shape == (outputs, 16)
    assert not torch.equal(load_classifier(checkpoint(), 3, 11).classifier.weight, saved["classifier.weight"])


def test_weights_that_are_missing_are_named(checkpoint):
    directory = checkpoint()
    change_weights(directory, lambda tensors: tensors.pop("bert.encoder.layer.1.output.dense.weight"))
    for load in (load_any, lambda place: load_classifier(place, 3, 0)):
        with pytest.raises(ValueError, match=r"lacks the weights .*layer\.1\.output\.dense\.weight; save the whole"):
            load(directory)


def test_weights_that_are_left_over_inside_the_encoder_are_named(checkpoint):
    directory = checkpoint()
    change_weights(directory, lambda t: t.update({"bert.encoder.layer.2.output.dense.weight": torch.zeros(16, 32)}))
    for load in (load_any, lambda place: load_classifier(place, 3, 0)):
        with pytest.raises(ValueError, match=r"no place for: .*layer\.2\.output\.dense\.weight; give the right one"):
            load(directory)
    directory = checkpoint()
    change_weights(directory, lambda t: t.update({"cls.predictions.bias": torch.zeros(VOCAB)}))
    assert not load_any(directory).training  # a head of another task is no fault


def test_weights_of_another_shape_are_named(checkpoint):
    directory = checkpoint()
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | {"intermediate_size": 24}))
    for load in (load_any, lambda place: load_classifier(place, 3, 0)):
        with pytest.raises(
            ValueError, match=r"intermediate\.dense\.\w+.* have other shapes than its config\.json says"
        ):
            load(directory)


def test_what_is_no_checkpoint_of_an_encoder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="cannot read the configuration"):
        load_any(tmp_path)
    with pytest.raises(ValueError, match="has a decoder; give an encoder"):
        check_encoder(GPT2Config(is_decoder=True), "mine")
    with pytest.raises(ValueError, match="type 'vit', which is no encoder of tokens"):
        random_any(ViTConfig(), 0)
    random_any(config_of("bert"), 0).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="cannot load the weights"):
        load_any(tmp_path)


@pytest.mark.parametrize("kind", TYPES)
def test_as_many_positions_as_are_said_can_be_read(kind):
    config = config_of(kind)
    T = positions(config)
    assert 18 <= T <= 20
    ids = torch.full((1, T), 5)
    with torch.no_grad():
        assert torch.isfinite(hidden_states(random_any(config, 0), ids, None, torch.ones_like(ids))[-1]).all()


def test_the_library_knows_the_types_that_are_tested():
    assert all(type(config) in AutoModel._model_mapping for config in OTHERS.values())
