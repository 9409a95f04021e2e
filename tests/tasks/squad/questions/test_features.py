"""Windows against slow loops over their definition. Letters: P tokens of a context, W windows."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.data.tokenizers import load_tokenizer, locate_tokenizer
from tasks.squad.questions.features import Tokens, answer_tokens, cut_windows, labels, tokenise_contexts

sizes = st.tuples(st.integers(0, 700), st.integers(1, 330), st.integers(1, 330)).filter(lambda s: s[2] <= s[1])


def slow_windows(n_tokens, capacity, doc_stride):
    """The published loop."""
    windows, start = [], 0
    while start < n_tokens or start == 0:
        size = min(n_tokens - start, capacity)
        windows.append((start, size))
        if start + size == n_tokens:
            break
        start += doc_stride
    return windows


def slow_owner(windows, token):
    """The window with the most context of a token, the first of equals; the score times a hundred, in integers."""
    best, best_score = None, None
    for number, (start, size) in enumerate(windows):
        if not start <= token < start + size:
            continue
        score = 100 * min(token - start, start + size - 1 - token) + size
        if best_score is None or score > best_score:
            best, best_score = number, score
    return best


@settings(max_examples=150, deadline=None)
@given(sizes)
@example((0, 5, 2))
@example((302, 200, 101))  # two windows whose scores tie though their lengths differ
@example((40, 40, 1))
@example((41, 40, 40))  # a last window of one token
def test_windows_and_their_most_context_are_those_of_the_loop(size):
    cut = cut_windows(*size)
    windows = slow_windows(*size)
    assert list(zip(cut.starts.tolist(), cut.sizes.tolist(), strict=True)) == windows
    owner = np.full(size[0], -1)
    for number, (start, end) in enumerate(zip(cut.max_starts, cut.max_ends, strict=True)):
        assert (owner[start:end] == -1).all()  # no token has most context in two windows
        owner[start:end] = number
    assert owner.tolist() == [slow_owner(windows, token) for token in range(size[0])]


@settings(max_examples=100, deadline=None)
@given(sizes, st.data())
def test_a_label_is_the_answer_where_it_is_wholly_inside(size, data):
    if size[0] == 0:
        return
    first = data.draw(st.integers(0, size[0] - 1))
    last = data.draw(st.integers(first, min(size[0] - 1, first + 40)))
    cut = cut_windows(*size)
    start, end = labels(cut, (first, last), 9)
    for at, (window, length) in enumerate(slow_windows(*size)):
        if window <= first and last < window + length:
            assert (start[at], end[at]) == (first - window + 9, last - window + 9)
        else:
            assert (start[at], end[at]) == (0, 0)
    assert not any(array.any() for array in labels(cut, None, 9))


@pytest.mark.parametrize(("capacity", "doc_stride"), [(5, 6), (5, 0), (0, 0)])
def test_steps_that_would_skip_tokens_are_refused(capacity, doc_stride):
    with pytest.raises(ValueError, match=f"doc_stride is {doc_stride} and windows hold {capacity} tokens"):
        cut_windows(20, capacity, doc_stride)


CONTEXTS = [
    "Hugo Brandt sold 2,000 lamps (mostly old ones).",
    "naïve cafés — zoë's “façade” cost £1.50\tin 19th-century Köln",
    "e\u0301te\u0301 at the old cafe\u0301 was hot",  # combining accents
    "the 😀 tower 👩\u200d👩\u200d👧 was 🇫🇷 old",
    "המגדל הישן was בנוי in אבן",  # right to left
    "塔は old 石 built",
    "  two  blanks \n\n and\u00a0odd\u202fones ",
    "x" * 300 + " was a long word",
]


@pytest.mark.parametrize("kind", ["bert", "roberta", "builtin"])
@pytest.mark.parametrize("context", CONTEXTS)
def test_every_word_is_found_again_by_its_characters(kind, context, bert_dir, roberta_dir):
    name = {"bert": str(bert_dir), "roberta": str(roberta_dir), "builtin": "builtin"}[kind]
    (tokens,) = tokenise_contexts(load_tokenizer(locate_tokenizer(name)), [context])
    assert (np.diff(tokens.char_starts) >= 0).all()
    assert (np.diff(tokens.char_ends) >= 0).all()
    at = 0
    for word in context.split():
        at = context.index(word, at)
        span = answer_tokens(tokens, at, len(word))
        assert span is not None, word
        text = context[tokens.char_starts[span[0]] : tokens.char_ends[span[1]]]
        assert text == text.strip()
        assert text in word if kind == "bert" else text == word  # WordPiece drops U+200D at a border
        assert len(text) >= len(word) - 1
        at += len(word)


def test_an_answer_of_characters_without_tokens_has_no_span():
    tokens = Tokens(np.arange(2, dtype=np.int32), np.array([0, 8], np.int32), np.array([3, 11], np.int32))
    assert answer_tokens(tokens, 4, 3) is None
    assert answer_tokens(tokens, 4, 5) == (1, 1)
    assert answer_tokens(tokens, 2, 7) == (0, 1)
    assert answer_tokens(tokens, 20, 3) is None
    nothing = Tokens(*(np.empty(0, np.int32) for _ in range(3)))
    assert answer_tokens(nothing, 0, 3) is None
