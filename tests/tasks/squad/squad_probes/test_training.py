"""The stage with Adam against the published way: an encoder pass a batch, an nn.Linear a head, autograd, one optimiser
each.

Dimensions: L layers, B windows, T tokens, H hidden, S seeds, R learning rates, G probes a level.
"""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from tasks.squad.questions.windows import open_windows
from tasks.squad.squad_probes import states
from tasks.squad.squad_probes.artifacts import read_probes
from tasks.squad.squad_probes.probes import first_weights
from tasks.squad.squad_probes.stages import PROBE_ADAM, AdamParams
from tasks.squad.squad_probes.states import open_frozen
from tasks.squad.squad_probes.training import train_adam
from tasks.training.loop import data_orders
from tasks.training.seeds import stream_seed
from tests.tasks.squad.squad_probes.conftest import ENCODER

RATES, SEEDS = (1e-3, 1e-2), (5, 1)


def adam(**change) -> AdamParams:
    fields: dict[str, Any] = {**ENCODER, "learning_rates": RATES, "seeds": SEEDS, "epochs": 2, "clip": 0.05, **change}
    return AdamParams(**fields)


def published(params, context, level, head, rate, seed):
    """Weights after each epoch and the losses of one head of one probe, with a bias as published."""
    encoder = open_frozen(params, context, "train")
    windows, T = encoder.windows, params.max_length
    chosen = np.flatnonzero(windows.trainable)
    labels = (windows.start, windows.end)[head]
    weight = None
    if params.legacy_class_weights:
        count = np.bincount(labels[chosen], minlength=T)
        weight = torch.from_numpy(np.where(count > 0, len(chosen) / np.maximum(count, 1), 0))
    linear = torch.nn.Linear(encoder.width, 1).double()
    with torch.no_grad():
        linear.weight[0] = first_weights(seed, encoder.n_levels, encoder.width)[level, head]
        linear.bias.zero_()
    moments = {name: (torch.zeros_like(p), torch.zeros_like(p)) for name, p in linear.named_parameters()}
    epochs, losses = [], []
    for order in data_orders(params.data_seed, len(chosen), params.epochs):
        for rows in order.split(params.batch_size):
            levels, batch = encoder.states(chosen[rows.numpy()])
            h_LBTH = torch.stack(levels)
            logits = linear(h_LBTH[level])[..., 0].masked_fill(~batch.allowed, -torch.inf)
            loss = functional.cross_entropy(logits, (batch.start, batch.end)[head], weight=weight)
            losses.append(float(loss.detach()))
            linear.zero_grad()
            (loss / 2).backward()
            torch.nn.utils.clip_grad_norm_(linear.parameters(), params.clip)
            with torch.no_grad():
                for name, p in linear.named_parameters():
                    assert p.grad is not None
                    m, v = moments[name]
                    m.mul_(0.9).add_(p.grad, alpha=0.1)
                    v.mul_(0.999).addcmul_(p.grad, p.grad, value=0.001)
                    p -= rate * m / (v.sqrt() + 1e-8)
        epochs.append(linear.weight[0].detach().clone())
    return epochs, losses


@pytest.mark.parametrize(
    "change", [{}, {"mode": "legacy"}, {"mode": "legacy", "legacy_class_weights": True, "batch_size": 5}]
)
def test_all_probes_as_each_in_the_published_way(context, change):
    params, place = adam(dropout=0.0, **change), context()
    tables = train_adam(params, place)
    weights, probes = read_probes(place.artifact)
    assert weights.shape == (3, 8, 2, 16)
    curves = {(row["level"], row["learning_rate"], row["seed"], row["step"]): row["loss"] for row in tables["curves"]}
    steps = max(step for *_, step in curves)
    for level, rate, seed in ((0, RATES[1], 5), (2, RATES[0], 1)):
        alone = [published(params, place, level, head, rate, seed) for head in (0, 1)]
        for epoch in (1, 2):
            own = {"solver": "adam", "learning_rate": rate, "l2": 0.0, "seed": seed, "epoch": epoch}
            found = weights[level, probes.index(own)]
            wanted = torch.stack([alone[head][0][epoch - 1] for head in (0, 1)])
            assert torch.allclose(found.double(), wanted, atol=1e-7)  # the probes are kept in float32
        for step in range(1, steps + 1):
            mean = (alone[0][1][step - 1] + alone[1][1][step - 1]) / 2
            assert curves[level, rate, seed, step] == pytest.approx(mean, rel=1e-8)


def test_rows_fit_their_tables_and_say_what_was_done(context):
    params, place = adam(curve_points=3), context()
    tables = train_adam(params, place)
    for name, spec in PROBE_ADAM.tables.items():
        assert {frozenset(row) for row in tables[name]} == {frozenset(spec.schema.names)}
        keys = [tuple(row[k] for k in spec.key) for row in tables[name]]
        assert len(set(keys)) == len(keys)
    n = len(open_windows(place.needs["windows"], "train"))
    (cost,) = tables["costs"]
    assert (cost["n_windows"], cost["n_probes"], cost["n_levels"]) == (n, 4, 3)
    assert cost["layer_passes"] == 2 * 2 * n
    assert len(tables["curves"]) == 3 * 3 * 4
    assert max(row["epoch"] for row in tables["curves"]) == 2
    weights, probes = read_probes(place.artifact)
    for row in tables["weights"]:
        g = probes.index({k: row[k] for k in probes[0]})
        norm = float(weights[row["level"], g, ("start", "end").index(row["head"])].norm())
        assert row["norm"] == pytest.approx(norm, rel=1e-6)


@pytest.mark.parametrize("mode", ["proper", "legacy"])
def test_the_memory_changes_the_chunks_and_not_the_probes(context, mode, monkeypatch):
    seen, whole = [], states.collect

    def watched(encoder, indices, *rest):
        seen.append(len(indices))
        return whole(encoder, indices, *rest)

    monkeypatch.setattr("tasks.squad.squad_probes.training.collect", watched)
    found = []
    for megabytes in (64, 1.6):
        place = context(memory_bytes=int(megabytes * 2**20))
        train_adam(adam(mode=mode, dtype="float32"), place)
        found.append(read_probes(place.artifact)[0])
        seen.append(0)
    large, small = seen[: seen.index(0)], seen[seen.index(0) + 1 : -1]
    assert len(small) >= 2 * len(large)
    assert torch.allclose(found[0], found[1], atol=1e-6)
    assert not torch.equal(found[0][:, :4], found[0][:, 4:])


def test_a_part_of_seeds_and_rates_gives_the_same_probes(context):
    both, one = context(), context()
    train_adam(adam(), both)
    train_adam(adam(seeds=(1,), learning_rates=RATES[1:]), one)
    (all_weights, all_probes), (weights, probes) = read_probes(both.artifact), read_probes(one.artifact)
    assert torch.allclose(weights, all_weights[:, [all_probes.index(probe) for probe in probes]], atol=1e-7)
    again = context()
    train_adam(adam(), again)
    assert torch.equal(read_probes(again.artifact)[0], all_weights)


def test_windows_that_cannot_be_trusted_are_left_out(context, monkeypatch):
    def cut(directory, split):
        windows = open_windows(directory, split)
        trainable = np.arange(len(windows)) % 3 == 0
        # Their labels may be anything: they must not even be looked at.
        start = np.where(trainable, windows.start, 79)
        return dataclasses.replace(windows, trainable=trainable, start=start)

    monkeypatch.setattr(states, "open_windows", cut)
    (cost,) = train_adam(adam(), context())["costs"]
    assert cost["n_windows"] == -(-len(open_windows(context().needs["windows"], "train")) // 3)
    monkeypatch.setattr(
        states, "open_windows", lambda *which: dataclasses.replace(cut(*which), trainable=np.zeros(9, dtype=bool))
    )
    with pytest.raises(ValueError, match="no window to train on"):
        train_adam(adam(), context())


def test_what_does_not_fit_is_refused_before_the_start(context):
    with pytest.raises(
        ValueError, match=r"batch of 8 windows at 3 levels take [\d,]+ bytes of [\d,]+ that may be used"
    ):
        train_adam(adam(), context(memory_bytes=200_000))
    with pytest.raises(ValueError, match=r"context\.artifact"):
        train_adam(adam(), dataclasses.replace(context(), artifact=None))


def test_random_encoders_are_those_of_their_seed(context):
    """The stage reads its encoder as other jobs do: the same seed gives the same states, another does not."""
    opened = (open_frozen(adam(encoder_seed=seed), context(), "train") for seed in (3, 3, 4))
    a, b, c = (torch.stack(encoder.states([0])[0]) for encoder in opened)
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert stream_seed(3, "encoder") != stream_seed(4, "encoder")
