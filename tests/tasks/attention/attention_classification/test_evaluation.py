"""Scores of checkpoints: against one document at a time, sample and orientation, Delta's choice, missing files."""

import random

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from models.attention_classifier import AttentionClassifier, ClassifierConfig
from orchestrator.experiment import Context
from tasks.attention.attention_classification import evaluation
from tasks.attention.attention_classification.evaluation import classifier_delta, evaluate_classifier
from tasks.attention.attention_classification.stages import DeltaParams, EvaluateParams
from tasks.attention.attention_classification.training import train_classifier
from tasks.attention.learning.runs import Run, checkpoint_name
from tasks.attention.learning.scores import read_scores, train_sample
from tasks.attention.texts.stages import open_texts
from tasks.data.errors import DataError
from tests.tasks.attention.attention_classification.conftest import DATA, SIZES, TRAIN, change

EVERYTHING = ("alpha", "beta", "delta")
EVALUATE = EvaluateParams(**DATA, **SIZES, kind="normal", seed=20, step=9, quantities=EVERYTHING)


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    directory = tmp_path_factory.mktemp("run")
    params = change(TRAIN, runs=("normal-20", "uniform-12"), stacked=True)
    train_classifier(params, Context(needs={"data": data}, artifact=directory))
    return directory


def evaluated(params, data, run, directory, **given):
    directory.mkdir(exist_ok=True)
    rows = evaluate_classifier(params, Context(needs={"data": data, "run": run}, artifact=directory, **given))
    return rows["performance"], read_scores(directory)


@pytest.mark.parametrize(("kind", "seed"), [("normal", 20), ("uniform", 12)])
def test_scores_are_those_of_one_document_at_a_time(kind, seed, data, run, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "CELLS", 40)  # several batches
    rows, scores = evaluated(change(EVALUATE, kind=kind, seed=seed), data, run, tmp_path)
    texts = open_texts(data)
    config = ClassifierConfig(
        vocab_size=len(texts.vocabulary), embedding=5, hidden=4, intermediate=3, uniform=kind == "uniform"
    )
    model = AttentionClassifier(config)
    model.load_state_dict(load_file(run / f"{kind}-{seed}" / "9.safetensors"))
    random.seed(1)
    sample = random.sample(range(len(texts.train)), len(texts.test))
    assert scores.items == {"val": 12, "train": 12}
    documents = [*((texts.test, i) for i in range(12)), *((texts.train, i) for i in sample)]
    right = []
    for item, (part, number) in enumerate(documents):
        tokens = torch.from_numpy(part.tokens[number].astype(np.int64))[None]
        label = float(part.labels[number])
        length = torch.tensor([tokens.shape[1]])
        scale = torch.ones(tokens.shape, requires_grad=True)
        found = model(tokens, length, scale)
        loss = functional.binary_cross_entropy_with_logits(found.score_B, torch.tensor([label]))
        (slope,) = torch.autograd.grad(loss, scale)
        plain = {"alpha": found.alpha_BS, "beta": found.beta_BS * (2 * label - 1), "delta": -slope}
        for name, values in plain.items():
            ours = scores.quantity(name)[item]
            np.testing.assert_allclose(ours, values[0].detach().numpy(), rtol=0, atol=1e-5)
        right.append((found.score_B.item() > 0) == (label == 1))
    by_part = {(row["split"], row["part"]): row["value"] for row in rows}
    assert by_part["val", "all"] == pytest.approx(np.mean(right[:12]))
    assert by_part["train", "all"] == pytest.approx(np.mean(right[12:]))
    for split in ("val", "train"):
        halves = [np.mean(np.array(right)[scores.rows(split, part)]) for part in "ab"]
        assert [by_part[split, part] for part in "ab"] == pytest.approx(halves)
        assert scores.performance[split]["all"] == {"accuracy": by_part[split, "all"]}


def test_only_what_is_asked_for_is_kept(data, run, tmp_path):
    params = change(EVALUATE, quantities=("alpha",), splits=("val",))
    rows, scores = evaluated(params, data, run, tmp_path)
    assert sorted(scores.values) == ["alpha"]
    assert scores.items == {"val": 12}
    assert {row["split"] for row in rows} == {"val"}


def test_the_sample_is_the_published_one_and_no_larger_than_the_training_set():
    random.seed(1)
    assert train_sample(500, 30).tolist() == random.sample(range(500), 30)
    assert sorted(train_sample(20, 30).tolist()) == list(range(20))


def delta_context(data, run, directory, steps):
    """The delta job's needs, with evaluations of the gold run."""
    needs = {"data": data, "run": run}
    for step in steps:
        place = directory / f"evaluation-{step}"
        evaluated(change(EVALUATE, step=step, quantities=("alpha",)), data, run, place)
        needs[checkpoint_name(Run("normal", 20), step)] = place
    (directory / "delta").mkdir()
    return Context(needs=needs, artifact=directory / "delta")


def test_delta_is_computed_where_the_gold_run_is_best(data, run, tmp_path):
    steps = (0, 3, 5, 9)
    context = delta_context(data, run, tmp_path, steps)
    classifier_delta(DeltaParams(**DATA, **SIZES, seed=20, steps=steps), context)
    scores = read_scores(tmp_path / "delta")
    accuracy = {step: read_scores(tmp_path / f"evaluation-{step}").performance for step in steps}
    best = {
        max(steps, key=lambda s, sp=split, pa=part: (accuracy[s][sp][pa]["accuracy"], -s))
        for split in ("val", "train")
        for part in ("all", "a")
    }
    assert set(scores.values) == {f"delta-{step}" for step in best}
    for step in best:
        _, whole = evaluated(change(EVALUATE, step=step), data, run, tmp_path / f"whole-{step}")
        np.testing.assert_array_equal(whole.quantity("delta").values, scores.quantity(f"delta-{step}").values)


def test_a_missing_or_broken_checkpoint_is_named(data, run, tmp_path):
    with pytest.raises(DataError, match=r"normal-20/4\.safetensors: no such checkpoint, only 0, 3, 5, 9; run"):
        evaluated(change(EVALUATE, step=4), data, run, tmp_path / "a")
    (tmp_path / "normal-20").mkdir()
    (tmp_path / "normal-20" / "9.safetensors").write_bytes(b"cut off")
    with pytest.raises(DataError, match=r"9\.safetensors.*run the training of normal-20 again"):
        evaluated(EVALUATE, data, tmp_path, tmp_path / "b")
    save_file({"embedding.weight": torch.zeros(3, 5)}, tmp_path / "normal-20" / "9.safetensors")
    with pytest.raises(DataError, match=r"9\.safetensors: Error.*run the training"):
        evaluated(EVALUATE, data, tmp_path, tmp_path / "c")


def test_a_document_that_is_too_long_for_memory_is_named(data, run, tmp_path):
    with pytest.raises(DataError, match=r"document \d+ has 12 tokens.*--max-length"):
        evaluated(EVALUATE, data, run, tmp_path, memory_bytes=1000)


def test_weights_that_are_no_numbers_are_recorded_and_do_not_stop_anything(data, run, tmp_path):
    weights = load_file(run / "normal-20" / "9.safetensors")
    weights["value.bias"].fill_(float("nan"))
    (tmp_path / "normal-20").mkdir()
    save_file(weights, tmp_path / "normal-20" / "9.safetensors")
    rows, scores = evaluated(EVALUATE, data, tmp_path, tmp_path / "out")
    assert np.isnan(scores.quantity("beta").values).all()
    assert np.isfinite([row["value"] for row in rows]).all()
