"""Thresholds of the no-answer score: against slow loops, with ties, at limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.squad_thresholds import apply_threshold, best_threshold, library_best, null_average_precision

# Sums of these scores are exact, so that equally good thresholds are so for a loop too.
CASES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.booleans(), st.integers(-3, 3), st.booleans()),
    min_size=1,
    max_size=25,
)


def columns(cases):
    scores = [score if has_answer else float(score == 1) for score, has_answer, _, _ in cases]
    return np.array(scores), *(np.array(column) for column in list(zip(*cases, strict=True))[1:])


def slow_value(scores, has_answer, na, threshold):
    total = 0.0
    for score, has, own in zip(scores, has_answer, na, strict=True):
        total += float(not has) if own > threshold else score
    return 100 * total / len(scores)


@given(CASES)
def test_the_sweep_is_evaluating_every_threshold(cases):
    scores, has_answer, na, _ = columns(cases)
    best, chosen = -1.0, None
    for threshold in [-np.inf, *sorted(set(na.tolist()))]:
        value = slow_value(scores, has_answer, na, threshold)
        assert 100 * apply_threshold(scores, has_answer, na, threshold).mean() == pytest.approx(value)
        if value > best:
            best, chosen = value, threshold
    found = best_threshold(scores, has_answer, na)
    assert found.value == pytest.approx(best)
    assert found.threshold == chosen


@given(CASES, st.randoms(use_true_random=False))
def test_the_best_threshold_depends_neither_on_order_nor_on_unit(cases, random):
    scores, has_answer, na, _ = columns(cases)
    found = best_threshold(scores, has_answer, na)
    order = list(range(len(cases)))
    random.shuffle(order)
    again = best_threshold(scores[order], has_answer[order], 2.0 * na[order] + 1)
    assert again.value == pytest.approx(found.value)
    assert again.threshold == 2 * found.threshold + 1


def slow_library(scores, has_answer, na, answered):
    """The published loop over questions, as `tasks/squad/README.md` 7 tells it."""
    current = best = sum(not has for has in has_answer)
    threshold = 0.0
    for i in sorted(range(len(na)), key=lambda i: na[i]):
        if has_answer[i]:
            current += scores[i]
        elif answered[i]:
            current -= 1
        if current > best:
            best, threshold = current, na[i]
    return 100.0 * best / len(scores), threshold


@given(CASES)
def test_the_library_algorithm_against_its_loop(cases):
    scores, has_answer, na, answered = columns(cases)
    found = library_best(scores, has_answer, na, answered)
    assert (found.value, found.threshold) == slow_library(scores, has_answer, na, answered)


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.4, 2 / 3, 1.0]), st.booleans(), st.booleans()), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
)
def test_without_ties_and_trivial_texts_the_library_finds_the_best_value(cases, random):
    has_answer = np.array([has for _, has, _ in cases])
    answered = np.array([said for _, _, said in cases])
    scores = np.where(has_answer, np.where(answered, [score for score, _, _ in cases], 0.0), ~answered)
    na = np.array(random.sample(range(100), len(cases)), dtype=float)
    found, ours = library_best(scores, has_answer, na, answered), best_threshold(scores, has_answer, na)
    assert found.value == pytest.approx(ours.value)
    assert library_best(scores, has_answer, na, answered, n_unanswerable=0).value <= found.value


def test_what_the_library_does_wrong():
    # Ties: between two questions of equal na the running sum is larger than any threshold makes it.
    tied = library_best([1.0, 0.0], [True, False], [0.0, 0.0], [True, True])
    assert (tied.value, tied.threshold) == (100.0, 0.0)
    assert best_threshold([1.0, 0.0], [True, False], [0.0, 0.0]).value == 50
    # A prediction that normalises to nothing is right for a question without an answer, but costs one.
    trivial = library_best([1.0, 1.0], [False, True], [0.0, 1.0], [True, True])
    assert trivial.value == 50
    assert best_threshold([1.0, 1.0], [False, True], [0.0, 1.0]).value == 100


def test_never_answering_is_minus_infinity():
    found = best_threshold([0.0, 0.0], [False, True], [1.0, 2.0])
    assert (found.value, found.threshold) == (50.0, -np.inf)
    np.testing.assert_array_equal(apply_threshold([0.0, 1.0], [False, True], [1.0, 2.0], -np.inf), [1, 0])


def test_equal_sums_in_another_order_are_a_tie():
    # In floating point 0.4 - 1 + 0.2 + 0.8 is above 0.4; the smaller threshold stays all the same.
    scores, has_answer = np.array([0.4, 0.0, 0.2, 0.8]), np.array([True, False, True, True])
    assert np.cumsum(scores - ~has_answer)[-1] > 0.4
    found = best_threshold(scores, has_answer, [0.0, 1.0, 2.0, 3.0])
    assert found.threshold == 0
    assert found.value == pytest.approx(100 * 1.4 / 4)


@given(CASES)
def test_average_precision_against_its_definition(cases):
    _, has_answer, na, _ = columns(cases)
    found = null_average_precision(has_answer, na)
    if has_answer.all() or not has_answer.any():
        assert np.isnan(found)
        return
    total, recall = 0.0, 0.0
    for threshold in sorted(set(na.tolist()), reverse=True):
        above = na >= threshold
        reached = (~has_answer & above).sum() / (~has_answer).sum()
        total += (reached - recall) * (~has_answer & above).sum() / above.sum()
        recall = reached
    assert found == pytest.approx(total)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="question 1 is nan"):
        best_threshold([1.0, 1.0], [True, False], [0.0, np.nan])
    with pytest.raises(ValueError, match="three of the same"):
        best_threshold([1.0], [True, False], [0.0, 1.0])
    with pytest.raises(ValueError, match="answered_Q"):
        library_best([1.0], [True], [0.0], [True, True])
    for empty in (best_threshold([], [], []), library_best([], [], [], [])):
        assert np.isnan(empty.value)
        assert np.isnan(empty.threshold)
