"""Accuracy and perplexity of masked tokens: against slow loops, at limits, with nothing to predict."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from metrics.masked_lm import accuracy_of_counts, masked_accuracy, perplexity, unigram_loss


@given(
    arrays(np.int64, (5, 7), elements=st.integers(0, 3)),
    arrays(np.int64, (5, 7), elements=st.sampled_from([-100, 0, 1, 2, 3])),
)
def test_accuracy_against_a_loop(predicted, labels):
    shares, right, hidden = [], 0, 0
    for said, wanted in zip(predicted.tolist(), labels.tolist(), strict=True):
        pairs = [(a, b) for a, b in zip(said, wanted, strict=True) if b != -100]
        right += sum(a == b for a, b in pairs)
        hidden += len(pairs)
        if pairs:
            shares.append(sum(a == b for a, b in pairs) / len(pairs))
    found = masked_accuracy(predicted, labels)
    assert found.empty == 5 - len(shares)
    assert found.macro == pytest.approx(np.mean(shares) if shares else np.nan, nan_ok=True)
    assert found.micro == pytest.approx(right / hidden if hidden else np.nan, nan_ok=True)


def test_counts_that_cannot_be():
    with pytest.raises(ValueError, match="sequence 1 has more right"):
        accuracy_of_counts(np.array([1, 3]), np.array([1, 2]))
    with pytest.raises(ValueError, match="shapes"):
        accuracy_of_counts(np.array([1, 3]), np.array([1]))


def test_perplexity_of_a_uniform_guess_is_the_vocabulary():
    assert perplexity(np.log(30000)) == pytest.approx(30000)
    assert perplexity(1e4) == np.inf
    assert np.isnan(perplexity(np.nan))


def test_unigram_loss_is_the_entropy_of_what_it_was_counted_on():
    counts = np.array([10**6, 3 * 10**6])
    labels = np.array([[0, 1, 1, 1, -100]])
    assert unigram_loss(labels, counts) == pytest.approx(-(0.25 * np.log(0.25) + 0.75 * np.log(0.75)), abs=1e-6)
    assert unigram_loss(np.array([2]), np.zeros(4)) == pytest.approx(np.log(4))
    assert np.isnan(unigram_loss(np.array([-100]), counts))
