"""The stage `perturbation`: distances of edited weights, what levels share, and what dropout does to them."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from models.perturbed import perturbation_distances, unit_noise
from orchestrator.experiment import Context
from tasks.training.seeds import torch_stream
from tasks.transfer.diagnostics.inputs import open_network, open_sentences
from tasks.transfer.perturbation.noise import perturbation
from tasks.transfer.perturbation.stages import TABLES, PerturbationParams
from tests.tasks.transfer.diagnostics.made_tokens import NETWORK, write_tokens

LENGTHS = (5, 9, 3, 12, 7, 4, 6, 8, 5, 11, 3)
PARAMS = PerturbationParams(
    **NETWORK,
    seed=3,
    shift=7,
    max_length=16,
    batch_size=4,
    batches=5,
    stds=(1e-2, 1e-4, 1e-6, 1e-8),
    noises=("absolute",),
)


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    return Context(needs={"tokens": write_tokens(tmp_path_factory.mktemp("tokens") / "a", "acceptability", LENGTHS)})


def run(context, **change) -> dict[str, pd.DataFrame]:
    tables = perturbation(dataclasses.replace(PARAMS, **change), context)
    assert set(tables) == set(TABLES)
    found = {name: pd.DataFrame(rows, columns=TABLES[name].schema.names) for name, rows in tables.items()}
    for name, rows in tables.items():
        assert all(set(row) == set(TABLES[name].schema.names) for row in rows)
        assert not found[name].duplicated(list(TABLES[name].key) or None).to_numpy().any()
    return found


def by_level(table: pd.DataFrame, noise: str = "absolute") -> dict[float, np.ndarray]:
    rows = table[table["noise"] == noise]
    return {float(std): line["distance"].to_numpy() for std, line in rows.groupby("std")}  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("architecture", ["bert", "albert", "roberta", "distilbert"])
def test_distances_are_those_of_each_batch_with_its_own_noise(context, architecture):
    change = {"architecture": architecture, "embedding": 8 if architecture == "albert" else None}
    tables = run(context, **change)
    params = dataclasses.replace(PARAMS, **change)
    sentences = open_sentences(params, context, 1)
    model = open_network(params, context, sentences)
    expected = {std: [] for std in PARAMS.stds}
    for number in range(3):
        batch = sentences.batch(sentences.order_N[4 * number : 4 * number + 4], pad_to=12)
        noise = unit_noise(model, torch_stream(3, "noise", number))
        for std in PARAMS.stds:
            dtype = torch.float64 if std <= 1e-6 else torch.float32
            expected[std] += perturbation_distances(model, batch.inputs, noise, std, dtype=dtype).tolist()
    found = by_level(tables["distances"])
    for std in PARAMS.stds:
        assert found[std] == pytest.approx(expected[std], rel=1e-3 if std == 1e-4 else 1e-5)
    assert tables["distances"]["sentence"].tolist()[:4] == sentences.order_N[:4].tolist()
    # Eleven sentences: the last batch has three.
    (cost,) = tables["costs"].to_dict("records")
    assert (cost["sentences"], cost["batches_read"], cost["clean_passes"], cost["noisy_passes"]) == (11, 3, 6, 12)
    assert cost["layer_passes"] == 2 * 11 * (2 + 4)
    precision = tables["distances"].groupby("std")["precision"].first().to_dict()
    assert precision == {1e-2: "float32", 1e-4: "float32", 1e-6: "float64", 1e-8: "float64"}


def test_a_level_is_the_same_whatever_others_are_asked_for(context):
    known = by_level(run(context, noises=("absolute", "relative"))["distances"], "relative")
    for std in PARAMS.stds:
        alone = by_level(run(context, stds=(std,), noises=("relative",))["distances"], "relative")
        assert alone[std].tolist() == known[std].tolist()


def test_small_noise_moves_in_proportion_and_float32_cannot_tell(context):
    found = by_level(run(context)["distances"])
    assert found[1e-4] / found[1e-6] == pytest.approx(100, rel=0.01)
    assert found[1e-6] / found[1e-8] == pytest.approx(100, rel=1e-3)
    single = run(context, double_below=0.0)
    assert single["floors"].empty
    assert set(single["distances"]["precision"]) == {"float32"}
    rounded = by_level(single["distances"])[1e-8]
    assert np.abs(rounded / found[1e-8] - 1).max() > 0.1
    # The floor is what rounding alone moves: of the size that float32 is wrong by, and far below the larger levels.
    floor = run(context)["floors"]["distance"]
    assert 0.1 < np.median(np.abs(rounded - found[1e-8])) / floor.median() < 10
    assert floor.max() < 0.01 * found[1e-4].min()


def test_all_is_in_float64_if_asked_for(context):
    tables = run(context, dtype="float64")
    assert set(tables["distances"]["precision"]) == {"float64"}
    assert tables["floors"].empty
    assert tables["costs"]["clean_passes"].tolist() == [3]
    padded = run(context, dtype="float64", legacy_padding=True)
    assert by_level(padded["distances"])[1e-2] == pytest.approx(by_level(tables["distances"])[1e-2], abs=1e-12)


def test_published_dropout_drowns_the_noise(context):
    state = torch.random.get_rng_state()
    found = by_level(run(context, legacy_dropout=True)["distances"])  # 0.1 in a random BERT
    assert torch.equal(state, torch.random.get_rng_state())
    medians = [float(np.median(found[std])) for std in (1e-4, 1e-6, 1e-8)]
    assert max(medians) / min(medians) < 3  # of eleven sentences; the noise differs ten thousandfold
    assert min(medians) > 10 * by_level(run(context)["distances"])[1e-4].max()
    again = by_level(run(context, legacy_dropout=True, stds=(1e-6,))["distances"])
    assert again[1e-6].tolist() == found[1e-6].tolist()


def test_states_that_are_not_finite_are_rows(context, monkeypatch):
    def infinite(model, generator):
        noise = unit_noise(model, generator)
        return {name: torch.full_like(x, torch.inf) for name, x in noise.items()}

    monkeypatch.setattr("tasks.transfer.perturbation.noise.unit_noise", infinite)
    tables = run(context, stds=(1e-2,))
    assert tables["distances"]["distance"].isna().all()
    assert len(tables["distances"]) == 11


def test_too_little_memory_is_refused_with_both_numbers(context):
    small = dataclasses.replace(context, memory_bytes=20_000)
    with pytest.raises(ValueError, match=r"weights and a copy of them take [\d,]+ bytes of 10,000 .*--double-below 0"):
        run(small)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"stds": (0.0,)}, "stds is 0.0"), ({"noises": ()}, "noises is empty"), ({"double_below": -1.0}, "double-below")],
)
def test_parameters_that_cannot_be_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(PARAMS, **change)
