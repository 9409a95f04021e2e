"""The list of best answers: its order, its texts, its probabilities, and that its first agrees with the span search."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from metrics.n_best import n_best_list
from metrics.spans import best_spans, null_scores

LOGITS = arrays(np.float32, (2, 7), elements=st.integers(-3, 3).map(float))
MASKS = arrays(np.bool_, (2, 7))


def place(window, a, b):
    return f"{window}:{a}-{b}"


@given(LOGITS, LOGITS, MASKS, MASKS, st.integers(1, 4), st.integers(1, 8))
def test_the_first_answer_is_the_best_span_and_the_list_is_what_it_says(starts, ends, from_, to, longest, n_best):
    listed = n_best_list(starts, ends, from_, to, place, longest=longest, n_best=n_best)
    logits, masks = [[torch.from_numpy(x) for x in pair] for pair in ((starts, ends), (from_, to))]
    found = best_spans(logits[0], logits[1], masks[0], masks[1], longest, n_best)
    texts, scores = [one.text for one in listed], [one.score for one in listed]
    assert len(set(texts)) == len(texts) <= n_best + 1
    assert sum(one.probability for one in listed) == pytest.approx(1)
    null = listed[texts.index("")]
    assert null.score == null_scores(torch.from_numpy(starts), torch.from_numpy(ends)).min().item()
    for one in listed:
        assert one.probability / null.probability == pytest.approx(np.exp(one.score - null.score))
    if found.score.max() > -np.inf:
        window = int(found.score.argmax())
        if texts != ["empty", ""]:
            assert next(text for text in texts if text) == place(window, *(int(x[window]) for x in found[1:]))
        own = [score for one, score in zip(listed, scores, strict=True) if one.text not in ("", "empty")]
        assert own == sorted(own, reverse=True)
    else:
        assert texts == ["empty", ""]
        assert listed[0].score == 0


def test_texts_come_once_and_no_answer_is_added_where_it_is_cut_off():
    starts, ends = np.array([[-5.0, 3.0, 2.0, 1.0]]), np.array([[-5.0, 3.0, 2.5, 1.0]])
    allowed = np.ones((1, 4), dtype=bool)
    listed = n_best_list(starts, ends, allowed, allowed, lambda w, a, b: "same", longest=3, n_best=3)
    assert [(one.text, one.start, one.end) for one in listed] == [("same", 1, 1), ("", 0, 0)]
    listed = n_best_list(starts, ends, allowed, allowed, place, longest=3, n_best=2)
    assert [one.text for one in listed] == ["0:1-1", "0:1-2", ""]
    with pytest.raises(ValueError, match="n_best 0"):
        n_best_list(starts, ends, allowed, allowed, place, longest=3, n_best=0)
