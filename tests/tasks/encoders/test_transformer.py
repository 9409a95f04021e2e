"""Which encoder of the BERT family a job works on, and loading it checked against the plan."""

import dataclasses
from typing import Any

import pytest
import torch

from models.checkpoints import directory_revision
from models.transformer import new_reader, random_transformer, scratch_transformer_config
from orchestrator.experiment import Context
from tasks.encoders.transformer import TransformerParams
from tasks.encoders.transformer_loading import load_reader_here, load_transformer_here
from tasks.training.seeds import stream_seed

SCRATCH = TransformerParams(
    model="scratch", encoder="random", encoder_seed=3, architecture="bert", layers=2, width=16, heads=2, tokenizer="t"
)
TOKENS: dict[str, Any] = {"vocab_size": 40, "pad_token_id": 0, "longest": 12}


@pytest.fixture(scope="module", params=["albert", "bert", "distilbert", "roberta"])
def checkpoint(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("models") / f"tiny-{request.param}"
    config = scratch_transformer_config(request.param, layers=2, width=16, heads=2, vocab_size=40, positions=12)
    new_reader(random_transformer(config, 7), 8).save_pretrained(directory)
    return directory


def given(directory, **change) -> tuple[TransformerParams, Context]:
    fields = {"model": directory.name, "revision": directory_revision(directory), "encoder": "pretrained"}
    params = TransformerParams(**{**fields, "tokenizer": "t", **change})  # pyright: ignore[reportArgumentType]
    return params, Context(paths={"model": str(directory)})


def test_a_checkpoint_is_loaded_in_the_planned_precision(checkpoint):
    params, context = given(checkpoint, dtype="float64")
    model = load_transformer_here(params, context, **TOKENS)
    assert model.dtype == torch.float64
    reader = load_reader_here(dataclasses.replace(params, encoder="finetuned"), context, **TOKENS)
    expected = model.state_dict()
    assert all(torch.equal(x, expected[name]) for name, x in reader.base_model.state_dict().items())


def test_a_random_twin_has_the_checkpoints_shape(checkpoint):
    params, context = given(checkpoint)
    pretrained = load_transformer_here(params, context, **TOKENS)
    a, b = (
        load_transformer_here(given(checkpoint, encoder="random", encoder_seed=s)[0], context, **TOKENS) for s in (0, 1)
    )
    assert {n: p.shape for n, p in a.named_parameters()} == {n: p.shape for n, p in pretrained.named_parameters()}
    assert not torch.equal(next(a.parameters()), next(b.parameters()))


def test_what_a_job_trained_is_read_from_its_artifact(checkpoint):
    params, context = given(checkpoint)
    made = dataclasses.replace(params, encoder="finetuned", revision="job-0123", encoder_seed=42)
    expected = load_transformer_here(params, context, **TOKENS).state_dict()
    found = load_transformer_here(made, Context(needs={"model": checkpoint}), **TOKENS).state_dict()
    assert all(torch.equal(x, found[name]) for name, x in expected.items())
    with pytest.raises(ValueError, match=r'context\.needs has no "model"; plan the job that trains it'):
        load_reader_here(made, Context(), **TOKENS)


def test_a_scratch_model_has_the_given_sizes_and_enough_positions():
    model = load_transformer_here(SCRATCH, Context(), **{**TOKENS, "longest": 600})
    assert model.config.max_position_embeddings == 600
    assert (model.config.hidden_size, model.config.num_hidden_layers, model.config.vocab_size) == (16, 2, 40)
    again = random_transformer(model.config, stream_seed(3, "encoder"))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    with pytest.raises(ValueError, match="random weights have no span head"):
        load_reader_here(SCRATCH, Context(), **TOKENS)


def test_tokens_that_do_not_fit_are_refused_with_both_numbers(checkpoint):
    params, context = given(checkpoint)
    with pytest.raises(ValueError, match=rf"need 41 ids, {checkpoint.name} has 40; give its tokenizer"):
        load_transformer_here(params, context, **{**TOKENS, "vocab_size": 41})
    with pytest.raises(ValueError, match=rf"has 13 tokens, {checkpoint.name} has 12 positions; give a smaller length"):
        load_transformer_here(params, context, **{**TOKENS, "longest": 13})
    if "roberta" in checkpoint.name:
        with pytest.raises(ValueError, match="padded with 5, tiny-roberta with 0"):
            load_transformer_here(params, context, **{**TOKENS, "pad_token_id": 5})


def test_weights_that_changed_since_the_plan_are_refused(checkpoint):
    params, context = given(checkpoint, revision="0123456789abcdef")
    with pytest.raises(ValueError, match="planned was 0123456789abcdef; start the sweep anew"):
        load_transformer_here(params, context, **TOKENS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder": "pretrained", "encoder_seed": None}, "encoder is 'pretrained': give random or finetuned"),
        ({"width": None}, "width is None: give a number iff the model is scratch"),
        ({"layers": 0}, "layers is 0"),
        ({"encoder_seed": None}, "encoder-seed is None"),
        ({"model": "x", "revision": "1"}, "architecture is 'bert'"),
        ({"checkpoint": "y"}, "checkpoint is 'y'"),
        ({"revision": "job-1"}, "revision is 'job-1': give a job's iff finetuned"),
    ],
)
def test_parameters_that_make_no_encoder_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SCRATCH, **change)
