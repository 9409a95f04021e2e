"""Published numbers of the SQuAD metrics and of the published span search; see README.md beside this file."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from metrics.spans import legacy_spans
from metrics.squad import Scorer, exact, f1, normalise, question_scores

HERE = Path(__file__).parent
CASES = json.loads((HERE / "squad_metrics_unit.json").read_text(encoding="utf-8"))["cases"]


def test_all_published_cases_of_normalisation_exact_match_and_f1():
    assert len(CASES) == 199
    for case in CASES:
        text, golds = case["pred"], case["golds"]
        assert normalise(text) == case["pred_norm"]
        assert [normalise(gold) for gold in golds] == case["golds_norm"]
        assert [exact(gold, text) for gold in golds] == case["pair_exact"]
        assert [f1(gold, text) for gold in golds] == pytest.approx(case["pair_f1"], abs=1e-12)
        assert question_scores(golds, text) == (case["exact"], pytest.approx(case["f1"], abs=1e-12))


def test_the_memory_of_scores_gives_the_published_ones_twice():
    scorer = Scorer([case["golds"] for case in CASES], most=50)
    for _ in range(2):
        found = scorer.scores([case["pred"] for case in CASES])
        np.testing.assert_array_equal(found[0], [case["exact"] for case in CASES])
        np.testing.assert_allclose(found[1], [case["f1"] for case in CASES], atol=1e-12, rtol=0)


def test_the_published_span_search_is_matched_exactly_ties_included():
    with np.load(HERE / "squad_span_search.npz") as file:
        a = {name: torch.from_numpy(file[name]) for name in file.files if name != "kind"}
    assert len(a["max_answer_length"]) == 89
    for longest in a["max_answer_length"].unique().tolist():
        own = a["max_answer_length"] == longest
        found = legacy_spans(
            a["start_logits"][own],
            a["end_logits"][own],
            a["context_start"][own],
            a["context_end"][own],
            longest,
            a["threshold"][own],
        )
        assert found.score.dtype == torch.float32
        assert torch.equal(found.score, a["expected_score"][own])
        assert torch.equal(found.start, a["expected_start"][own])
        assert torch.equal(found.end, a["expected_end"][own])
