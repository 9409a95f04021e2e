"""The stage `gradient_confusion` against a gradient of each batch by `backward` and each pair by itself."""

import dataclasses
import itertools
import tempfile

import numpy as np
import pandas as pd
import pytest
import torch

from models.gradients import add_gradient
from orchestrator.experiment import Context
from tasks.transfer.diagnostics.inputs import open_network, open_sentences
from tasks.transfer.gradient_confusion.confusion import confusion
from tasks.transfer.gradient_confusion.stages import TABLES, ConfusionParams
from tests.tasks.transfer.diagnostics.made_tokens import NETWORK, write_tokens

LENGTHS = (5, 9, 3, 12, 7, 4, 6, 8, 5, 11, 3, 6, 7, 4, 9, 10, 5)
PARAMS = ConfusionParams(
    **NETWORK,
    seed=3,
    shift=7,
    max_length=16,
    dtype="float64",
    batch_size=4,
    batches=3,
)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    place = tmp_path_factory.mktemp("tokens")
    return {task: write_tokens(place / task, task, LENGTHS) for task in ("acceptability", "similarity")}


def run(places, memory: int = 4 << 30, **change):
    params = dataclasses.replace(PARAMS, **change)
    tables = confusion(params, Context(needs={"tokens": places[params.task]}, memory_bytes=memory))
    assert set(tables) == set(TABLES)
    for name, rows in tables.items():
        assert all(set(row) == set(TABLES[name].schema.names) for row in rows)
        assert not pd.DataFrame(rows).duplicated(list(TABLES[name].key) or None).any()
    return tables


def values(tables, metric: str) -> np.ndarray:
    return np.array([row["value"] for row in tables["pairs"] if row["metric"] == metric])


def plain(places, params):
    """Whole gradients [n, P] by backward, a batch padded to the longest sentence of the task."""
    context = Context(needs={"tokens": places[params.task]})
    sentences = open_sentences(params, context, 1)
    model = open_network(params, context, sentences, classifier=True)
    found, losses = [], []
    for start in range(0, min(params.batches * 4, len(sentences) // 4 * 4), 4):
        batch = sentences.batch(sentences.order_N[start : start + 4], pad_to=12)
        model.zero_grad()
        loss = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, labels=batch.labels).loss
        loss.backward()
        found.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
        losses.append(float(loss.detach()))
    return torch.stack(found).numpy(), losses


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"task": "similarity"},
        {"architecture": "albert", "embedding": 8},
        {"architecture": "roberta"},
        {"architecture": "distilbert"},
    ],
)
def test_pairs_are_those_of_whole_gradients(places, change):
    tables = run(places, **change)
    rows, losses = plain(places, dataclasses.replace(PARAMS, **change))
    assert [row["loss"] for row in tables["gradients"]] == pytest.approx(losses, rel=1e-12)
    assert [row["norm"] for row in tables["gradients"]] == pytest.approx(np.linalg.norm(rows, axis=1), rel=1e-11)
    together = list(itertools.combinations(range(3), 2))
    assert [(row["i"], row["j"]) for row in tables["pairs"][:3]] == together
    for at, (i, j) in enumerate(together):
        a, b = rows[i], rows[j]
        assert values(tables, "dot")[at] == pytest.approx(a @ b, rel=1e-10)
        assert values(tables, "l2")[at] == pytest.approx(np.linalg.norm(a - b), rel=1e-10)
        assert values(tables, "cosine")[at] == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-11)
    (cost,) = tables["costs"]
    assert cost["layer_passes"] == 3 * 2 * 3 * 4
    assert cost["kept"] < cost["parameters"]
    assert not cost["in_file"]


def test_the_file_accumulation_and_padding_give_the_same_numbers(places, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    calls, original = [], add_gradient
    monkeypatch.setattr(
        "tasks.transfer.gradient_confusion.confusion.add_gradient", lambda *given: calls.append(1) or original(*given)
    )
    known = run(places)
    assert len(calls) == 3
    tiny = run(places, memory=20_000)
    assert len(calls) == 6  # each gradient once, whatever the memory
    (cost,) = tiny["costs"]
    assert cost["in_file"]
    assert cost["block_bytes"] <= 20_000 // 4
    assert cost["peak_bytes"] <= max(20_000 // 2, 8 * cost["kept"])  # one gradient, or two blocks
    assert list(tmp_path.iterdir()) == []
    for other in (tiny, run(places, accumulation=2), run(places, accumulation=4), run(places, legacy_padding=True)):
        for metric in ("cosine", "dot", "l2"):
            assert values(other, metric) == pytest.approx(values(known, metric), rel=1e-11)
    assert known["costs"][0]["tokens"] < run(places, legacy_padding=True)["costs"][0]["tokens"] == 3 * 4 * 16


def test_batches_are_whole_and_further_ones_leave_the_first_as_they_are(places):
    few, all_there = run(places), run(places, batches=50)
    assert len(all_there["gradients"]) == 4  # 17 sentences
    assert [row["norm"] for row in all_there["gradients"][:3]] == pytest.approx([r["norm"] for r in few["gradients"]])
    with pytest.raises(ValueError, match="has 17 sentences to train on, at least 18 are needed"):
        run(places, batch_size=9)


def test_dropout_comes_from_the_job_alone(places):
    # A random BERT has dropout 0.1 by its configuration.
    plain_run, first = run(places), run(places, legacy_dropout=True)
    state = torch.random.get_rng_state()
    again = run(places, legacy_dropout=True)
    assert torch.equal(state, torch.random.get_rng_state())
    assert values(first, "cosine").tolist() == values(again, "cosine").tolist()
    assert np.abs(values(first, "cosine") - values(plain_run, "cosine")).max() > 1e-3


def test_a_network_that_overflows_gives_nan_and_counts_it(places, monkeypatch):
    original = add_gradient

    def first_is_infinite(model, layout, inputs, labels, share, into):
        loss = original(model, layout, inputs, labels, share, into)
        if not calls:
            into[0] = torch.inf
        calls.append(1)
        return loss

    calls: list[int] = []
    monkeypatch.setattr("tasks.transfer.gradient_confusion.confusion.add_gradient", first_is_infinite)
    tables = run(places)
    assert np.isnan(values(tables, "cosine")).tolist() == [True, True, False]
    assert {row["not_finite"] for row in tables["similarity"]} == {2}
    assert all(np.isfinite(row["value"]) for row in tables["similarity"])


def test_parameters_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="batches is 1: give at least 2"):
        dataclasses.replace(PARAMS, batches=1)
    with pytest.raises(ValueError, match="accumulation is 3: give a divisor"):
        dataclasses.replace(PARAMS, accumulation=3)
