"""Exact match and F1 of answers: invariances, limits, unicode, golds that are empty."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.squad import Scorer, counted_golds, exact, f1, normalise, overall, question_scores

WORDS = st.lists(st.sampled_from(["the", "a", "An", "oak", "Oak.", "red", "1,250", "—", "café", "😀"]), max_size=6)
TEXTS = st.one_of(st.text(max_size=20), WORDS.map(" ".join))
QUESTIONS = st.lists(st.tuples(st.lists(TEXTS, max_size=3), TEXTS), min_size=1, max_size=12)


def test_normalisation_follows_the_published_order():
    assert normalise("The-End of the  A.B.") == "theend of ab"
    assert normalise("A. B.") == "b"
    assert normalise("“the” oak–tree") == "“ ” oak–tree"
    assert normalise("zero\u200bwidth") == "zero\u200bwidth"
    assert normalise("e\u0301") != normalise("é")


@given(TEXTS)
def test_normalised_text_has_neither_outer_nor_double_blanks(text):
    assert normalise(text) == " ".join(normalise(text).split())


@given(TEXTS, TEXTS)
def test_f1_is_symmetric_at_least_exact_and_one_only_of_equal_tokens(first, second):
    assert f1(first, second) == pytest.approx(f1(second, first), abs=1e-12)
    assert exact(first, second) <= f1(first, second) <= 1
    same = sorted(normalise(first).split()) == sorted(normalise(second).split())
    assert (f1(first, second) == 1) == same


def test_f1_of_a_multiset():
    assert f1("oak oak red", "oak oak oak tall") == pytest.approx(2 * (2 / 4) * (2 / 3) / (2 / 4 + 2 / 3))
    assert f1("the", "") == 1
    assert f1("the", "oak") == f1("oak", "the") == 0


def test_golds_that_normalise_to_nothing_count_only_if_there_is_no_other():
    assert counted_golds([]) == counted_golds(["", "the", " . "]) == [""]
    assert counted_golds(["the", "The Oak"]) == ["oak"]
    assert question_scores(["the", "oak"], "") == (0, 0)
    assert question_scores(["the"], "a") == (1, 1)


@given(QUESTIONS, st.randoms(use_true_random=False))
def test_scores_do_not_depend_on_the_order_of_questions_or_on_what_was_scored_before(questions, random):
    golds, texts = [own for own, _ in questions], [text for _, text in questions]
    one_by_one = [question_scores(own, text) for own, text in questions]
    scorer = Scorer(golds, most=5)
    scorer.scores([""] * len(golds))
    for _ in range(2):
        np.testing.assert_array_equal(np.stack(scorer.scores(texts), axis=1), one_by_one)
    order = list(range(len(questions)))
    random.shuffle(order)
    again = Scorer([golds[i] for i in order])
    shuffled = again.scores([texts[i] for i in order])
    wanted = overall(*scorer.scores(texts), scorer.has_answer)
    assert overall(*shuffled, again.has_answer) == pytest.approx(wanted, nan_ok=True)


@given(QUESTIONS)
def test_the_whole_is_the_weighted_mean_of_both_classes(questions):
    scorer = Scorer([own for own, _ in questions])
    found = overall(*scorer.scores([text for _, text in questions]), scorer.has_answer)
    assert found["HasAns_total"] + found["NoAns_total"] == found["total"] == len(questions)
    for name in ("exact", "f1"):
        parts = [(found[f"{own}_total"], found[f"{own}_{name}"]) for own in ("HasAns", "NoAns")]
        for n, value in parts:
            assert np.isnan(value) == (n == 0)
        assert found[name] * found["total"] == pytest.approx(sum(n * value for n, value in parts if n), abs=1e-9)
    if found["NoAns_total"]:
        assert found["NoAns_exact"] == found["NoAns_f1"]


def test_never_answering_is_right_for_the_share_without_an_answer():
    # The published dev set: 3,168 of 6,078 questions have no answer.
    scorer = Scorer([[]] * 3168 + [["oak"]] * 2910)
    found = overall(*scorer.scores([""] * 6078), scorer.has_answer)
    assert found["exact"] == found["f1"] == pytest.approx(52.1224, abs=5e-5)
    assert (found["NoAns_exact"], found["HasAns_exact"]) == (100, 0)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="1 predictions for 2 questions"):
        Scorer([[], []]).scores([""])
    with pytest.raises(ValueError, match="three of the same"):
        overall(np.ones(2), np.ones(2), np.ones(3, dtype=bool))
    assert np.isnan(overall(np.ones(0), np.ones(0), np.ones(0, dtype=bool))["exact"])
