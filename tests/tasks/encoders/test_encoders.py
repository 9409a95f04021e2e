"""Which encoder a job works on: options, parameters, the plan's encoders, and loading them."""

import dataclasses
from typing import Any

import pytest
import torch

from models.checkpoints import directory_revision
from orchestrator.experiment import Context
from tasks.encoders.loading import load_encoder
from tasks.encoders.options import QUICK_SMALL, EncoderOptions
from tasks.encoders.params import EncoderParams
from tasks.encoders.plan import planned_encoders
from tests.parity.tiny_albert import tiny_albert

SCRATCH: dict[str, Any] = {
    "model": "scratch", "encoder": "random", "init_style": "hf_default", "encoder_seed": 3, "width": 32, "heads": 4,
    "tokenizer": "fake",
}  # fmt: skip
TOKENS: dict[str, Any] = {"vocab_size": 50, "pad_token_id": 0, "longest": 8}


def small_options(**change) -> EncoderOptions:
    return EncoderOptions(**{**QUICK_SMALL, "pretrain_corpus": "builtin", **change})


def test_the_plan_names_every_encoder_once():
    options = small_options(init_styles=("hf_default", "keras", "glue_legacy"), encoder_seeds=(0, 1))
    found = planned_encoders(options)
    assert len(found) == 1 + 3 * 2
    params = [EncoderParams(**encoder.params, tokenizer="t") for encoder in found]
    assert len(set(params)) == len(params)
    assert params[0].is_small
    assert params[0].init_range is None
    # The range goes with the styles that have one; that of the published ones is their own.
    assert {(p.init_style, p.init_range) for p in params[1:]} == {
        ("hf_default", 0.0566), ("keras", 0.0566), ("glue_legacy", None),
    }  # fmt: skip
    assert len({encoder.needs["model"].id for encoder in found}) == 1


def test_a_checkpoint_is_known_by_its_content(tmp_path):
    tiny_albert().save_pretrained(tmp_path / "small")  # the name is no model of ours, since it has a revision
    found = planned_encoders(EncoderOptions(model=str(tmp_path / "small"), encoder_seeds=(0,)))
    assert [encoder.params["revision"] for encoder in found] == [directory_revision(tmp_path / "small")] * 2
    assert [encoder.paths for encoder in found] == [{"model": str(tmp_path / "small")}] * 2
    params = EncoderParams(**found[0].params, tokenizer="t", dtype="float64")
    assert not params.is_small
    model = load_encoder(params, Context(paths=found[0].paths), **TOKENS)
    expected = tiny_albert().state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in model.state_dict().items())


def test_a_random_twin_has_the_checkpoints_shape_and_its_own_weights(tmp_path):
    tiny_albert().save_pretrained(tmp_path / "tiny")
    context = Context(paths={"model": str(tmp_path / "tiny")})
    given: dict[str, Any] = {
        "model": "tiny", "revision": directory_revision(tmp_path / "tiny"), "encoder": "random", "tokenizer": "t",
        "init_style": "hf_default",
    }  # fmt: skip
    a, b = (load_encoder(EncoderParams(**given, encoder_seed=seed), context, **TOKENS) for seed in (0, 1))
    assert [p.shape for p in a.parameters()] == [p.shape for p in tiny_albert().parameters()]
    assert not torch.equal(next(a.parameters()), next(b.parameters()))
    again = load_encoder(EncoderParams(**given, encoder_seed=0), context, **TOKENS)
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), again.parameters(), strict=True))


def test_the_pooler_may_be_missing_where_it_is_not_used(tmp_path):
    model = tiny_albert()
    model.pooler = None
    model.save_pretrained(tmp_path / "bare")
    given: dict[str, Any] = {
        "model": "bare",
        "revision": directory_revision(tmp_path / "bare"),
        "encoder": "pretrained",
    }
    params = EncoderParams(**given, tokenizer="t")
    context = Context(paths={"model": str(tmp_path / "bare")})
    assert load_encoder(params, context, **TOKENS, pooler=False).pooler is None
    with pytest.raises(ValueError, match="lacks the weights pooler"):
        load_encoder(params, context, **TOKENS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": 2}, "num_hidden_groups"),
        ({"inner_group_num": 2}, "inner_group_num"),
        ({"hidden_dropout_prob": 0.1}, "hidden_dropout_prob"),
    ],
)
def test_an_encoder_whose_layers_are_not_shared_is_refused(tmp_path, change, message):
    model = tiny_albert()
    if "layers" in change:
        model.config.num_hidden_groups = 2
    else:
        model.config.update(change)
    model.save_pretrained(tmp_path / "odd")
    given: dict[str, Any] = {"model": "odd", "revision": directory_revision(tmp_path / "odd"), "encoder": "pretrained"}
    with pytest.raises(ValueError, match=message):
        load_encoder(EncoderParams(**given, tokenizer="t"), Context(paths={"model": str(tmp_path / "odd")}), **TOKENS)


def test_weights_that_changed_since_the_plan_are_refused(tmp_path):
    tiny_albert().save_pretrained(tmp_path / "tiny")
    params = EncoderParams(model="tiny", revision="0123456789abcdef", encoder="pretrained", tokenizer="t")
    with pytest.raises(ValueError, match="planned was 0123456789abcdef"):
        load_encoder(params, Context(paths={"model": str(tmp_path / "tiny")}), **TOKENS)


def test_the_small_model_needs_its_job():
    encoder = planned_encoders(small_options(encoders=("pretrained",)))[0]
    with pytest.raises(ValueError, match=r'context\.needs has no "model"'):
        load_encoder(EncoderParams(**encoder.params, tokenizer="t"), Context(), **TOKENS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder": "pretrained", "encoder_seed": None}, "random with model scratch"),
        ({"encoder_seed": None}, "a seed iff random"),
        ({"init_style": None}, "how weights are drawn"),
        ({"init_style": "mlm_legacy", "init_range": 0.1}, "init-range is 0.1: give none"),
        ({"width": None}, "width"),
        ({"heads": 0}, "heads"),
    ],
)
def test_parameters_are_checked(change, message):
    with pytest.raises(ValueError, match=message):
        EncoderParams(**{**SCRATCH, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokenizer": None}, "tokenizer is None: give a directory"),
        ({"encoders": ()}, "encoders is empty"),
        ({"encoder_seeds": (1, 1)}, "encoder-seeds has 1 twice"),
        ({"pretrain_steps": 0}, "pretrain-steps is 0"),
        ({"init_range": -1.0}, "init-range is -1.0"),
    ],
)
def test_options_are_checked(change, message):
    with pytest.raises(ValueError, match=message):
        small_options(**change)


def test_text_longer_than_the_small_models_positions_is_refused():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Config(EncoderOptions):
        max_length: int = 33

    with pytest.raises(ValueError, match="max-length is 33: give at most 32, the positions"):
        Config(**QUICK_SMALL).check_length("max_length", ("small",))
    with pytest.raises(ValueError, match="needs text"):
        planned_encoders(small_options(pretrain_corpus=None))
