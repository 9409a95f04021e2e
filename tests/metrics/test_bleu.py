import logging

import pytest

from metrics.bleu import corpus_bleu

TEXTS = ["a man rides a red bicycle .", "two dogs play in the snow .", "the child holds a ball ."]


def test_equal_texts_have_100_and_foreign_ones_next_to_nothing():
    assert corpus_bleu(TEXTS, TEXTS) == pytest.approx(100.0)
    assert corpus_bleu(["x y z w v"] * 3, TEXTS) < 5


def test_a_corpus_is_no_mean_of_sentences_and_its_order_is_nothing():
    hypotheses = [TEXTS[0], "two cats play in the rain .", "the child holds a ball ."]
    whole = corpus_bleu(hypotheses, TEXTS)
    assert whole == corpus_bleu(hypotheses[::-1], TEXTS[::-1])
    assert 50 < whole < 100
    assert whole != pytest.approx(sum(corpus_bleu([h], [r]) for h, r in zip(hypotheses, TEXTS, strict=True)) / 3)


def test_tokenised_texts_give_no_warning(caplog):
    with caplog.at_level(logging.WARNING):
        corpus_bleu(TEXTS * 50, TEXTS * 50)
    assert not caplog.records


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="3 hypotheses and 2 references"):
        corpus_bleu(TEXTS, TEXTS[:2])
    with pytest.raises(ValueError, match="no sentences"):
        corpus_bleu([], [])
