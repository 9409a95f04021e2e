"""The small PLUS: what is hidden, that it learns, that it depends on its parameters alone, and what stops it."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import torch

from models.plus import load_plus
from orchestrator.experiment import Context, Job
from tasks.data.artifacts import write_table
from tasks.data.errors import DataError
from tasks.transfer.comparison.options import PretrainPlusParams
from tasks.transfer.comparison.plan import PLUS_REPORT, PRETRAIN_PLUS, plus_report_job, pretrain_plus_job
from tasks.transfer.comparison.pretraining import mask_proteins, parts, plus_report, pretrain_plus
from tasks.transfer.proteins.artifact import STAGE, _table, open_proteins
from tasks.transfer.proteins.parsing import Parsed
from tasks.transfer.proteins.stages import proteins_job
from tasks.transfer.proteins.tokens import MASK, encode, frame_batch

PARAMS = PretrainPlusParams(
    protein_task="made", layers=1, width=16, heads=2, intermediate=32, max_length=14, steps=150, batch_size=16,
    learning_rate=1e-2, warmup=10, seed=0,
)  # fmt: skip


def write_proteins(directory, sequences):
    directory.mkdir(parents=True)
    found = Parsed(sequences=[ids.astype(np.uint8) for ids in sequences])
    write_table(_table(found, "number"), directory / "proteins", "made")
    (directory / "meta.json").write_text(json.dumps({"stage": STAGE, "task": "made", "labels": "number"}))
    return directory


@pytest.fixture(scope="module")
def proteins(tmp_path_factory):
    """Each is one amino acid again and again, so the others of a protein tell a hidden one."""
    rng = np.random.default_rng(0)
    made = [np.full(rng.integers(6, 15), rng.integers(1, 21)) for _ in range(200)]
    return write_proteins(tmp_path_factory.mktemp("made") / "proteins", made)


@pytest.fixture(scope="module")
def trained(proteins, tmp_path_factory):
    place = tmp_path_factory.mktemp("plus")
    return place, pd.DataFrame(run(PARAMS, proteins, place))


def run(params, proteins, place):
    place.mkdir(exist_ok=True)
    assert pretrain_plus(params, Context(needs={"proteins": proteins}, artifact=place)) == {}
    return plus_report(params, Context(needs={"plus": place}))["pretraining_plus"]


def test_it_names_hidden_residues_better_than_either_guess(trained):
    _, rows = trained
    last = rows[rows["step"] == 150].set_index("metric")["value"]
    assert last["guess_accuracy"] < 0.2
    assert last["place_accuracy"] < 0.3
    assert last["test_accuracy"] > 0.5
    loss = rows[rows["metric"] == "loss"]["value"].to_numpy()
    assert len(loss) == 100
    assert loss[0] < 6
    assert loss[-5:].mean() < loss[:5].mean() - 1
    assert not rows.duplicated(["step", "metric"]).any()


def test_its_checkpoint_is_loaded_whole(trained):
    place, _ = trained
    model = load_plus(place)
    assert (model.config.layers, model.config.width, model.config.max_length) == (1, 16, 14)
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


def test_the_same_parameters_give_the_same_weights(proteins, tmp_path):
    short = dataclasses.replace(PARAMS, steps=4, warmup=0)
    rows = [
        run(dataclasses.replace(short, seed=seed), proteins, tmp_path / name)
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert rows[0] == rows[1] != rows[2]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in "abc"]
    assert weights[0] == weights[1] != weights[2]


def test_15_percent_of_the_amino_acids_are_hidden():
    framed = frame_batch([encode("ARNDCQEGHILKMFPSTWYV" * 5), encode("XXAXX"), encode("XX")], 200)
    counts, words = [], []
    for seed in range(400):
        inputs, labels = mask_proteins(framed, 0.15, np.random.default_rng(seed))
        hidden = labels >= 0
        counts.append(hidden.sum(axis=1).tolist())
        assert ((labels >= 1) & (labels <= 20))[hidden].all()
        assert np.array_equal(labels[hidden], framed.tokens[hidden])
        assert np.array_equal(inputs[~hidden], framed.tokens[~hidden])
        words.append((inputs[hidden], labels[hidden]))
    assert counts == [[15, 1, 0]] * 400
    read, wanted = (np.concatenate(column) for column in zip(*words, strict=True))
    # 6,400 places: standard errors below 0.6 %.
    assert (read == MASK).mean() == pytest.approx(0.8, abs=0.025)
    assert (read == wanted).mean() == pytest.approx(0.105, abs=0.02)  # a twentieth of the drawn ones is right
    others = read[(read != MASK) & (read != wanted)]
    assert set(others.tolist()) == set(range(1, 21))


def test_the_proteins_that_judge_are_kept_aside(tmp_path):
    made = [encode("A"), encode("X"), *[encode("AR")] * 30, encode("XXXXXXXXXXXXA")]
    found = open_proteins(write_proteins(tmp_path / "proteins", made))
    train, test = parts(PARAMS, found)
    assert sorted([*train, *test]) == [0, *range(2, 32)]  # without what has nothing to hide in its first 12 residues
    assert len(test) == 3
    assert not set(train) & set(test)
    again = parts(dataclasses.replace(PARAMS, seed=7, test_proteins=2), found)
    assert np.array_equal(again[0], train)
    assert np.array_equal(again[1], test[:2])


def test_what_cannot_be_trained_says_why(proteins, tmp_path):
    wild = dataclasses.replace(PARAMS, learning_rate=1e30, warmup=0, clip=0.0, steps=20)
    with pytest.raises(ValueError, match=r"the loss is (nan|inf) at step \d+ of 20; give a lower learning rate"):
        run(wild, proteins, tmp_path / "wild")
    with pytest.raises(ValueError, match="an empty directory"):
        pretrain_plus(PARAMS, Context(needs={"proteins": proteins}))
    with pytest.raises(ValueError, match="plan a proteins job"):
        pretrain_plus(PARAMS, Context(artifact=tmp_path))
    with pytest.raises(ValueError, match="the proteins are of made, planned was builtin"):
        run(dataclasses.replace(PARAMS, protein_task="builtin"), proteins, tmp_path / "other")
    with pytest.raises(DataError, match="made: 1 proteins with amino acids"):
        run(PARAMS, write_proteins(tmp_path / "one", [encode("AR"), encode("X")]), tmp_path / "lonely")
    with pytest.raises(ValueError, match="run its job again"):
        plus_report(PARAMS, Context(needs={"plus": tmp_path}))


def test_its_job_is_known_by_proteins_sizes_and_steps():
    proteins = proteins_job("builtin", None, split="train")
    job = pretrain_plus_job(proteins, steps=30)
    assert isinstance(job, Job)
    assert job.stage is PRETRAIN_PLUS
    assert job.params.warmup == 3
    assert job.params.protein_task == "builtin"
    assert job.passes == 3 * 2 * 30 * 32
    others = [pretrain_plus_job(proteins, steps=30, **change) for change in ({"seed": 1}, {"width": 32}, {"layers": 3})]
    others.append(pretrain_plus_job(proteins_job("builtin", None, split="train", limit=50), steps=30))
    assert len({job.id, *(other.id for other in others)}) == 5
    report = plus_report_job(job)
    assert report.stage is PLUS_REPORT
    assert report.needs["plus"] is job


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": 3}, "heads is 3: give a number that divides the width 16"),
        ({"max_length": 2}, "max-length is 2: give at least 3"),
        ({"mask_ratio": 0.0}, "mask-ratio is 0.0: give more than 0"),
        ({"learning_rate": 0.0}, "learning-rate is 0.0"),
        ({"steps": 0}, "steps is 0"),
        ({"clip": -1.0}, "clip is -1.0"),
    ],
)
def test_settings_that_cannot_be(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(PARAMS, **change)
