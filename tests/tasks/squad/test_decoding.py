"""From windows to questions: both decoders against slow ones that go question by question, window by window."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from metrics.spans import best_spans, legacy_spans, null_scores
from tasks.squad.decoding import decode, legacy_decode


@dataclass
class Ids:
    ids: list[str]


@dataclass
class Fake:
    """Windows with the attributes that decoding reads; a text names its place."""

    question: np.ndarray
    questions: Ids
    context_end: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def text(self, window, a, b):
        return f"{window}: {a} to {b}"

    def tokens_text(self, window, a, b):
        return f"pieces of {window}: {a} to {b}"


def fake(question) -> Any:
    question = np.asarray(question, dtype=np.int32)
    ids = [f"q{i}" for i in range(question.max() + 1)]
    return Fake(question, Ids(ids), np.full(len(question), 100, dtype=np.int32))


SCORES = st.one_of(st.just(-np.inf), st.integers(-2, 2).map(float))
QUESTIONS = st.lists(
    st.lists(st.tuples(SCORES, st.integers(-2, 2).map(float), st.booleans()), min_size=1, max_size=4),
    min_size=1,
    max_size=6,
)


def arrays_of(questions):
    question = [q for q, windows in enumerate(questions) for _ in windows]
    score, null, answered = (np.array(x) for x in zip(*(w for windows in questions for w in windows), strict=True))
    start = np.arange(len(question)) + 1
    return (
        fake(question),
        score,
        np.where(score > -np.inf, start, 0),
        np.where(score > -np.inf, start + 2, 0),
        null,
        answered,
    )


@given(QUESTIONS, st.sampled_from([-1.0, 0.0, 0.5]))
def test_decoding_against_a_loop(questions, threshold):
    windows, score, start, end, null, _ = arrays_of(questions)
    found = decode(windows, score, start, end, null, threshold)
    assert found.best_text is not None
    assert found.null_odds is not None
    for q in range(len(questions)):
        best, text, smallest = -np.inf, "empty", np.inf
        for w in np.flatnonzero(windows.question == q):
            if score[w] > best:
                best, text = score[w], windows.text(w, start[w], end[w])
            smallest = min(smallest, null[w])
        odds = smallest - (best if best > -np.inf else 0)
        assert (found.best_text[q], found.null_odds[q]) == (text, odds)
        assert found.text[q] == ("" if odds > threshold else text)


@given(QUESTIONS)
def test_the_published_decoding_against_its_loop(questions):
    windows, score, start, end, null, answered = arrays_of(questions)
    answered &= score > -np.inf
    found = legacy_decode(windows, score, start, end, null, answered)
    assert found.best_text is found.null_odds is None
    for q in range(len(questions)):
        best, text = -np.inf, ""
        for w in np.flatnonzero(windows.question == q):
            own = score[w] if answered[w] else null[w]
            if own > best:
                best, text = own, windows.tokens_text(w, start[w], end[w]) if answered[w] else ""
        assert found.text[q] == text


def test_windows_of_a_question_need_not_stand_together():
    windows = fake([1, 0, 1, 0])
    found = decode(windows, [1.0, 5.0, 2.0, 6.0], [1, 2, 3, 4], [1, 2, 3, 4], [4.0, 0.0, 3.0, 1.0])
    assert found.best_text == ["3: 4 to 4", "2: 3 to 3"]
    assert found.text == ["3: 4 to 4", ""]
    np.testing.assert_array_equal(found.null_odds, [-6.0, 1.0])


def test_a_window_sure_of_no_answer_beats_the_right_span_as_published_only():
    windows, score, start, end, null = fake([0, 0]), [9.0, 1.0], [5, 1], [6, 1], [0.0, 10.0]
    assert decode(windows, score, start, end, null).text == ["0: 5 to 6"]
    assert legacy_decode(windows, score, start, end, null, [True, False]).text == [""]


def test_published_scores_are_compared_in_float32():
    windows, nearly = fake([0, 0]), 1 + 2.0**-40
    found = legacy_decode(windows, [1.0, nearly], [1, 2], [1, 2], [0.0, 0.0], [True, True])
    assert found.text == ["pieces of 0: 1 to 1"]
    assert decode(windows, [1.0, nearly], [1, 2], [1, 2], [0.0, 0.0]).text == ["1: 2 to 2"]


def test_a_context_without_tokens_has_no_published_text():
    windows = fake([0])
    windows.context_end[:] = 5
    assert legacy_decode(windows, [3.0], [5], [5], [0.0], [True]).text == [""]


def test_what_does_not_fit_is_named():
    windows = fake([0, 1, 1])
    good = [1.0, 1.0, 1.0], [1, 1, 1], [1, 1, 1], [0.0, 0.0, 0.0]
    with pytest.raises(ValueError, match=r"null score .* window 1 \(question 'q1'\): nan"):
        decode(windows, *good[:3], [0.0, np.nan, 0.0])
    with pytest.raises(ValueError, match=r"span score of 1 window\(s\)"):
        legacy_decode(windows, [np.nan, 1.0, 1.0], *good[1:], [True] * 3)
    with pytest.raises(ValueError, match=r"shape \(2,\) for 3 windows"):
        decode(windows, [1.0, 1.0], *good[1:])
    windows.questions.ids.append("lost")
    with pytest.raises(ValueError, match=r"1 question\(s\) have no window, the first is 'lost'"):
        decode(windows, *good)


def test_spans_of_tensors_go_straight_in():
    generator = torch.Generator().manual_seed(0)
    starts, ends = torch.randn(2, 3, 8, generator=generator)
    windows, allowed = fake([0, 0, 1]), torch.ones(3, 8, dtype=torch.bool)
    spans = best_spans(starts, ends, allowed, allowed, 3)
    found = decode(windows, *spans, null_scores(starts, ends))
    assert found.null_odds is not None
    assert found.null_odds[1] == (null_scores(starts, ends)[2] - spans.score[2]).item()
    spans = legacy_spans(starts, ends, torch.tensor(2), torch.tensor(7), 3)
    assert len(legacy_decode(windows, *spans, null_scores(starts, ends), spans.start > 0).text) == 2
