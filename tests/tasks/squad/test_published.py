"""The published numbers agree with each other, which a wrongly copied one would not."""

import pytest

from tasks.squad.published import (
    ALWAYS_NULL,
    ANSWERABLE,
    END_TO_END,
    METRICS,
    PROBES,
    QUESTIONS,
    UNANSWERABLE,
    published_end_to_end,
    published_table,
    same_name,
)


def overall(no_answer, has_answer):
    return (UNANSWERABLE * no_answer + ANSWERABLE * has_answer) / QUESTIONS


@pytest.mark.parametrize("table", PROBES, ids=lambda table: f"{table.family}-{table.encoder}")
def test_overall_scores_are_the_weighted_ones_of_both_kinds_of_question(table):
    assert [row[0] for row in table.rows] == list(range(1, 7 if table.family == "DistilBERT" else 13))
    for _, *values in table.rows:
        of = dict(zip(METRICS, values, strict=True))
        # Each number was rounded to four decimals.
        assert of["exact"] == pytest.approx(overall(of["no_exact"], of["has_exact"]), abs=1.1e-4)
        assert of["f1"] == pytest.approx(overall(of["no_exact"], of["has_f1"]), abs=1.1e-4)
        assert of["has_exact"] <= of["has_f1"]


def test_counts_of_right_questions_are_whole_numbers():
    for table in PROBES:
        for _, exact, _, no_exact, has_exact, _ in table.rows:
            for percent, of in ((exact, QUESTIONS), (no_exact, UNANSWERABLE), (has_exact, ANSWERABLE)):
                count = percent * of / 100
                assert count == pytest.approx(round(count), abs=0.004)


def test_end_to_end_scores_agree_too():
    for row in END_TO_END:
        tolerance = 1.1e-4 if row.name != "DistilRoBERTa base" else 0.011  # that row was published with two decimals
        assert row.exact == pytest.approx(overall(row.no_exact, row.has_exact), abs=tolerance)
        assert row.f1 == pytest.approx(overall(row.no_exact, row.has_f1), abs=tolerance)


def test_the_best_threshold_never_does_worse_than_none_but_in_one_published_row():
    """BERT pretrained, layer 12: the study went up to t = 15 only, which was not enough to answer never."""
    assert pytest.approx(52.1224, abs=5e-5) == ALWAYS_NULL
    worse = []
    for table in PROBES:
        plain = {row[0]: row[2] for row in table.rows}
        assert set(table.best) in (set(), set(plain))
        for level, (best, threshold) in table.best.items():
            assert -5 <= threshold <= 15
            assert (threshold * 2).is_integer()
            if best < max(plain[level], 52.1224):
                worse.append((table.family, table.encoder, level))
    assert worse == [("BERT", "pretrained", 12)]


def test_names_of_models():
    assert same_name("bert-base-uncased", "google-bert/bert-base-uncased")
    assert same_name("bert-base-uncased/", "google-bert/bert-base-uncased")
    assert not same_name("somebody/bert-base-uncased", "google-bert/bert-base-uncased")
    table = published_table("albert-base-v2", "albert-base-v2-squad2", "finetuned")
    assert table is not None
    assert (table.family, table.rows[-1][2]) == ("ALBERT", 80.8055)
    # The same model fine-tuned by somebody else, or here, is another encoder.
    assert published_table("albert-base-v2", "", "finetuned") is None
    assert published_table("albert-base-v2", "other/albert-base-v2-squad2", "finetuned") is None
    assert published_table("albert-base-v2", "", "random") is None
    assert published_table("scratch", "", "pretrained") is None
    found = published_end_to_end("twmkn9/bert-base-uncased-squad2")
    assert found is not None
    assert found.f1 == 75.7536
    assert published_end_to_end("") is None
