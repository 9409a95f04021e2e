"""Differences are paired by seeds, and the onset is where they stay above the margin."""

import numpy as np
import pandas as pd
import pytest

from tasks.analysis.panels import of
from tasks.squad.squad_probes.differences import differences, first_level, onsets, paired_differences, published_pairs
from tests.tasks.squad.squad_probes.planted_scores import even, results, scores_of
from tests.tasks.squad.squad_probes.probe_fakes import (
    BERT,
    encoder,
)


def test_differences_are_paired_by_seeds_of_probes_and_of_encoders():
    tuned = [even(80, has, seed=seed) for seed, has in ((1, 50), (2, 60))]
    before = [even(90, has, seed=seed) for seed, has in ((1, 10), (2, 14))]
    found = results((encoder(BERT, "finetuned"), tuned), (encoder(BERT, "pretrained"), before))
    pairs = paired_differences(of(scores_of(found), part="all"))
    own = of(pairs, metric="has_f1")
    assert dict(zip(own["seed"], own["value"], strict=True)) == {1: pytest.approx(40), 2: pytest.approx(46)}
    assert set(pairs["before"]) == {"pretrained"}
    # From scratch: each fine-tuned encoder against the random one of its own seed.
    small = results(
        *((encoder("scratch", "finetuned", seed), [even(80, 50 + seed)]) for seed in (0, 1, 5)),
        *((encoder("scratch", "random", seed), [even(90, 10 * seed)]) for seed in (0, 1, 2)),
    )
    pairs = paired_differences(of(scores_of(small), part="all"))
    own = of(pairs, metric="has_f1").set_index("encoder_seed")["value"]
    assert own.to_dict() == {0: pytest.approx(50), 1: pytest.approx(41)}
    row = of(differences(pairs), metric="has_f1").iloc[0]
    assert (row["runs"], row["over"], row["mean"]) == (2, "encoder seeds", pytest.approx(45.5))


@pytest.mark.parametrize(
    ("difference", "level"),
    [
        ([0, 0.5, 1.5, 2], 2),
        ([0, 2, 0.5, 2], 3),  # what comes before a level below the margin does not count
        ([2, 2, 2, 2], 0),
        ([0, 2, 2, 1.0], np.inf),  # the margin must be exceeded, at the last level too
        ([0, np.nan, 2, 2], np.nan),
        ([], np.nan),
    ],
)
def test_onset_is_the_first_level_of_the_last_stretch_above_the_margin(difference, level):
    found = first_level(np.arange(len(difference)), np.array(difference, dtype=float))
    assert found == level or (np.isnan(found) and np.isnan(level))


def test_onset_counts_the_runs_that_never_reach_it():
    def ramp(seed, starts):
        return [even(100, 10.0 if level >= starts else 0.0, level=level, seed=seed) for level in range(5)]

    flat = [even(100, 0, level=level, seed=seed) for level in range(5) for seed in (1, 2, 3)]
    tuned = ramp(1, 2) + ramp(2, 4) + ramp(3, 9)
    scores = scores_of(results((encoder(BERT, "finetuned"), tuned), (encoder(BERT, "pretrained"), flat)))
    row = of(onsets(paired_differences(of(scores, part="all"))), metric="has_f1").iloc[0]
    assert (row["reached"], row["never"], row["undefined"], row["runs"]) == (2, 1, 0, 3)
    assert (row["mean"], row["earliest"], row["latest"], row["levels"]) == (3, 2, 4, 4)
    # Student's interval of 2 and 4 is wider than the model is deep.
    assert (row["low"], row["high"]) == (0, 4)


def test_levels_without_randomness_belong_to_every_run_of_the_onset():
    """Selected probes: at one level the converged one was chosen, at others those of three seeds."""
    rows = []
    for kind, has in (("finetuned", 10.0), ("pretrained", 0.0)):
        shared = {"model": BERT, "checkpoint": "", "encoder": kind, "mode": "proper", "encoder_seed": -1}
        shared |= {"decoder": "proper", "configuration": "selected", "metric": "f1"}
        rows += [{**shared, "seed": seed, "level": 0, "value": 0.0} for seed in (1, 2, 3)]
        rows += [{**shared, "seed": -1, "level": 1, "value": has}]
        rows += [{**shared, "seed": seed, "level": 2, "value": has} for seed in (1, 2, 3)]
    row = onsets(paired_differences(pd.DataFrame(rows))).iloc[0]
    assert (row["runs"], row["reached"], row["mean"]) == (3, 3, 1)


def test_onset_of_the_published_tables():
    table = onsets(published_pairs(), "published").set_index(["model", "metric"])
    assert table["mean"].to_dict() == {
        ("albert/albert-base-v2", "f1"): 5,  # 50.94 against 51.84 at level 4, 55.04 against 51.79 at level 5
        ("albert/albert-base-v2", "has_f1"): 2,
        ("google-bert/bert-base-uncased", "f1"): 7,
        ("google-bert/bert-base-uncased", "has_f1"): 3,
        ("distilbert/distilbert-base-uncased", "f1"): 5,
        ("distilbert/distilbert-base-uncased", "has_f1"): 3,
    }
