"""Verdicts, combinations and sentences from rows made up so that the answers are known."""

import pytest

from orchestrator.experiment import Job
from tasks.attention.multihead_copying import EXPERIMENT
from tasks.attention.multihead_copying.config import Combined, Config
from tasks.attention.multihead_copying.reduce import summarise
from tasks.attention.multihead_copying.stages import COMBINE_HEADS, SCREEN_HEADS, CombineHeadsParams, ScreenHeadsParams
from tests.fake_results import FakeResults

CONFIG = Config(combinations=2, size=2, wanted=2, random_heads=4, candidates=4, data_seeds=(0, 1))
MODEL = {"kind": "permutation", "symbols": 40, "wanted": 2}
STEPS = (0, 100, 190)


def screened(outcomes: dict[int, tuple[str, str]], *, needed: bool = True) -> tuple:
    """A block in which these heads have these outcomes with data seeds 0 and 1."""
    params = ScreenHeadsParams(heads=tuple(outcomes), data_seeds=(0, 1), **MODEL)
    heads, curves = [], []
    for head, found in outcomes.items():
        verdict = found[0] if found[0] == found[1] != "undecided" else "neither"
        for seed, outcome in enumerate(found):
            last = {"good": 0.96, "bad": 0.3, "undecided": 0.7}[outcome]
            place = {"head": head, "data_seed": seed}
            heads.append({**place, "outcome": outcome, "decided": 190, "accuracy": last, "verdict": verdict})
            curves += [{**place, "step": step, "accuracy": last, "attention_accuracy": 0.1} for step in STEPS]
    block = {"first_head": min(outcomes), "needed": needed, "good_before": 0, "bad_before": 0, "at_once": 1}
    tables = {"heads": heads if needed else [], "screening": curves if needed else []}
    return Job(stage=SCREEN_HEADS, params=params), {**tables, "head_blocks": [{**block, "screen_seconds": 2.0}]}


def combined(kind: Combined, last: list[float], pointing: list[float], *, good: int = 2, bad: int = 2) -> tuple:
    """Combinations that stand at these accuracies at the end; pointing: each head's attention accuracy there."""
    params = CombineHeadsParams(combined=kind, combinations=(0, 1), size=2, random_heads=4, **MODEL)
    curves, attention = [], []
    for number, accuracy in enumerate(last):
        for step in STEPS:
            curves.append({"combination": number, "step": step, "accuracy": accuracy if step == 190 else 0.02})
            for place, share in enumerate(pointing):
                heads = {"place": place, "head": 10 + place, "attention_accuracy": share, "attention_late": 0.0}
                attention.append({"combination": number, "step": step, **heads})
    stock = {"first_combination": 0, "good_found": good, "bad_found": bad, "enough": bool(last), "at_once": 1}
    tables = {"combinations": curves, "attention": attention, "combination_blocks": [{**stock, "combine_seconds": 3.0}]}
    return Job(stage=COMBINE_HEADS, params=params), tables


HEADS = screened({0: ("good", "good"), 1: ("bad", "bad"), 2: ("good", "bad"), 3: ("bad", "bad")})


def test_both_questions_are_answered_from_the_rows():
    given = [
        HEADS,
        combined("bad", [0.4, 0.5], [0.0, 0.0]),
        combined("good", [0.99, 0.5], [0.1, 0.8]),
        combined("random", [0.99, 0.97], [0.9, 0.2]),
    ]
    found = summarise(FakeResults(EXPERIMENT.tables, given), CONFIG)
    said = " ".join(found.notes)
    assert "Do heads that fail alone learn together? 0 of 2 combinations did: none of them." in said
    assert "With it combinations learned more often: 1 of 2 against 0 of 2" in said
    assert "In 2 of 2 combinations with a good head it is that head" in said
    assert "missing" not in said
    outcomes = found.tables["combination_outcomes"].set_index(["combined", "combination"])["outcome"]
    assert outcomes["good"].tolist() == ["learned", "attends"]
    assert outcomes["bad"].tolist() == ["failed", "failed"]
    steps = found.tables["shares_by_step"].query("combined == 'random'")["learned"].tolist()
    assert steps == [0, 0, 2]
    assert found.tables["head_verdicts"]["heads"].tolist() == [1, 2, 1]
    alone = found.tables["alone"].groupby("outcome")["trainings"].sum().to_dict()
    assert alone == {"good": 3, "bad": 5}
    shared = found.tables["shares"].set_index("combined")
    assert shared["accuracy_mean"].to_dict() == pytest.approx({"bad": 0.45, "good": 0.745, "random": 0.98})
    assert shared["attends"].to_dict() == {"bad": 0, "good": 1, "random": 0}
    assert set(found.figures) == {"combinations", "attention", "heads"}


def test_too_few_heads_are_no_combinations():
    given = [HEADS, combined("bad", [0.5, 0.5], [0.0, 0.0], good=0), combined("good", [], [], good=0)]
    found = summarise(FakeResults(EXPERIMENT.tables, given), CONFIG)
    assert found.tables["shares"]["combined"].tolist() == ["bad"]
    assert found.tables["costs"].set_index("stage").loc["combine_heads", ["jobs", "trained"]].tolist() == [2, 1]
    assert set(found.figures) == {"combinations", "attention", "heads"}
    assert any("give more --candidates" in note for note in found.notes)


def test_blocks_that_were_not_needed_are_jobs_that_trained_nothing():
    given = [HEADS, screened({4: ("bad", "bad")}, needed=False), combined("good", [0.99, 0.99], [0.1, 0.9], good=1)]
    found = summarise(FakeResults(EXPERIMENT.tables, given), CONFIG)
    assert found.tables["costs"].set_index("stage").loc["screen_heads", ["jobs", "trained"]].tolist() == [2, 1]
    assert found.tables["head_verdicts"]["heads"].sum() == 4
