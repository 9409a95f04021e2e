"""The converged probes: planted answers, optimality, what Adam approaches, memory, and probes on disk.

Dimensions: L layers, N windows, P positions, H hidden.
"""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from tasks.squad.squad_probes import converged, states
from tasks.squad.squad_probes.artifacts import read_probes
from tasks.squad.squad_probes.converged import converged_choice, lbfgs_memory, level_objective, make_blocks, train_lbfgs
from tasks.squad.squad_probes.probes import ProbeSettings, ProbeTrainer, first_weights
from tasks.squad.squad_probes.stages import PROBE_LBFGS, LbfgsParams
from tasks.squad.squad_probes.states import collect, open_frozen
from tasks.squad.squad_probes.training import batches
from tests.tasks.squad.squad_probes.conftest import ENCODER


def lbfgs(**change) -> LbfgsParams:
    fields: dict[str, Any] = {**ENCODER, "l2": (1e-2, 1e-3), "converged_windows": None, **change}
    return LbfgsParams(**fields)


@pytest.mark.parametrize("mode", ["proper", "legacy"])
def test_the_objective_is_that_of_autograd_whatever_the_blocks(context, mode):
    encoder = open_frozen(lbfgs(mode=mode), context(), "train")
    chosen, l2 = np.array([4, 0, 9, 13, 2]), (0.3, 0.02)
    chunk = collect(encoder, chosen, 3, [1])
    w = torch.randn(4, 16, dtype=torch.float64).requires_grad_()
    levels, batch = encoder.states(chosen)
    h_LBTH = torch.stack(levels)
    wanted = []
    for g, (strength, head) in enumerate([(s, h) for s in l2 for h in (0, 1)]):
        logits = (h_LBTH[1] @ w[g]).masked_fill(~batch.allowed, -torch.inf)
        wanted.append(
            functional.cross_entropy(logits, (batch.start, batch.end)[head]) + strength / 2 * w[g].square().sum()
        )
    gradient = torch.autograd.grad(torch.stack(wanted).sum(), w)[0]
    for logits, n_blocks in ((1, 5), (4 * 2 * 80, None), (1 << 20, 1)):
        blocks = make_blocks(chunk.counts, chunk.target, 4, "cpu", logits)
        assert n_blocks is None or len(blocks) == n_blocks
        loss, found = level_objective(chunk.states[0], blocks, l2)(w.detach())
        assert torch.allclose(loss, torch.stack(wanted), rtol=1e-12)
        assert torch.allclose(found, gradient, atol=1e-12)


def test_planted_directions_are_found(context, monkeypatch):
    """Each window's answer starts and ends where the states of level 1 go furthest along two vectors."""
    params, place, level = lbfgs(l2=(1e-6,), max_iterations=2000), context(), 1
    encoder = open_frozen(params, place, "train")
    v_2H = torch.randn(2, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = []
    for i in range(len(encoder.windows)):
        levels, batch = encoder.states([i])
        h_LBTH = torch.stack(levels)
        along = (h_LBTH[level, 0] @ v_2H.T).masked_fill(~batch.allowed[0, :, None], -torch.inf)
        labels.append(along.argmax(dim=0).numpy())
    start, end = np.stack(labels, axis=1)
    planted = dataclasses.replace(encoder.windows, start=start, end=end)
    monkeypatch.setattr(states, "open_windows", lambda *which: planted)
    tables = train_lbfgs(params, place)
    weights, _ = read_probes(place.artifact)
    found = {(row["level"], row["head"]): row for row in tables["solutions"]}
    assert all(row["converged"] for row in found.values())
    for head, name in enumerate(("start", "end")):
        w = weights[level, 0, head].double()
        for i in range(len(encoder.windows)):
            levels, batch = encoder.states([i])
            h_LBTH = torch.stack(levels)
            logits = (h_LBTH[level, 0] @ w).masked_fill(~batch.allowed[0], -torch.inf)
            assert logits.argmax() == labels[i][head]
        assert found[level, name]["loss"] < 0.05
        assert float(functional.cosine_similarity(w, v_2H[head], dim=0)) > 0.8


def test_solutions_are_minima_and_their_rows_say_so(context):
    params, place = lbfgs(), context()
    tables = train_lbfgs(params, place)
    for name, spec in PROBE_LBFGS.tables.items():
        assert {frozenset(row) for row in tables[name]} == {frozenset(spec.schema.names)}
    weights, probes = read_probes(place.artifact)
    assert [probe["l2"] for probe in probes] == [1e-2, 1e-3]
    assert {(p["solver"], p["learning_rate"], p["seed"], p["epoch"]) for p in probes} == {("lbfgs", 0.0, 0, 0)}
    encoder = open_frozen(params, place, "train")
    chunk = collect(encoder, np.arange(len(encoder.windows)), 4, range(3))
    blocks = make_blocks(chunk.counts, chunk.target, 4, "cpu")
    assert len(tables["solutions"]) == 3 * 2 * 2
    for row in tables["solutions"]:
        g = params.l2.index(row["l2"]) * 2 + ("start", "end").index(row["head"])
        w = weights[row["level"]].flatten(0, 1).double()
        loss, gradient = level_objective(chunk.states[row["level"]], blocks, params.l2)(w)
        assert row["converged"]
        assert row["gradient"] <= params.tolerance
        assert gradient[g].abs().max() < params.tolerance + 1e-6  # the weights are kept in float32
        assert row["objective"] == pytest.approx(float(loss[g]), rel=1e-9)
        assert row["loss"] == pytest.approx(row["objective"] - row["l2"] / 2 * float(w[g].square().sum()), rel=1e-6)
    by_l2 = [[row["loss"] for row in tables["solutions"] if row["l2"] == l2] for l2 in params.l2]
    assert all(strong > weak for strong, weak in zip(*by_l2, strict=True))


def test_adam_without_dropout_comes_down_to_the_converged_loss(context):
    params, place, strength = lbfgs(l2=(1e-3,)), context(), 1e-3
    solved = train_lbfgs(params, place)["solutions"]
    encoder = open_frozen(params, place, "train")
    n = len(encoder.windows)
    chunk = collect(encoder, np.arange(n), 8, range(3))
    blocks = make_blocks(chunk.counts, chunk.target, 2, "cpu")
    settings = ProbeSettings(learning_rates=(3e-3, 1e-2), seeds=(0,), dropout=0.0)
    trainer = ProbeTrainer(first_weights(0, 3, 16).double()[:, None], settings)
    ((states_LPH, layout, target, weight),) = batches(chunk, n)
    way = []
    for step in range(800):
        trainer.take(states_LPH, layout, target, weight)
        if step % 10 == 9:
            objectives = [level_objective(x_PH, blocks, (strength,)) for x_PH in states_LPH]
            for r in (0, 1):
                way.append(torch.stack([f(trainer.weights[level, 0, r])[0] for level, f in enumerate(objectives)]))
    best = torch.tensor([row["objective"] for row in solved], dtype=torch.float64).view(3, 2)
    # Adam minimises the loss alone: along its way the regularised objective nears its minimum, and never passes it.
    nearest = torch.stack(way).amin(dim=0)
    assert (nearest >= best - 1e-9).all()
    assert ((nearest - best) / best < 0.02).all()


@pytest.mark.parametrize("mode", ["proper", "legacy"])
def test_levels_in_groups_are_those_at_once(context, mode, monkeypatch):
    found, passes = [], []
    for groups in (1, 3):
        if groups == 3:  # 7 levels
            monkeypatch.setattr(converged, "lbfgs_memory", lambda *given: (3, lbfgs_memory(*given)[1]))
        place = context()
        tables = train_lbfgs(lbfgs(mode=mode, dtype="float32", layers=6, max_iterations=40), place)
        found.append(read_probes(place.artifact)[0])
        passes.append(tables["costs"][0]["layer_passes"])
    assert passes[1] == 3 * passes[0]
    assert torch.allclose(found[0], found[1], atol=1e-6)


def test_as_many_levels_are_kept_as_there_is_room_for(context):
    encoder = open_frozen(lbfgs(layers=6), context(), "train")
    counts = encoder.positions(np.arange(len(encoder.windows)))
    one, found = int(counts.sum()) * 16 * 8, []
    for budget in range(1 << 20, 128 << 20, 1 << 20):
        try:
            found.append(lbfgs_memory(encoder, counts, 2, budget)[0])
        except ValueError:
            found.append(0)
        assert found[-1] * one < budget
    assert found == sorted(found)
    assert (found[0], found[-1]) == (0, 7)


def test_the_choice_of_windows_is_random_fixed_and_nested(context):
    encoder = open_frozen(lbfgs(), context(), "train")
    few, more, whole = (set(converged_choice(encoder, lbfgs(converged_windows=n)).tolist()) for n in (5, 11, None))
    assert (len(few), len(more), len(whole)) == (5, 11, len(encoder.windows))
    assert few < more < whole
    assert few == set(converged_choice(encoder, lbfgs(converged_windows=5)).tolist())
    assert few != set(converged_choice(encoder, lbfgs(converged_windows=5, data_seed=2)).tolist())
    assert sorted(few) != [0, 1, 2, 3, 4]


def test_a_level_that_does_not_fit_is_refused_with_numbers(context):
    with pytest.raises(ValueError, match=r"states of \d+ windows at one level take [\d,]+ bytes, [\d,]+ may be used"):
        train_lbfgs(lbfgs(), context(memory_bytes=8 << 20))


def test_too_few_iterations_stand_in_the_rows(context):
    tables = train_lbfgs(lbfgs(max_iterations=2), context())
    assert {row["iterations"] for row in tables["solutions"]} == {2}
    assert not any(row["converged"] for row in tables["solutions"])


def test_probes_that_cannot_be_trusted_are_refused(context):
    place = context()
    train_lbfgs(lbfgs(converged_windows=4, max_iterations=1), place)
    directory = place.artifact
    names = directory / "probes.json"
    good = json.loads(names.read_text())
    for bad, message in (
        ({**good, "probes": good["probes"][:1]}, r"shape \(3, 2, 2, 16\), not \(3, 1, 2, 16\)"),
        ({**good, "probes": [{"solver": "lbfgs"}]}, "no readable probes.*KeyError"),
        ([], "no readable probes.*TypeError"),
    ):
        names.write_text(json.dumps(bad))
        with pytest.raises(ValueError, match=message):
            read_probes(directory)
    names.write_text(json.dumps(good))
    tensors = directory / "probes.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-40])
    with pytest.raises(ValueError, match="no readable probes"):
        read_probes(directory)
    tensors.unlink()
    with pytest.raises(ValueError, match="no readable probes"):
        read_probes(directory)
