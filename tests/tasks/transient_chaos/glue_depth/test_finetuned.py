"""The stage glue_finetuned as a plain function on small fake tokens."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from transformers import AlbertForSequenceClassification

from models.albert import embed, iterate, random_albert, scratch_config, shared_layer
from tasks.training.loop import data_orders
from tasks.transient_chaos.glue_depth import finetuned as stage
from tasks.transient_chaos.glue_depth.finetuned import Run, activation_bytes, finetuned
from tasks.transient_chaos.glue_depth.frozen import frozen
from tasks.transient_chaos.glue_depth.heads import head_weight
from tasks.transient_chaos.glue_depth.stages import COSTS, CURVES, FINETUNED, SCORES, FinetunedParams, FrozenParams
from tests.tasks.transient_chaos.glue_depth.glue_fakes import fake_context, fake_split

SCRATCH: dict[str, Any] = {
    "model": "scratch", "encoder": "random", "init_style": "hf_default", "encoder_seed": 0, "width": 32, "heads": 4,
    "tokenizer": "fake", "curve_points": 5,
}  # fmt: skip
TASKS = {"RTE": (2, ("dev",)), "STS-B": (1, ("dev",)), "MNLI": (3, ("dev_matched", "dev_mismatched"))}


def splits_of(task, n=30):
    C, names = TASKS[task]
    return {"train": fake_split(n, 0, C), **{name: fake_split(13, i + 1, C) for i, name in enumerate(names)}}


def params(task="RTE", **change) -> FinetunedParams:
    fields: dict[str, Any] = {"task": task, "depth": 3, "seed": 0, **SCRATCH, **change}
    return FinetunedParams(**fields)


def scores_of(tables):
    return {row["metric"]: row["value"] for row in tables["scores"]}


@pytest.mark.parametrize("task", list(TASKS))
def test_rows_fit_the_shared_tables(task, tmp_path, monkeypatch):
    tables = finetuned(params(task), fake_context(tmp_path, monkeypatch, task, splits_of(task)))
    for name, spec in {"scores": SCORES, "curves": CURVES, "costs": COSTS}.items():
        assert FINETUNED.tables[name] is spec
        for row in tables[name]:
            assert list(row) == spec.schema.names
    assert [row["step"] for row in tables["curves"]] == [3, 5, 8, 10, 12]
    n_dev = 13 * len(TASKS[task][1])
    assert tables["costs"][0]["layer_passes"] == 3 * (3 * 30 + n_dev)


def test_the_same_parameters_give_the_same_rows(tmp_path, monkeypatch):
    context = fake_context(tmp_path, monkeypatch, "RTE", splits_of("RTE"))
    torch.manual_seed(1)
    first = finetuned(params(), context)
    torch.manual_seed(2)
    again = finetuned(params(), context)
    assert (first["scores"], first["curves"]) == (again["scores"], again["curves"])
    for field, value in (("seed", 1), ("encoder_seed", 1), ("depth", 2)):
        change: dict[str, Any] = {field: value}
        assert scores_of(finetuned(params(**change), context)) != scores_of(first)


def test_recomputing_layers_changes_no_number(tmp_path, monkeypatch):
    context = fake_context(tmp_path, monkeypatch, "RTE", splits_of("RTE"))
    kept = finetuned(params(learning_rate=1e-3), context)
    calls = []
    original = stage.checkpoint
    monkeypatch.setattr(stage, "checkpoint", lambda *a, **k: calls.append(1) or original(*a, **k))
    monkeypatch.setattr(stage, "usable_bytes", lambda _: 1)
    recomputed = finetuned(params(learning_rate=1e-3), context)
    assert len(calls) == 12 * 3  # every layer of every training step, none in the evaluation
    assert (kept["scores"], kept["curves"]) == (recomputed["scores"], recomputed["curves"])
    assert kept["costs"][0]["layer_passes"] == recomputed["costs"][0]["layer_passes"]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_the_estimate_of_activations_covers_what_autograd_keeps(attention):
    model = random_albert(scratch_config(64, heads=4, vocab_size=50, attention=attention), "hf_default", 0)
    h = embed(model, torch.full((4, 16), 7))
    sizes: dict[int, int] = {}

    def note(tensor):
        if tensor.dim() >= 3:  # weights are no activations
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        out = iterate(shared_layer(model), h, 3)
    estimate = activation_bytes(model, 4, 16, 3)
    assert out.requires_grad
    assert 0.5 * estimate < sum(sizes.values()) <= estimate


@pytest.mark.parametrize("task", ["STS-B", "MNLI"])
@pytest.mark.parametrize("optimiser", ["adamw", "hf_adamw"])
def test_it_is_plain_fine_tuning_of_transformers_own_model(task, optimiser):
    """Three epochs against AlbertForSequenceClassification, autograd and a plain loop, float64, head dropout 0."""
    p = params(
        task, dtype="float64", dropout=0.0, learning_rate=1e-3, schedule="legacy", optimiser=optimiser, weight_decay=0.0
    )
    C, split = TASKS[task][0], splits_of(task)["train"]
    config = scratch_config(32, heads=4, vocab_size=50)
    encoder = random_albert(config, "hf_default", 5, torch.float64)
    labels = torch.tensor(split.labels)
    config.num_hidden_layers, config.num_labels, config.classifier_dropout_prob = p.depth, C, 0.0
    reference = AlbertForSequenceClassification(config).double()
    reference.albert.load_state_dict(encoder.state_dict())
    with torch.no_grad():
        reference.classifier.weight.copy_(head_weight(p.seed, C, 32))
        reference.classifier.bias.zero_()
    run = Run(encoder, C, p)
    curve = run.train(split, labels)

    moments = {name: (torch.zeros_like(q), torch.zeros_like(q)) for name, q in reference.named_parameters()}
    losses, step = [], 0
    for order in data_orders(p.seed, len(split), p.epochs):
        for rows in order.split(p.batch_size):
            ids, types, mask = split.batch(rows.tolist())
            logits = reference(input_ids=ids, token_type_ids=types, attention_mask=mask).logits
            loss = (
                functional.mse_loss(logits[:, 0], labels[rows])
                if C == 1
                else functional.cross_entropy(logits, labels[rows])
            )
            reference.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(reference.parameters(), 1.0)
            k, lr = step + 1, 1e-3 * 0.9995**step
            for name, q in reference.named_parameters():
                m, v = moments[name]
                assert q.grad is not None
                m.mul_(0.9).add_(0.1 * q.grad)
                v.mul_(0.999).add_((1 - 0.999) * q.grad**2)
                c1, c2 = 1 - 0.9**k, 1 - 0.999**k
                if optimiser == "adamw":
                    q.data.sub_(lr * (m / c1) / ((v / c2).sqrt() + 1e-8))
                else:
                    q.data.sub_(lr * c2**0.5 / c1 * m / (v.sqrt() + 1e-8))
            losses.append(float(loss.detach()))
            step += 1
    # The key bias has a gradient of rounding noise (softmax does not see it), which Adam blows up to full steps.
    for name, q in reference.albert.named_parameters():
        if "key.bias" not in name:
            assert (q - encoder.get_parameter(name)).abs().max() < 1e-8, name
    assert (reference.classifier.weight - run.weight).abs().max() < 1e-10
    assert curve[0]["loss"] == pytest.approx(sum(losses[:3]) / 3, abs=1e-12)
    assert curve[-1]["loss"] == pytest.approx(sum(losses[10:]) / 2, abs=1e-9)


def test_a_frozen_encoder_in_this_loop_is_the_frozen_stage(tmp_path, monkeypatch):
    """Same head, order and dropout from the same seed: only the encoder's training tells the two stages apart."""
    context = fake_context(tmp_path, monkeypatch, "RTE", splits_of("RTE"))
    kind: dict[str, Any] = {"learning_rate": 1e-3, "schedule": "legacy", "optimiser": "adamw", "dtype": "float64"}
    expected = frozen(FrozenParams(task="RTE", depths=(3,), seeds=(4,), **SCRATCH, **kind), context)
    original = stage.open_inputs

    def open_frozen(*args):
        inputs = original(*args)
        inputs.model.requires_grad_(False)
        return inputs

    monkeypatch.setattr(stage, "open_inputs", open_frozen)
    found = finetuned(params(seed=4, **kind), context)
    assert scores_of(found) == pytest.approx(scores_of(expected), abs=1e-12)


def test_a_learnable_task_is_learnt(tmp_path, monkeypatch):
    train, dev = fake_split(200, 0, 2), fake_split(60, 1, 2)
    for split in (train, dev):
        split.labels[:] = split.lengths > 5
    context = fake_context(tmp_path, monkeypatch, "RTE", {"train": train, "dev": dev})
    assert scores_of(finetuned(params(learning_rate=1e-3), context))["accuracy"] > 0.9


def test_bf16_needs_cuda(tmp_path, monkeypatch):
    context = fake_context(tmp_path, monkeypatch, "RTE", splits_of("RTE"))
    with pytest.raises(ValueError, match="bf16 on cpu; give float32"):
        finetuned(params(precision="bf16"), context)
    with pytest.raises(ValueError, match="precision is 'bf16'"):
        params(precision="bf16", dtype="float64")
