"""Ours beside the published numbers."""

import pandas as pd
import pytest

from tasks.analysis.panels import of
from tasks.squad.published import METRICS
from tasks.squad.squad_probes.published import gaps, nearest_to_published, published_beside
from tasks.squad.squad_probes.rows import LAYERS, configuration, over_runs
from tests.tasks.squad.squad_probes.planted_scores import even, f1_of, results, scores_of
from tests.tasks.squad.squad_probes.probe_fakes import (
    BERT,
    encoder,
)


def test_the_published_numbers_stand_beside_ours_where_the_weights_are_the_same():
    same = encoder(BERT, "finetuned")
    other = same | {"checkpoint": "somebody/bert-base-uncased-squad2"}
    rows = [even(70.7702, 75.4991, level=12), even(60, 50, level=12, strength=3e-4), even(100, 0, level=0)]
    scores = scores_of(results((same, rows), (other, rows), (encoder(BERT, "random", 0), rows)))
    beside = published_beside(over_runs(of(scores, part="all"), LAYERS), 6078.0)
    assert set(beside["checkpoint"]) == {same["checkpoint"]}
    assert set(beside["level"]) == {12}
    assert set(beside["metric"]) == {*METRICS, "best_f1"}
    first = of(beside, metric="f1").iloc[0]
    assert first["configuration"] == "adam 3e-05"
    assert first["difference"] == pytest.approx(0, abs=2e-4)
    assert of(beside, metric="best_f1")["published"].tolist() == [74.5931, 74.5931]


def test_gaps_are_to_the_end_to_end_scores_of_the_same_checkpoint():
    scores = scores_of(results((encoder(BERT, "finetuned"), [even(70, 80, level=11), even(70, 70, level=12)])))
    table = gaps(over_runs(of(scores, part="all"), LAYERS)).set_index(["source", "checkpoint"])
    own = table.loc[("ours", "twmkn9/bert-base-uncased-squad2")]
    assert (own["best_level"], own["last_level"]) == (11, 12)
    assert own["last_minus_end_to_end"] == pytest.approx(f1_of(70, 70) - 75.7536)
    published = table.loc["published"]["last_minus_end_to_end"].to_dict()
    assert published["twmkn9/albert-base-v2-squad2"] == pytest.approx(80.8055 - 81.8923)
    assert len(published) == 3


def test_the_nearest_configuration_is_adams_next_to_the_published_rate():
    rows = pd.DataFrame(
        {
            "solver": ["lbfgs", "adam", "adam", "lbfgs"],
            "learning_rate": [0.0, 1e-3, 1e-4, 0.0],
            "l2": [0.1, 0.0, 0.0, 0.01],
        }
    )
    rows["configuration"] = configuration(rows)
    assert nearest_to_published(rows) == "adam 0.0001"
    assert nearest_to_published(of(rows, solver="lbfgs")) == "lbfgs 0.01"
    assert nearest_to_published(rows[:0]) is None
