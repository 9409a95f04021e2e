"""Outcomes, shares and sentences from rows made up so that the answers are known."""

import numpy as np
import pandas as pd
import pytest

from orchestrator.experiment import Job
from tasks.attention.copying.options import Kind
from tasks.attention.copying.outcomes import outcomes, shares
from tasks.attention.sequence_copying import EXPERIMENT
from tasks.attention.sequence_copying.config import Attention, Config
from tasks.attention.sequence_copying.reduce import is_published_setting, published_ranges, summarise
from tasks.attention.sequence_copying.stages import TRAIN_COPIES, TrainCopiesParams
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


def test_tables_say_what_the_rows_say_and_sentences_compare_with_what_was_published():
    found = summarise(FakeResults(EXPERIMENT.tables, [PERMUTATION, DISTINCT]), CONFIG)
    said = " ".join(found.notes)
    assert "permutation-40 was learned less often than distinct-60: 1 of 3 runs against 3 of 3" in said
    assert "every run at 0.99 by step 60. Found: 2 of 3." in said
    assert "1 learned, 2 failed, 1 of these as expected" in said  # the other one's attention is not below 0.1
    assert "missing" not in said
    assert set(found.figures) == {"learning_curves"}
    shared = found.tables["shares"].set_index("setting")
    assert shared["learned"].to_dict() == {"permutation-40": 1, "distinct-60": 3}
    steps = ["reached_first", "reached_median", "reached_last"]
    assert shared.loc["distinct-60", steps].tolist() == [40, 60, 70]
    others = ["unlearned_accuracy_least", "unlearned_accuracy_most", "unlearned_attention_most"]
    assert shared.loc["permutation-40", others].tolist() == [0.6, 0.7, 0.2]
    bags = found.tables["bags"].set_index("setting")
    assert bags.loc["permutation-40", "variance"] == 0
    assert bags.loc["distinct-60", "covariance"] == pytest.approx(-0.0037664783)
    curve = found.tables["curves"].query("setting == 'distinct-60' and measure == 'accuracy' and step == 60").iloc[0]
    assert curve[["runs", "mean", "least", "most"]].tolist() == pytest.approx([3, 2.2 / 3, 0.2, 1.0])


def test_runs_without_attention_and_losses_that_are_not_finite():
    given = [job("distinct", 60, [*rows(0, 0.1, None), *rows(1, 0.0, None, loss=np.inf)], "none")]
    config = Config(settings=("distinct-60",), attentions=("none",), seeds=(0, 1, 2))
    found = summarise(FakeResults(EXPERIMENT.tables, given), config)
    assert found.tables["outcomes"]["outcome"].tolist() == ["failed", "not finite"]
    assert found.tables["shares"]["unlearned_attention_most"].isna().all()
    losses = found.tables["curves"].query("measure == 'loss'")
    assert losses["runs"].tolist() == [1] * len(STEPS)


def test_published_numbers_stand_beside_runs_of_the_published_setting_alone():
    assert is_published_setting(Config())
    assert not is_published_setting(Config(hidden=128))
    assert not is_published_setting(Config(bidirectional=True))
    known = published_ranges(Config()).set_index(["setting", "step"])[["low", "high"]]
    assert known.loc[("distinct-60", 30)].tolist() == [0.73, 0.86]
    assert "repeat-40" not in known.index
    for other in (Config(attentions=("uniform",)), Config(batch=64)):
        assert not len(published_ranges(other))
