"""The evaluation of a file of predictions, against a slow one of its own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.squad import question_scores
from metrics.squad_evaluate import evaluate

TEXTS = st.sampled_from(["", "the", "oak", "red oak", "Oak!", "1,250", "tall red oak"])
SETS = st.lists(st.tuples(st.lists(TEXTS, max_size=3), TEXTS, st.integers(-2, 2)), min_size=1, max_size=15)
GOLDS = {"q1": ["oak"], "q2": [], "q3": ["red oak"]}


def by_id(cases):
    ids = [f"q{i}" for i in range(len(cases))]
    return [dict(zip(ids, column, strict=True)) for column in zip(*cases, strict=True)]


@given(SETS, st.sampled_from([-1.0, 0.0, 0.5]))
def test_against_a_loop(cases, threshold):
    golds, texts, na = by_id(cases)
    found = evaluate(golds, texts, na, threshold, legacy_thresholds=True)
    for k, name in enumerate(("exact", "f1")):
        raw = {own: question_scores(golds[own], texts[own])[k] for own in golds}
        kept = {own: float(not golds[own]) if na[own] > threshold else raw[own] for own in golds}
        assert found[name] == pytest.approx(100 * sum(kept.values()) / len(golds))
        for title, has in (("HasAns", True), ("NoAns", False)):
            own = [kept[one] for one in golds if bool(golds[one]) == has]
            assert found[f"{title}_{name}"] == pytest.approx(100 * np.mean(own) if own else np.nan, nan_ok=True)
            assert found[f"{title}_total"] == len(own)
        current = best = sum(not answers for answers in golds.values())
        chosen = 0.0
        for own in sorted(na, key=lambda one: na[one]):
            current += raw[own] if golds[own] else -1 if texts[own] else 0
            if current > best:
                best, chosen = current, na[own]
        assert (found[f"best_{name}"], found[f"best_{name}_thresh"]) == (100.0 * best / len(golds), chosen)
        ours = evaluate(golds, texts, na, threshold)
        assert found[name] <= ours[f"best_{name}"] + 1e-9


def test_predictions_are_complete_or_left_out_by_name():
    texts = {"q2": "", "q1": "oak", "other": "?"}
    with pytest.raises(ValueError, match=r"no prediction for 1 question\(s\): 'q3'"):
        evaluate(GOLDS, texts)
    found = evaluate(GOLDS, texts, missing="leave_out")
    assert (found["total"], found["missing"], found["unknown"], found["exact"]) == (2, 1, 1, 100)
    with pytest.raises(ValueError, match="no no-answer score for 1"):
        evaluate(GOLDS, texts | {"q3": ""}, {"q1": 0.0, "q2": 0.0})


def test_no_answer_scores_decide_where_they_are_given():
    texts = dict.fromkeys(GOLDS, "oak")
    without = evaluate(GOLDS, texts)
    assert (without["exact"], without["best_exact"], without["best_exact_thresh"]) == (
        pytest.approx(100 / 3),
        pytest.approx(100 / 3),
        -np.inf,
    )
    found = evaluate(GOLDS, texts, {"q1": -1.0, "q2": 3.0, "q3": 1.0}, threshold=1.0)
    assert found["exact"] == pytest.approx(200 / 3)
    assert found["f1"] == pytest.approx(100 * (2 + 2 / 3) / 3)
    assert (found["best_exact_thresh"], found["best_f1_thresh"]) == (-1, 1)


def test_a_class_that_is_absent_is_nan_and_no_crash():
    found = evaluate({"q": ["oak"]}, {"q": "oak"})
    assert found["HasAns_exact"] == 100
    assert np.isnan(found["NoAns_exact"])


def test_the_library_counts_all_questions_without_answer_and_goes_by_the_order_of_the_scores():
    golds = {"q1": ["oak"], "q2": [], "q3": []}
    # Of q3, which has no prediction, the library still says that it is right: 2 of 2 scored ones, and 1 more for q1.
    found = evaluate(golds, {"q1": "oak", "q2": ""}, missing="leave_out", legacy_thresholds=True)
    assert (found["total"], found["best_exact"]) == (2, 150)
    texts = {"q1": "oak", "q2": "elm"}
    # Both scores are equal: with q1 first its gain stands alone, with q2 first its loss comes before.
    for order, best in ((("q1", "q2"), 100), (("q2", "q1"), 50)):
        odds = dict.fromkeys(order, 1.0)
        found = evaluate({"q1": ["oak"], "q2": []}, texts, odds, threshold=2.0, legacy_thresholds=True)
        assert found["best_exact"] == best
        assert found["exact"] == 50
