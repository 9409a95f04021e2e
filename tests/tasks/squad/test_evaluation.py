"""Evaluation rows: what each metric is, the halves, the thresholds of the other half, what published decoding lacks."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.squad import Scorer
from tasks.squad.decoding import Predictions
from tasks.squad.evaluation import score_rows, second_half
from tasks.squad.scores import METRICS, PARTS


def asked(paragraph, articles):
    return np.asarray(paragraph, dtype=np.int32), list(articles)


def values(rows):
    found = {(row["part"], row["metric"]): row["value"] for row in rows}
    assert len(found) == len(rows)
    assert all(type(value) is float for value in found.values())
    return found


GOLDS = [["red oak"], [], ["oak"], [], ["tall oak"], []]
QUESTIONS = asked([0, 0, 1, 2, 2, 3], ["one", "one", "two", "two"])  # halves of three questions
PREDICTED = Predictions(
    text=["red oak", "", "", "elm", "oak", ""],
    best_text=["red oak", "elm", "oak", "elm", "oak", "the"],
    null_odds=np.array([-3.0, 2.0, 1.0, -1.0, -2.0, 4.0]),
)


def test_every_metric_by_hand():
    found = values(score_rows(*QUESTIONS, PREDICTED, Scorer(GOLDS)))
    expected = {
        "exact": 300 / 6,
        "f1": 100 * (3 + 2 / 3) / 6,
        "has_exact": 100 / 3,
        "has_f1": 100 * (1 + 2 / 3) / 3,
        "no_exact": 200 / 3,
        "forced_has_exact": 200 / 3,
        "forced_has_f1": 100 * (2 + 2 / 3) / 3,
        # By rising null_odds: red oak (+1), oak for tall oak (+2/3), elm (-1), oak (+1); never answering has 3 right.
        "best_exact": 400 / 6,
        "best_exact_threshold": -3.0,
        "best_f1": 100 * (4 + 2 / 3) / 6,
        "best_f1_threshold": -2.0,
        # By falling null_odds: no, no, has, no, ...
        "null_average_precision": 100 * (1 + 1 + 3 / 4) / 3,
        # Sums of paragraphs less their means, with G/(G-1) = 4/3: exact (1,1) (0) (0,0) (1), mean 1/2.
        "exact_se": 100 * math.sqrt(4 / 3 * (1 + 1 / 4 + 1 + 1 / 4)) / 6,
    }
    for name, value in expected.items():
        assert found["all", name] == pytest.approx(value), name
    assert found["first_half", "exact"] == pytest.approx(200 / 3)
    assert found["second_half", "f1"] == pytest.approx(100 * (1 + 2 / 3) / 3)


def test_thresholds_come_from_the_other_half():
    found = values(score_rows(*QUESTIONS, PREDICTED, Scorer(GOLDS)))
    # The first half is best at 1 (oak counts, elm at 2 does not): on the second elm is wrong and "the" left unanswered.
    assert found["first_half", "best_exact_threshold"] == 1
    assert found["second_half", "cross_exact"] == pytest.approx(100 / 3)
    # For exact the second is best when never answering: one of the first is right.
    assert found["second_half", "best_exact_threshold"] == -np.inf
    assert found["first_half", "cross_exact"] == pytest.approx(100 / 3)
    assert found["all", "cross_exact"] == pytest.approx(100 / 3)


def test_every_metric_is_described_and_in_every_part():
    rows = score_rows(*QUESTIONS, PREDICTED, Scorer(GOLDS))
    assert {row["metric"] for row in rows} == set(METRICS)
    everywhere = {metric for metric in METRICS if not metric.endswith("_se")}
    for part in PARTS:
        own = {row["metric"] for row in rows if row["part"] == part}
        assert own == (set(METRICS) if part == "all" else everywhere)


def test_published_predictions_have_the_plain_metrics_only():
    rows = score_rows(*QUESTIONS, Predictions(text=PREDICTED.text), Scorer(GOLDS))
    plain = {"exact", "f1", "has_exact", "has_f1", "no_exact"}
    assert {row["metric"] for row in rows} == plain | {"exact_se", "f1_se"}
    full = values(score_rows(*QUESTIONS, PREDICTED, Scorer(GOLDS)))
    assert all(full[key] == value for key, value in values(rows).items())


TEXTS = st.sampled_from(["", "the", "oak", "red oak"])


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(["oak", "red oak"]), max_size=2),
            TEXTS,
            st.integers(-2, 2).map(float),
            st.integers(0, 4),
        ),
        min_size=1,
        max_size=20,
    ),
    st.lists(st.sampled_from("AB"), min_size=5, max_size=5),
)
def test_whatever_the_questions_the_metrics_keep_their_order(cases, articles):
    golds, texts, odds, paragraph = (list(column) for column in zip(*cases, strict=True))
    text = ["" if own > 0 else said for said, own in zip(texts, odds, strict=True)]
    predictions = Predictions(text=text, best_text=texts, null_odds=np.array(odds))
    found = values(score_rows(*asked(paragraph, articles), predictions, Scorer(golds)))
    for part in PARTS:
        own = {metric: found[part, metric] for metric in METRICS if (part, metric) in found}
        for name in ("exact", "f1"):
            best = own[f"best_{name}"] + 1e-9
            assert own[name] <= best or math.isnan(best)
            if part != "all":  # there the two halves have a threshold each
                assert own[f"cross_{name}"] <= best or math.isnan(own[f"cross_{name}"])
            assert own[f"has_{name}"] <= own[f"forced_has_{name}"] + 1e-9 or math.isnan(own[f"has_{name}"])
        assert not own["exact"] > own["f1"] + 1e-9
    assert math.isnan(found["all", "null_average_precision"]) == (len({bool(own) for own in golds}) < 2)


def test_halves_are_of_whole_articles_and_balanced():
    sizes = {"a": 5, "b": 9, "c": 2, "d": 4, "e": 1}
    articles = [name for name in sizes for _ in range(2)]
    paragraph = [2 * i + k % 2 for i, n in enumerate(sizes.values()) for k in range(n)]
    second = second_half(*asked(paragraph, articles))
    names = np.array(articles)[paragraph]
    assert all(len(set(second[names == name])) == 1 for name in sizes)
    assert not second[names == "b"].any()
    assert (second.sum(), (~second).sum()) == (10, 11)


def test_one_article_is_split_by_paragraphs_and_one_paragraph_not_at_all():
    second = second_half(*asked([0, 0, 1, 1, 2, 2], ["a", "a", "a"]))
    np.testing.assert_array_equal(second, [False, False, True, True, False, False])
    questions = asked([0, 0, 0], ["a"])
    predictions = Predictions(text=["oak", "", ""], best_text=["oak"] * 3, null_odds=np.zeros(3))
    found = values(score_rows(*questions, predictions, Scorer([["oak"], [], []])))
    assert found["all", "exact"] == 100
    assert all(math.isnan(found[key]) for key in [("all", "cross_f1"), ("all", "f1_se"), ("second_half", "exact")])
