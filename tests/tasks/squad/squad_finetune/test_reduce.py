"""Tables, figures and sentences from rows, whatever part of a sweep is done."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest

from tasks.squad.squad_finetune import EXPERIMENT
from tasks.squad.squad_finetune.config import Config
from tasks.squad.squad_finetune.reduce import published_row, score_table, summarise

MODELS = ("albert-base-v2", "google-bert/bert-base-uncased", "mine")
PUBLISHED = {"albert-base-v2": 81.8923, "google-bert/bert-base-uncased": 75.7536}


class FakeResults:
    def __init__(self, **tables):
        self.tables = tables

    def table(self, name):
        if name in self.tables:
            return self.tables[name]
        return pd.DataFrame(columns=["job_id", *EXPERIMENT.tables[name].schema.names])  # no parameters without rows

    @property
    def jobs(self):
        return pd.DataFrame(columns=["job_id", "seconds"])


def fake_scores(models=MODELS, seeds=(0, 1)) -> pd.DataFrame:
    rows = []
    metrics = ("exact", "f1", "has_exact", "has_f1", "no_exact", "forced_has_f1", "best_f1_threshold", "exact_se")
    decoders = ("exhaustive", "n_best", "legacy", "never")
    for (m, model), seed, (d, decoder) in itertools.product(enumerate(models), seeds, enumerate(decoders)):
        for i, metric in enumerate(metrics):
            value = 52.1 if decoder == "never" else 60 + 5 * m + i + 0.5 * seed - d
            value = -np.inf if metric == "best_f1_threshold" and m == 0 else value
            value = np.nan if metric == "exact_se" and m == 1 else value
            row = {"model": model, "encoder_seed": seed, "decoder": decoder, "part": "all", "metric": metric}
            rows.append({**row, "value": value, "job_id": f"{model}-{seed}"})
    return pd.DataFrame(rows)


def full_results(models=MODELS) -> FakeResults:
    seeds = (0, 1)
    pairs = list(itertools.product(models, seeds))
    curves = [
        {"model": m, "seed": s, "step": 10 * k, "epoch": k / 3, "loss": 6 / k + 0.1 * s, "learning_rate": 1e-5}
        for m, s in pairs
        for k in range(1, 10)
    ]
    costs = [
        {"job_id": f"{m}-{s}", "model": m, "questions": 6078, "windows": 6398, "layer_passes": 12,
         "encoder_seconds": 1.0, "decode_seconds": 0.1}
        for m, s in pairs
    ]  # fmt: skip
    training = [
        {"job_id": f"t{m}-{s}", "model": m, "steps": 90, "train_seconds": 5.0, "layer_passes": 36} for m, s in pairs
    ]
    return FakeResults(
        scores=fake_scores(models),
        costs=pd.DataFrame(costs),
        training_curves=pd.DataFrame(curves),
        training_costs=pd.DataFrame(training),
    )


CONFIG = Config(models=MODELS, finetune_seeds=(0, 1))


def test_means_and_intervals_are_over_seeds():
    table = score_table(fake_scores()).set_index(["model", "decoder", "metric"])
    row = table.loc[("albert-base-v2", "exhaustive", "f1")]
    assert row["mean"] == pytest.approx(61.25)
    assert row["ci_high"] - row["mean"] == pytest.approx(12.7062 * np.sqrt(0.125) / np.sqrt(2), rel=1e-4)
    assert (row["seeds"], row["nan"]) == (2, 0)
    assert table.loc[("albert-base-v2", "exhaustive", "best_f1_threshold"), "mean"] == -np.inf
    assert np.isnan(table.loc[("albert-base-v2", "exhaustive", "best_f1_threshold"), "ci_low"])
    assert table.loc[("google-bert/bert-base-uncased", "exhaustive", "exact_se"), "nan"] == 2


def test_published_numbers_stand_beside_the_same_models_only():
    summary = summarise(full_results(), CONFIG)
    beside = summary.tables["published_beside"]
    assert set(beside["model"]) == {"albert-base-v2", "google-bert/bert-base-uncased"}
    f1 = beside[beside["metric"] == "f1"].set_index("model")
    for model, published in PUBLISHED.items():
        assert f1.loc[model, "published"] == published
        assert f1.loc[model, "difference"] == pytest.approx(f1.loc[model, "ours"] - published)
        assert f1.loc[model, "questions"] == 6078
    assert published_row("twmkn9/albert-base-v2-squad2") == published_row("albert/albert-base-v2")
    assert published_row("someone/bert-base-uncased") is None
    assert published_row("scratch") is None


def test_every_model_has_a_sentence_and_axes_are_labelled():
    summary = summarise(full_results(), CONFIG)
    assert set(summary.figures) == {"scores_by_model", "training_loss"}
    assert [note.partition(":")[0] for note in summary.notes[:3]] == [*MODELS]
    main = summary.tables["main"]
    assert len(main) == 3 * 4
    for figure in summary.figures.values():
        for axis in figure.axes:
            assert axis.get_ylabel()


@pytest.mark.parametrize("lacking", ["scores", "costs", "training_curves", "training_costs"])
def test_a_part_that_is_missing_is_no_error(lacking, tmp_path):
    results = full_results()
    del results.tables[lacking]
    summary = summarise(results, CONFIG)
    for name, figure in summary.figures.items():
        figure.savefig(tmp_path / f"{name}.png")
    if lacking == "scores":
        assert "6 of 6 evaluations are missing." in summary.notes


def test_nothing_at_all_is_no_error():
    summary = summarise(FakeResults(), CONFIG)
    assert not summary.figures
    assert summary.notes[0] == "6 of 6 evaluations are missing."


def test_one_seed_has_no_interval():
    own = dataclasses.replace(CONFIG, finetune_seeds=(0,))
    summary = summarise(FakeResults(scores=fake_scores(seeds=(0,))), own)
    assert "interval" not in summary.notes[0]
    assert summary.tables["scores"]["ci_low"].isna().all()
    assert not any("missing" in note for note in summary.notes)
