"""`signal_propagation` through the command line in one process: the stages, the store and reduce together."""

import numpy as np
import pandas as pd
import pytest

from orchestrator.cli import main
from tests.research_data import research_data

TINY = [
    *("--experiment", "signal_propagation", "--preset", "quick", "--backend", "inline"),
    *("--width", "16", "--heads", "2", "--depths", "4", "--seeds", "0-1", "--length", "16", "--batch", "2"),
    *("--schemes", "xavier", "dslm", "--rule-depths", "6,12", "--rule-alphas", "1", "--rule-dropouts", "0.1"),
]


def test_text_and_random_tokens_through_all_networks(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.deepscale.signal_propagation.figures.draw", lambda *given: {})
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    place = tmp_path / "signal_propagation"
    rows = pd.read_parquet(place / "layers.parquet")
    key = ["source", "norm", "scheme", "seed", "layer", "quantity"]
    assert not rows.duplicated(key).to_numpy().any()
    assert len(rows) == 2 * 2 * 2 * 2 * (4 * 5 + 8 * 4)
    assert np.isfinite(rows["measured"].to_numpy()).all()
    slopes = pd.read_parquet(place / "summary" / "slopes.parquet")
    assert len(slopes) == 8 * 7
    assert np.isfinite(slopes[["mean", "low", "high", "theory"]].to_numpy()).all()
    errors = pd.read_parquet(place / "summary" / "errors.parquet")
    assert {"theory", "theory_free", "theory_published"} == set(errors["form"])
    assert len(pd.read_parquet(place / "summary" / "depth_rule_grid.parquet")) == 2 * 2 * 2
    assert (place / "report.html").stat().st_size > 500


@pytest.mark.slow
@pytest.mark.real_data
def test_wikitext_with_figures(tmp_path):
    arguments = [
        *(*TINY, "--sources", "text", "--corpus", str(research_data("wikitext-2")), "--vocab-size", "30592"),
        *("--document-limit", "60"),
        *("--tokenizer", str(research_data("tokenizers", "bert-uncased")), "--depths", "24", "--out", str(tmp_path)),
    ]
    assert main(arguments) == 0
    place = tmp_path / "signal_propagation"
    for name in ("signals-24-text", "published-24-text", "depth_rule"):
        assert (place / "figures" / f"{name}.png").stat().st_size > 10_000
    runs = pd.read_parquet(place / "runs.parquet")
    # The formula of the embeddings' correlation, from the batch's own shares.
    differences = runs["embedding_correlation"] - runs["embedding_correlation_free"]
    assert differences.abs().median() < 0.1
