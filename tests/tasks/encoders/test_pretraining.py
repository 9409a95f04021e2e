"""The small ALBERT: what it writes, that it learns, that it depends on its parameters alone, and what stops it."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AlbertForMaskedLM

from models.albert import shared_layer
from models.mlm_head import load_mlm_head
from orchestrator.experiment import Context, Job
from tasks.data.blocks import blocks_job
from tasks.data.masking import Masking
from tasks.encoders.loading import load_encoder
from tasks.encoders.params import JOB, EncoderParams
from tasks.encoders.pretraining import pretrain_report, pretrain_small, sinusoids, small_model
from tasks.encoders.small import PretrainParams, pretrain_job
from tests.tasks.transient_chaos.mlm_depth.conftest import write_blocks

PARAMS = PretrainParams(
    corpus="made", tokenizer="made", length=16, depth=2, width=32, heads=2, embedding=16, steps=150, warmup=15,
    batch_size=16, learning_rate=3e-3, mask_ratio=0.2,
)  # fmt: skip


@pytest.fixture(scope="module")
def blocks(tmp_path_factory):
    return write_blocks(tmp_path_factory.mktemp("pretraining") / "blocks", train=600, test=60, steps=1)


@pytest.fixture(scope="module")
def trained(blocks, tmp_path_factory):
    place = tmp_path_factory.mktemp("small")
    return place, pd.DataFrame(run(PARAMS, blocks, place))


def run(params, blocks, place):
    assert pretrain_small(params, Context(needs={"blocks": blocks}, artifact=place)) == {}
    return pretrain_report(params, Context(needs={"model": place}))["pretraining"]


def test_it_names_hidden_tokens_better_than_guessing(trained):
    _, rows = trained
    last = rows[rows["step"] == 150].set_index("metric")["value"]
    # A block is one token again and again, so the others of its block tell a hidden one; guessing names one of 85.
    assert last["guess_accuracy"] < 0.1
    assert last["test_accuracy"] > 0.5
    loss = rows[rows["metric"] == "loss"]["value"].to_numpy()
    assert len(loss) == 100
    assert loss[-5:].mean() < loss[:5].mean() - 0.5
    assert not rows.duplicated(["step", "metric"]).any()


def test_its_checkpoint_is_one_of_the_library(trained, blocks):
    place, _ = trained
    assert {p.name for p in place.iterdir()} >= {"config.json", "model.safetensors"}
    model = AlbertForMaskedLM.from_pretrained(place, trust_remote_code=False, use_safetensors=True)
    assert model.config.num_hidden_layers == 2
    assert model.config.max_position_embeddings == 16
    head = load_mlm_head(place)
    assert torch.equal(head.dense, model.predictions.dense.weight)
    assert head.bias.abs().max() > 0
    params = EncoderParams(model="small", revision=f"{JOB}0123", encoder="pretrained", tokenizer="made")
    context = Context(needs={"model": place})
    encoder = load_encoder(params, context, vocab_size=90, pad_token_id=0, longest=16, pooler=False)
    ids = torch.arange(2, 18)[None]
    with torch.no_grad():
        encoder.config.num_hidden_layers = 2
        assert torch.equal(encoder(input_ids=ids).last_hidden_state, model.albert(input_ids=ids).last_hidden_state)
    with pytest.raises(ValueError, match="17 tokens, small has 16 positions"):
        load_encoder(params, context, vocab_size=90, pad_token_id=0, longest=17, pooler=False)


def test_the_same_parameters_give_the_same_rows(blocks, tmp_path):
    short = dataclasses.replace(PARAMS, steps=4, warmup=0)
    first, again, other = (
        run(dataclasses.replace(short, seed=seed), blocks, tmp_path / name)
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert first == again
    assert first != other


def test_the_first_weights_suit_the_width():
    masking = Masking(vocab_size=90, mask_id=4, special_ids=(0, 1, 2, 3, 4), pad_id=0)
    model = small_model(PARAMS, masking)
    weight = shared_layer(model.albert).ffn.weight.detach()
    assert float(weight.std()) == pytest.approx(0.02 * (1024 / 32) ** 0.5, rel=0.05)
    positions = model.albert.embeddings.position_embeddings.weight.detach()
    words = model.albert.embeddings.word_embeddings.weight.detach()
    assert float(positions.square().mean()) == pytest.approx(float(words[1:].square().mean()), rel=0.15)


def test_a_shift_of_sinusoids_is_one_rotation():
    table = sinusoids(20, 6).double()
    products = table @ table.T
    for shift in range(20):
        assert np.ptp(products.diagonal(shift).numpy()) < 1e-5


def test_a_loss_that_is_not_finite_says_its_step(blocks, tmp_path):
    wild = dataclasses.replace(PARAMS, learning_rate=1e30, warmup=0, clip=0.0, steps=20)
    with pytest.raises(ValueError, match=r"the loss is (nan|inf) at step \d+ of 20; give a lower learning rate"):
        run(wild, blocks, tmp_path)


def test_what_is_missing_is_said(blocks, tmp_path):
    with pytest.raises(ValueError, match="an empty directory"):
        pretrain_small(PARAMS, Context(needs={"blocks": blocks}))
    with pytest.raises(ValueError, match="plan a blocks job"):
        pretrain_small(PARAMS, Context(artifact=tmp_path))
    with pytest.raises(ValueError, match="16 tokens, planned were 17"):
        run(dataclasses.replace(PARAMS, length=17), blocks, tmp_path)
    with pytest.raises(ValueError, match="heads is 5: give a number that divides the width 32"):
        dataclasses.replace(PARAMS, heads=5)


def test_its_job_is_known_by_text_sizes_and_steps():
    blocks = blocks_job("builtin", "builtin", length=32)
    job = pretrain_job(blocks, width=64, steps=50)
    assert isinstance(job, Job)
    assert job.needs["blocks"] is blocks
    assert job.params.warmup == 5
    assert (job.params.corpus, job.params.length) == ("builtin", 32)
    others = [pretrain_job(blocks, width=128, steps=50), pretrain_job(blocks, width=64, steps=51)]
    assert len({j.id for j in (job, *others)}) == 3
    assert job.fingerprints == blocks.fingerprints
