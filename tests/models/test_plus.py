"""PLUS-TFM: its norm, its padding, its dropout, what its weights depend on, and checkpoints that do not fit."""

import dataclasses
import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.plus import (
    Plus,
    PlusConfig,
    load_plus,
    plus_attention_maps,
    plus_levels,
    random_plus,
    read_plus_config,
    save_plus,
)
from models.plus_network import Norm
from tests.payload import Payload

TINY = PlusConfig(layers=2, width=16, heads=2, intermediate=32, max_length=12)
TOKENS = torch.tensor([[23, 5, 6, 7, 24, 0, 0], [23, 1, 2, 3, 4, 20, 24]])
MASK = TOKENS > 0


@pytest.fixture
def model():
    return random_plus(TINY, 0, torch.float64)


@pytest.fixture
def saved(tmp_path):
    save_plus(random_plus(TINY, 0), tmp_path)
    return tmp_path


def test_the_published_sizes():
    with torch.device("meta"):
        model = Plus(PlusConfig())
    assert sum(parameter.numel() for parameter in model.parameters()) == 85_669_658
    assert len(model.state_dict()) == 205


def test_the_norm_takes_the_root_of_the_deviation():
    norm = Norm(8).double()
    x = torch.randn(3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    deviation = (x - x.mean(-1, keepdim=True)).square().sum(-1, keepdim=True).div(7).sqrt()
    assert torch.allclose(norm(x), (x - x.mean(-1, keepdim=True)) / deviation.sqrt(), atol=1e-11)
    # So what is four times as wide leaves twice as wide, where LayerNorm would give the same.
    assert torch.allclose(norm(4 * x), 2 * norm(x), atol=1e-10)


def test_padding_changes_nothing_before_it(model):
    with torch.no_grad():
        whole = plus_levels(model, TOKENS, None, MASK)
        alone = plus_levels(model, TOKENS[:1, :5], None, MASK[:1, :5])
    for state, short in zip(whole, alone, strict=True):
        assert torch.allclose(state[:1, :5], short, atol=1e-12)


def test_attention_is_the_softmax_that_the_states_are_made_of(model):
    with torch.no_grad():
        levels = plus_levels(model, TOKENS, None, MASK)
        maps = plus_attention_maps(model, TOKENS, None, MASK.long())
        block = model.transformer.blocks[1]
        assert torch.allclose(maps[1].sum(-1), torch.ones(2, 2, 7, dtype=torch.float64))
        assert maps[1][0, :, :, 5:].abs().max() == 0
        mixed = (maps[1] @ block.attn.split(block.attn.proj_v(levels[1]))).transpose(1, 2).flatten(2)
        h = block.norm1(levels[1] + block.proj(mixed))
        assert torch.allclose(block.norm2(h + block.pwff(h)), levels[2], atol=1e-12)


def test_maps_have_dropout_in_training_as_the_published_module_keeps_them():
    model = random_plus(TINY, 1)
    with torch.no_grad():
        whole = plus_attention_maps(model, TOKENS, None, MASK.long())[0]
        torch.manual_seed(0)
        dropped = plus_attention_maps(model.train(), TOKENS, None, MASK.long())[0]
    assert (whole[:, :, :, 0] > 0).all()
    assert 0.02 < float((dropped[:, :, :, 0] == 0).float().mean()) < 0.5
    assert not torch.allclose(dropped.sum(-1), torch.ones(()))


def test_segments_and_positions_count(model):
    with torch.no_grad():
        plain = plus_levels(model, TOKENS, None, MASK)
        zeros = plus_levels(model, TOKENS, torch.zeros_like(TOKENS), MASK)
        ones = plus_levels(model, TOKENS, torch.ones_like(TOKENS), MASK)
    assert torch.equal(plain[-1], zeros[-1])
    assert not torch.allclose(plain[-1], ones[-1])
    pe = model.transformer.embed.pos_embed.pe[0]
    assert pe.shape == (15, 16)
    angle = 3 * 10_000.0 ** (-torch.arange(0, 16, 2, dtype=torch.float64) / 16)
    assert torch.allclose(pe[3, 0::2], angle.sin(), atol=1e-6)
    assert torch.allclose(pe[3, 1::2], angle.cos(), atol=1e-6)


def test_heads(model):
    with torch.no_grad():
        last = plus_levels(model, TOKENS, None, MASK)[-1]
        assert model.masked_lm_logits(last).shape == (2, 7, 25)
        assert model.masked_lm_logits(last[MASK]).shape == (12, 25)
        assert model.class_logits(last).shape == (2, 1)
        assert torch.allclose(model.class_logits(last, every_position=True)[:, 0], model.class_logits(last), atol=1e-12)
    assert model.decoder.weight is model.transformer.embed.tok_embed.weight


def test_dropout_acts_in_training_alone(model):
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        still = plus_levels(model, TOKENS, None, MASK)[-1]
        assert torch.equal(still, plus_levels(model, TOKENS, None, MASK)[-1])
        model.train()
        assert not torch.allclose(still, plus_levels(model, TOKENS, None, MASK)[-1])


def test_random_weights_depend_on_sizes_and_seed_alone():
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first, again, other = random_plus(TINY, 3), random_plus(TINY, 3, torch.float64), random_plus(TINY, 4)
    assert torch.equal(state, torch.random.get_rng_state())
    for (name, a), (_, b), (_, c) in zip(*(m.named_parameters() for m in (first, again, other)), strict=True):
        assert torch.equal(a.double(), b), name
        assert torch.equal(a, c) == (name.endswith(("gamma", "beta")) or name == "decoder_bias"), name
    assert not first.training
    weights = dict(first.named_parameters())
    assert 0.9 * 32**-0.5 < weights["transformer.blocks.0.pwff.fc2.weight"].abs().max() <= 32**-0.5
    assert weights["transformer.blocks.0.pwff.fc2.bias"].abs().max() > 0
    assert float(first.transformer.embed.tok_embed.weight.detach().std()) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("config", [TINY, dataclasses.replace(TINY, learned_positions=True, outputs=10, width=18)])
def test_saved_and_loaded_again(config, tmp_path):
    model = random_plus(config, 1)
    save_plus(model, tmp_path)
    again = load_plus(tmp_path)
    assert again.config == config == read_plus_config(tmp_path)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())
    assert again.decoder.weight is again.transformer.embed.tok_embed.weight
    assert not again.training
    assert load_plus(tmp_path, torch.float64).decoder_bias.dtype == torch.float64


def test_sizes_of_the_published_form_are_read_off_its_shapes(tmp_path):
    config = PlusConfig(layers=2, width=128, heads=2, intermediate=40, max_length=9, outputs=3)
    model = random_plus(config, 0)
    torch.save(model.state_dict(), tmp_path / "PLUS-TFM.pt")
    assert load_plus(tmp_path / "PLUS-TFM.pt", pickled=True).config == config
    learned = random_plus(dataclasses.replace(config, learned_positions=True), 0)
    torch.save(learned.state_dict(), tmp_path / "learned.pt")
    assert load_plus(tmp_path / "learned.pt", pickled=True).config == learned.config
    torch.save(random_plus(TINY, 0).state_dict(), tmp_path / "narrow.pt")
    with pytest.raises(ValueError, match="16 wide, which is not a number of heads 64 wide"):
        load_plus(tmp_path / "narrow.pt", pickled=True)


def test_a_pickle_is_read_only_if_allowed_and_never_run(tmp_path):
    path, mark = tmp_path / "PLUS-TFM.pt", tmp_path / "mark"
    torch.save(random_plus(TINY, 0).state_dict(), path)
    with pytest.raises(ValueError, match="is a pickle, which could run code; --pickled-weights"):
        load_plus(path)
    torch.save({"weights": Payload(mark)}, path)
    with pytest.raises(ValueError, match="more than tensors"):
        load_plus(path, pickled=True)
    assert not mark.exists()
    path.write_bytes(b"no checkpoint")
    with pytest.raises(ValueError, match=r"PLUS-TFM\.pt"):
        load_plus(path, pickled=True)
    torch.save({"epoch": 3}, path)
    with pytest.raises(ValueError, match="not a plain table of tensors"):
        load_plus(path, pickled=True)
    with pytest.raises(ValueError, match="no such file or directory"):
        load_plus(tmp_path / "absent.pt", pickled=True)


def edited(place, change):
    state = load_file(place / "model.safetensors")
    change(state)
    save_file(state, place / "model.safetensors")


NORM = "transformer.blocks.1.norm2.gamma"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop(NORM), rf"lacks the weights {NORM}; save the whole model"),
        (lambda s: s.update({"transformer.extra": torch.zeros(1)}), "no place for: transformer.extra"),
        (lambda s: s.update({NORM: torch.zeros(17)}), rf"wrong shapes: {NORM} \[17\] instead of \[16\]"),
        (lambda s: s.update({"decoder.weight": torch.zeros(25, 16)}), "decoder.weight and .* differ"),
    ],
)
def test_weights_that_are_missing_left_over_or_of_other_shapes_are_named(saved, change, message):
    edited(saved, change)
    with pytest.raises(ValueError, match=message):
        load_plus(saved)


def test_a_class_head_of_another_form_is_left_out(saved):
    wanted = load_plus(saved).state_dict()
    edited(saved, lambda s: s.update({"cls.weight": torch.ones(7, 16), "cls.bias": torch.ones(7)}))
    model = load_plus(saved)
    assert model.cls.weight.abs().max() == 0
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in wanted.items() if not k.startswith("cls"))
    edited(saved, lambda s: [s.pop(name) for name in ("cls.weight", "cls.bias")])
    assert load_plus(saved).cls.bias.abs().max() == 0


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "no JSON"),
        ('{"model_type": "bert"}', "model_type is 'bert', not 'plus_tfm'"),
        ('{"model_type": "plus_tfm", "depth": 3}', "unknown fields depth"),
        ('{"model_type": "plus_tfm", "width": "wide"}', "width is 'wide', expected int"),
        ('{"model_type": "plus_tfm", "layers": true}', "layers is True"),
        ('{"model_type": "plus_tfm", "heads": 7}', "heads is 7; give a number that divides the width 768"),
        ("[]", "model_type is None"),
        (None, "No such file"),
    ],
)
def test_a_configuration_that_cannot_be(saved, config, message):
    (saved / "config.json").unlink()
    if config is not None:
        (saved / "config.json").write_text(config)
    with pytest.raises(ValueError, match=message) as problem:
        load_plus(saved)
    assert "config.json" in str(problem.value)


def test_weights_of_other_sizes_than_the_configuration(saved):
    config = json.loads((saved / "config.json").read_text()) | {"layers": 3}
    (saved / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"lacks the weights transformer\.blocks\.2\.attn\.proj_k\.bias.* and 8 more"):
        load_plus(saved)


def test_a_sequence_longer_than_the_model(model):
    tokens = torch.ones(1, 13, dtype=torch.long)
    for run in (plus_levels, plus_attention_maps):
        with pytest.raises(ValueError, match="sequences of 13 tokens; the model takes 12"):
            run(model, tokens, None, tokens > 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": 0}, "layers is 0; give 1 or more"),
        ({"heads": 3}, "heads is 3; give a number that divides the width 16"),
        ({"width": 15, "heads": 3}, "width is 15; give an even one"),
        ({"dropout": 1.0}, "dropout is 1.0"),
    ],
)
def test_sizes_that_cannot_be(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TINY, **change)
