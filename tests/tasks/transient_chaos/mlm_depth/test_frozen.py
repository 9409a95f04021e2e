"""All depths and readouts from one pass, against the plain way: a run of its own for each, with autograd.

Dimensions: B blocks, T tokens, P masked positions, V vocabulary.
"""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional
from transformers import AlbertForMaskedLM

from models.mlm_head import fresh_mlm_head, load_mlm_head, word_table
from tasks.data.blocks import open_blocks
from tasks.data.masking import block_masking, mask_batch
from tasks.encoders.loading import load_encoder
from tasks.training.loop import data_orders
from tasks.training.optimisers import learning_rate
from tasks.training.seeds import torch_stream
from tasks.transient_chaos.mlm_depth import heads
from tasks.transient_chaos.mlm_depth.frozen import frozen


def plain_run(params, context, depth, kind, seed):
    """One depth, one readout: every batch through an encoder of `depth` layers, logits at all positions, autograd, the
    old AdamW written out (README 4). Returns scores and the training losses."""
    train, test = (open_blocks(context.needs["blocks"], part) for part in ("train", "test"))
    masking = block_masking(train.meta, params.mask_ratio)
    encoder = load_encoder(params, context, vocab_size=90, pad_token_id=0, longest=16, pooler=False)
    encoder.config.num_hidden_layers = depth
    if kind == "new":
        head = fresh_mlm_head(encoder.config, torch_stream(seed, "mlm", "readout"), torch.float64)
    else:
        head = load_mlm_head(context.paths["model"], None, torch.float64)
    tensors = {
        name: getattr(head, name).clone().requires_grad_() for name in ("dense", "dense_bias", "gain", "shift", "bias")
    }

    def logits(inputs):
        with torch.no_grad():
            h = encoder(input_ids=torch.from_numpy(inputs)).last_hidden_state
        y = functional.gelu(h @ tensors["dense"].T + tensors["dense_bias"], approximate="tanh")
        y = functional.layer_norm(y, y.shape[-1:], tensors["gain"], tensors["shift"], 1e-12)
        return y @ word_table(encoder).detach().T + tensors["bias"]

    total, step, losses = params.epochs * math.ceil(len(train) / params.batch_size), 0, []
    moments = {name: (torch.zeros_like(t), torch.zeros_like(t)) for name, t in tensors.items()}
    orders = data_orders(params.data_seed, len(train), params.epochs) if kind != "zero_shot" else []
    for epoch, order in enumerate(orders):
        for batch, rows in enumerate(order.split(params.batch_size)):
            names = ("train", epoch, batch)
            inputs, labels = mask_batch(train.input_ids[rows.numpy()], masking, params.data_seed, *names)
            loss = functional.cross_entropy(logits(inputs).flatten(0, 1), torch.from_numpy(labels).flatten())
            losses.append(float(loss.detach()))
            gradients = dict(zip(tensors, torch.autograd.grad(loss, list(tensors.values())), strict=True))
            norm = math.sqrt(sum(float(g.square().sum()) for g in gradients.values()))
            rate = learning_rate("linear", params.learning_rate, step, total, params.warmup)
            step += 1
            with torch.no_grad():
                for name, p in tensors.items():
                    g, (m, v) = gradients[name] * min(1.0, params.clip / (norm + 1e-6)), moments[name]
                    m.mul_(0.9).add_(g, alpha=0.1)
                    v.mul_(0.999).addcmul_(g, g, value=0.001)
                    p -= rate * math.sqrt(1 - 0.999**step) / (1 - 0.9**step) * m / (v.sqrt() + 1e-8)
                    if name == "dense":
                        p -= rate * params.weight_decay * p
    shares, right, hidden, sums, means = [], 0, 0, 0.0, []
    for batch, start in enumerate(range(0, len(test), 64)):
        inputs, labels = mask_batch(test.input_ids[start : start + 64], masking, params.data_seed, "test", 0, batch)
        with torch.no_grad():
            out = logits(inputs)
        ce = functional.cross_entropy(out.flatten(0, 1), torch.from_numpy(labels).flatten(), reduction="none")
        hits = (out.argmax(dim=-1).numpy() == labels) & (labels >= 0)
        right, hidden, sums = right + hits.sum(), hidden + (labels >= 0).sum(), sums + float(ce.sum())
        means.append(float(ce.sum()) / (labels >= 0).sum())
        shares += [h.sum() / (w >= 0).sum() for h, w in zip(hits, labels, strict=True) if (w >= 0).any()]
    scores = {
        "accuracy": np.mean(shares),
        "accuracy_micro": right / hidden,
        "loss": sums / hidden,
        "perplexity": np.exp(sums / hidden),
        "perplexity_batch_means": np.exp(np.mean(means)),
    }
    return scores, losses


@pytest.fixture(scope="module")
def tables(params, context):
    return {name: pd.DataFrame(rows) for name, rows in frozen(params, context).items()}


def scores_of(tables, depth, kind, seed):
    own = tables["scores"].query("depth == @depth and readout == @kind and seed == @seed")
    return dict(zip(own["metric"], own["value"], strict=True))


@pytest.mark.parametrize(
    ("depth", "kind", "seed"),
    [(1, "new", 1), (4, "new", 0), (7, "trained", 0), (2, "zero_shot", 0), (7, "zero_shot", 0)],
)
def test_each_readout_is_what_a_run_of_its_own_gives(tables, params, context, depth, kind, seed):
    wanted, losses = plain_run(params, context, depth, kind, seed)
    found = scores_of(tables, depth, kind, seed)
    assert found.keys() == wanted.keys()
    for metric, value in wanted.items():
        assert found[metric] == pytest.approx(value, rel=1e-10), metric
    if losses:
        curve = tables["curves"].query("depth == @depth and readout == @kind and seed == @seed")["loss"]
        assert curve.tolist() == pytest.approx([np.mean(part) for part in np.split(np.array(losses), 4)], rel=1e-10)


def test_rows_are_complete_and_readouts_of_the_checkpoint_stand_once(tables, params):
    kinds = tables["scores"].groupby(["readout", "seed"])["depth"].unique()
    assert {key: tuple(depths) for key, depths in kinds.items()} == dict.fromkeys(
        [("new", 0), ("new", 1), ("trained", 0), ("zero_shot", 0)], params.depths
    )
    assert not tables["scores"].duplicated(["readout", "depth", "seed", "metric"]).any()
    assert set(tables["curves"]["readout"]) == {"new", "trained"}
    cost = tables["costs"].iloc[0]
    assert cost["n_heads"] == 4 * 3
    # One pass to depth 7: each epoch of training, and once for the test part.
    assert cost["layer_passes"] == 7 * (2 * cost["n_train"] + cost["n_test"])
    assert not len(tables["nonfinite"])


def test_training_learns_and_beats_guessing(tables):
    guess = tables["baselines"].set_index("metric")["value"]
    loss = tables["scores"].query("metric == 'loss' and readout == 'new'").groupby("depth")["value"].mean()
    assert loss[1] < guess["unigram_loss"] < math.log(90) + 0.1
    assert guess["guess_accuracy_micro"] < scores_of(tables, 1, "new", 0)["accuracy_micro"]


def test_depths_and_seeds_alone_give_the_same_numbers(tables, params, context):
    for depths, readouts, seeds in [((4,), ("new",), (1,)), ((2, 7), ("zero_shot", "trained"), (0,))]:
        alone = pd.DataFrame(
            frozen(dataclasses.replace(params, depths=depths, readouts=readouts, seeds=seeds), context)["scores"]
        )
        both = alone.merge(tables["scores"], on=["readout", "depth", "seed", "metric"], how="left")
        assert both["value_x"].to_numpy() == pytest.approx(both["value_y"].to_numpy(), rel=1e-11)


def test_pieces_of_the_vocabulary_change_nothing(tables, params, context, monkeypatch):
    monkeypatch.setattr(heads, "PIECE", 90 * 5)
    found = pd.DataFrame(frozen(params, context)["scores"])
    assert found["value"].to_numpy() == pytest.approx(tables["scores"]["value"].to_numpy(), rel=1e-11)


def test_the_zero_shot_readout_at_the_nominal_depth_is_the_library_s_model(params, context, checkpoint):
    model = AlbertForMaskedLM.from_pretrained(
        checkpoint, trust_remote_code=False, use_safetensors=True, dtype=torch.float64
    ).eval()
    model.config.num_hidden_layers = 4
    test = open_blocks(context.needs["blocks"], "test")
    masking, losses = block_masking(test.meta, params.mask_ratio), []
    for batch, start in enumerate(range(0, len(test), 64)):
        inputs, labels = mask_batch(test.input_ids[start : start + 64], masking, params.data_seed, "test", 0, batch)
        with torch.no_grad():
            losses.append(float(model(input_ids=torch.from_numpy(inputs), labels=torch.from_numpy(labels)).loss))
    own = frozen(dataclasses.replace(params, readouts=("zero_shot",), depths=(4,)), context)
    found = {row["metric"]: row["value"] for row in own["scores"]}
    assert found["perplexity_batch_means"] == pytest.approx(np.exp(np.mean(losses)), rel=1e-11)
    assert own["curves"] == []


def test_random_encoders_differ_by_seed_and_have_new_readouts(random_params, context):
    first = frozen(random_params, context)["scores"]
    assert first == frozen(random_params, context)["scores"]
    other = frozen(dataclasses.replace(random_params, encoder_seed=6), context)["scores"]
    assert [row["value"] for row in first] != [row["value"] for row in other]
    # Asked for, its zero_shot is the new readout as it was drawn.
    shot = frozen(dataclasses.replace(random_params, readouts=("zero_shot",), seeds=(0, 1)), context)["scores"]
    assert {row["seed"] for row in shot} == {0, 1}


def test_published_options_change_the_numbers(params, context):
    base = dataclasses.replace(params, readouts=("new",), seeds=(0,), depths=(1, 3))
    values = [
        tuple(row["value"] for row in frozen(dataclasses.replace(base, **option), context)["scores"])
        for option in ({}, {"legacy_masking": True}, {"legacy_head_eps": True}, {"legacy_readout_init": True})
    ]
    assert len(set(values)) == 4
    again = frozen(dataclasses.replace(base, legacy_masking=True), context)["scores"]
    assert tuple(row["value"] for row in again) == values[1]
