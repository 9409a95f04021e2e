"""Outcomes, shares and sentences from rows made up so that the answers are known."""

import numpy as np
import pandas as pd
import pytest

from orchestrator.experiment import Job
from tasks.attention.copying.outcomes import outcomes, shares
from tasks.attention.copying.settings import Kind
from tasks.attention.sequence_copying import EXPERIMENT
from tasks.attention.sequence_copying.config import Config
from tasks.attention.sequence_copying.params import TRAIN_COPIES, Attention, TrainCopiesParams
from tasks.attention.sequence_copying.published import is_published_setting, published_ranges
from tasks.attention.sequence_copying.reduce import summarise
from tests.fake_results import FakeResults

STEPS = tuple(range(0, 200, 10))


def rows(seed: int, accuracy: float, attention: float | None, *, reached: int | None = None, loss: float = 1.0) -> list:
    """A run that stands at these numbers, and at accuracy 1 from step `reached` on."""
    found = []
    for step in STEPS:
        there = reached is not None and step >= reached
        share = None if attention is None else 1.0 if there else attention
        found.append(
            {
                "seed": seed,
                "step": step,
                "updates": step + 1,
                "accuracy": 1.0 if there else accuracy,
                "attention_accuracy": share,
                "attention_late": share,
                "attention_early": share,
                "loss": loss,
            }
        )
    return found


def job(kind: Kind, symbols: int, given: list, attention: Attention = "learned") -> tuple:
    seeds = tuple(sorted({row["seed"] for row in given}))
    params = TrainCopiesParams(kind=kind, symbols=symbols, seeds=seeds, attention=attention)
    cost = {"first_seed": seeds[0], "runs": len(seeds), "at_once": 1, "parameters": 9, "train_seconds": 3.0}
    return Job(stage=TRAIN_COPIES, params=params), {"copying": given, "trainings": [cost]}


PERMUTATION = job("permutation", 40, [*rows(0, 0.6, 0.0, reached=70), *rows(1, 0.6, 0.0), *rows(2, 0.7, 0.2)])
DISTINCT = job(
    "distinct", 60, [*rows(0, 0.2, 0.5, reached=40), *rows(1, 0.2, 0.5, reached=60), *rows(2, 0.2, 0.5, reached=70)]
)
CONFIG = Config(seeds=(0, 1, 2))


def test_outcomes_follow_from_the_evaluations():
    made = [
        *rows(0, 0.5, 0.0, reached=90),
        *rows(1, 0.98, 0.97),
        *rows(2, 0.6, 0.01),
        *rows(3, 0.0, 0.0, loss=float("nan")),
        *rows(4, 0.4, None),
    ]
    found = outcomes(pd.DataFrame(made), ["seed"], 0.99).set_index("seed")
    assert found["outcome"].tolist() == ["learned", "attends", "failed", "not finite", "failed"]
    assert found.loc[0, "reached"] == 90
    assert found["reached"].isna().tolist() == [False, True, True, True, True]
    assert found.loc[2, ["last_step", "accuracy", "attention_accuracy"]].tolist() == [190, 0.6, 0.01]
    assert outcomes(pd.DataFrame(made), ["seed"], 0.97).set_index("seed").loc[1, "outcome"] == "learned"
    line = shares(found.reset_index().assign(line="x"), ["line"]).iloc[0]
    assert line[["runs", "learned", "attends", "failed", "not_finite"]].tolist() == [5, 1, 1, 2, 1]
    assert (line["share"], line["unlearned_accuracy_most"]) == (0.2, 0.98)


def test_sentences_say_what_the_rows_say():
    found = summarise(FakeResults(EXPERIMENT.tables, [PERMUTATION, DISTINCT]), CONFIG)
    said = " ".join(found.notes)
    assert "permutation-40: 1 of 3 runs (33 %" in said
    assert "distinct-60: 3 of 3 runs (100 %" in said
    assert "first at steps 40 to 70 (median 60)" in said
    assert "stood at 0.600 to 0.700 at the last evaluation, their attention right in 0.200 of positions" in said
    assert "permutation-40 was learned less often than distinct-60: 1 of 3 runs against 3 of 3" in said
    assert "every run at 0.99 by step 60. Found: 2 of 3." in said
    assert "1 learned, 2 failed, 1 of these as expected" in said  # the other one's attention is not below 0.1
    assert "0 of 120 losses are not finite" in said
    assert "missing" not in said
    assert set(found.captions) == set(found.tables) | set(found.figures)
    assert set(found.figures) == {"learning_curves"}
    bags = found.tables["bags"].set_index("setting")
    assert bags.loc["permutation-40", "variance"] == 0
    assert bags.loc["distinct-60", "covariance"] == pytest.approx(-0.0037664783)
    curve = found.tables["curves"].query("setting == 'distinct-60' and measure == 'accuracy' and step == 60").iloc[0]
    assert curve[["runs", "mean", "least", "most"]].tolist() == pytest.approx([3, 2.2 / 3, 0.2, 1.0])


def test_when_permutations_are_learned_as_often_that_is_said():
    given = [job("permutation", 40, rows(0, 0.1, 0.0, reached=50)), job("repeat", 40, rows(0, 0.1, 0.0, reached=50))]
    found = summarise(
        FakeResults(EXPERIMENT.tables, given), Config(settings=("permutation-40", "repeat-40"), seeds=(0,))
    )
    assert any("permutation-40 was learned no less often than repeat-40" in note for note in found.notes)


def test_attention_that_is_not_there_and_losses_that_are_not_finite_are_said():
    given = [job("distinct", 60, [*rows(0, 0.1, None), *rows(1, 0.0, None, loss=np.inf)], "none")]
    config = Config(settings=("distinct-60",), attentions=("none",), seeds=(0, 1, 2))
    found = summarise(FakeResults(EXPERIMENT.tables, given), config)
    assert any("1 of 3 runs are missing" in note for note in found.notes)
    assert any("20 of 40 losses are not finite" in note for note in found.notes)
    assert found.tables["outcomes"]["outcome"].tolist() == ["failed", "not finite"]
    assert not any("attention right" in note for note in found.notes)


def test_nothing_done_is_said_and_no_crash():
    found = summarise(FakeResults(EXPERIMENT.tables, []), CONFIG)
    assert any("6 of 6 runs are missing" in note for note in found.notes)
    assert set(found.tables) == {"bags"}
    assert not found.figures


def test_published_numbers_stand_beside_runs_of_the_published_setting_alone():
    assert is_published_setting(Config())
    assert not is_published_setting(Config(hidden=128))
    assert not is_published_setting(Config(bidirectional=True))
    assert published_ranges("distinct-60", "learned").set_index("step").loc[30].tolist() == [0.73, 0.86]
    assert not len(published_ranges("distinct-60", "uniform"))
    other = summarise(FakeResults(EXPERIMENT.tables, [DISTINCT]), Config(settings=("distinct-60",), batch=64))
    assert not any("published" in note or "Expected" in note for note in other.notes)
