"""Probes trained together against the plain way: each alone, by autograd, with its own optimiser written out.

Dimensions: L levels, B windows, T tokens, P allowed positions of a batch, H hidden, S seeds, R learning rates.
"""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from tasks.squad.squad_probes.probes import (
    ProbeSettings,
    ProbeTrainer,
    dropout_mask,
    first_weights,
    kept_entries,
    losses_and_gradients,
    make_layout,
    ranked_targets,
)

L, B, T, H = 3, 5, 9, 6
RATES, SEEDS = (1e-3, 3e-2), (4, 7, 9)
CPU = torch.device("cpu")


def batches(n, scale=3.0):
    """Random states [L, B, T, H], allowed positions, targets (with ignored and negative ones), class weights."""
    rng = np.random.default_rng(1)
    for _ in range(n):
        allowed = rng.random((B, T)) < 0.6
        allowed[:, 0] = True
        target = np.array([[rng.choice(np.flatnonzero(row)) for row in allowed] for _ in range(2)])
        target[0, 1], target[1, 2], target[1, 3] = T, T + 4, -2  # ignored, ignored, clamped to 0
        yield torch.tensor(scale * rng.normal(size=(L, B, T, H))), allowed, target, rng.random((2, T)) + 0.1


def flat(x_LBTH, allowed):
    return x_LBTH[:, torch.from_numpy(allowed)]


def plain_probe(first_H, rate, clip, steps):
    """One head of one probe: `steps` gives (states [B, T, H], allowed, clamped targets, class weights)."""
    w, losses = first_H.clone().requires_grad_(), []
    m, v = torch.zeros(H, dtype=torch.float64), torch.zeros(H, dtype=torch.float64)
    for x, allowed, target, weight in steps:
        logits = (x @ w).masked_fill(~torch.from_numpy(allowed), -math.inf)
        loss = functional.cross_entropy(
            logits, torch.from_numpy(target.clip(0, T)), weight=torch.from_numpy(weight), ignore_index=T
        )
        losses.append(float(loss.detach()))
        g = torch.autograd.grad(loss / 2, w)[0]
        if clip:
            g = g * min(1.0, clip / (float(g.norm()) + 1e-6))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        with torch.no_grad():
            w -= rate * m / (v.sqrt() + 1e-8)
    return losses, w.detach()


def first(seeds=SEEDS, levels=L):
    return torch.stack([first_weights(seed, levels, H).double() for seed in seeds], dim=1)


def train_together(weights, settings, steps):
    trainer, losses = ProbeTrainer(weights, settings), []
    for x, allowed, target, weight in steps:
        rank, share = ranked_targets(target, allowed, weight)
        layout = make_layout(allowed.sum(1), "cpu")
        losses.append(trainer.take(flat(x, allowed), layout, torch.from_numpy(rank), torch.from_numpy(share)))
    return torch.stack(losses), trainer.weights


@pytest.mark.parametrize("clip", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_together_as_each_alone_with_autograd(clip, dropout):
    steps = list(batches(6))
    settings = ProbeSettings(learning_rates=RATES, seeds=SEEDS, dropout=dropout, clip=clip)
    losses, weights = train_together(first(), settings, steps)
    for s, seed in enumerate(SEEDS):
        for head in (0, 1):
            dropped = []
            for step, (x, allowed, target, weight) in enumerate(steps):
                x = x.clone()
                if dropout:
                    mask = dropout_mask(seed, head, step, allowed.sum(), H, dropout, device=CPU, dtype=torch.float64)
                    x[:, torch.from_numpy(allowed)] *= mask
                dropped.append((x, allowed, target[head], weight[head]))
            for level in range(L):
                own = [(x[level], *rest) for x, *rest in dropped]
                for r, rate in enumerate(RATES):
                    alone = plain_probe(first()[level, s, head], rate, clip, own)
                    assert losses[:, level, s, r, head].tolist() == pytest.approx(alone[0], rel=1e-12)
                    assert torch.allclose(weights[level, s, r, head], alone[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_no_probe_sees_the_others(dropout):
    steps = list(batches(4))
    settings = ProbeSettings(learning_rates=RATES, seeds=SEEDS, dropout=dropout)
    losses, weights = train_together(first(), settings, steps)
    alone = ProbeSettings(learning_rates=RATES[1:], seeds=SEEDS[2:], dropout=dropout)
    own = [(x[1:2], *rest) for x, *rest in steps]
    own_losses, own_weights = train_together(first()[1:2, 2:], alone, own)
    assert torch.allclose(own_losses[:, 0, 0, 0], losses[:, 1, 2, 1], rtol=1e-12)
    assert torch.allclose(own_weights[0, 0, 0], weights[1, 2, 1], rtol=1e-12, atol=1e-14)


def test_levels_in_another_order_give_the_same_probes_in_that_order():
    steps, order = list(batches(4)), [2, 0, 1]
    settings = ProbeSettings(learning_rates=RATES, seeds=SEEDS)
    weights = train_together(first(), settings, steps)[1]
    turned = train_together(first()[order], settings, [(x[order], *rest) for x, *rest in steps])[1]
    assert torch.allclose(turned, weights[order], rtol=1e-12, atol=1e-14)


def test_a_vector_added_to_all_states_of_a_window_changes_nothing():
    """Every logit of the window is shifted by the same number, which is why a bias would be idle."""
    x, allowed, target, weight = next(iter(batches(1)))
    rank, share = (torch.from_numpy(part) for part in ranked_targets(target, allowed, weight))
    layout, w = make_layout(allowed.sum(1), "cpu"), first(SEEDS[:1])[:, 0]
    shifted = x + torch.randn(L, B, 1, H, dtype=torch.float64)
    found = losses_and_gradients(flat(x, allowed), w, layout, rank, share)
    again = losses_and_gradients(flat(shifted, allowed), w, layout, rank, share)
    assert torch.allclose(found[0], again[0], rtol=1e-12)
    assert torch.allclose(found[1], again[1], atol=1e-12)


def test_a_batch_that_is_ignored_whole_only_lets_the_averages_decay():
    settings = ProbeSettings(learning_rates=(1e-2,), seeds=(0,), dropout=0.0)
    trainer = ProbeTrainer(first((0,)), settings)
    x, allowed, target, _ = next(iter(batches(1)))
    layout, states = make_layout(allowed.sum(1), "cpu"), flat(x, allowed)
    for raw in (target, np.full((2, B), T)):
        rank, weight = (torch.from_numpy(part) for part in ranked_targets(raw, allowed))
        before = trainer.weights.clone(), trainer.m.clone(), trainer.v.clone()
        losses = trainer.take(states, layout, rank, weight)
    assert losses.isnan().all()
    assert torch.allclose(trainer.m, 0.9 * before[1], rtol=1e-14)
    moved = before[0] - 1e-2 * 0.9 * before[1] / ((0.999 * before[2]).sqrt() + 1e-8)
    assert torch.allclose(trainer.weights, moved, rtol=1e-12)


def test_a_target_outside_of_the_softmax_is_refused():
    allowed = np.ones((2, 4), dtype=bool)
    allowed[1, 2] = False
    with pytest.raises(ValueError, match="the end of window 1, position 2, is outside"):
        ranked_targets(np.array([[0, 0], [3, 2]]), allowed)


def test_dropout_has_the_asked_probability_and_depends_on_its_own_stream_alone():
    for p in (0.1, 0.5, 0.0003):
        kept = kept_entries(5, 1000, 999, p)
        assert abs((~kept).mean() - p) < 5 * math.sqrt(p * (1 - p) / kept.size)
    mask = dropout_mask(3, 1, 2, 50, H, 0.25, device=CPU, dtype=torch.float32)
    assert set(mask.unique().tolist()) == {0.0, float(torch.tensor(1.0) / 0.75)}
    for other in ((4, 1, 2), (3, 0, 2), (3, 1, 3)):
        assert not torch.equal(mask, dropout_mask(*other, 50, H, 0.25, device=CPU, dtype=torch.float32))


def test_the_border_between_two_of_65536_values_is_exact():
    """p between two 65,536ths: entries drawn as the border are dropped in the share that is left of p."""
    kept = kept_entries(0, 4000, 1000, 0.5 / 65536)
    assert abs((~kept).sum() - 4e6 * 0.5 / 65536) < 5 * math.sqrt(4e6 * 0.5 / 65536)


def test_first_weights_are_those_of_the_seed_alone():
    weights = first_weights(3, 40, 500)
    assert torch.equal(first_weights(3, 10, 500), weights[:10])  # level by level out of one stream
    assert abs(float(weights.std()) / 0.02 - 1) < 5 / math.sqrt(2 * weights.numel())
    assert not torch.equal(weights, first_weights(4, 40, 500))
