"""`gradient_confusion` through the command line in one process: the stages, the store and reduce together."""

import numpy as np
import pandas as pd
import pytest

from orchestrator.cli import main
from tests.research_data import research_data

TINY = [
    *("--experiment", "gradient_confusion", "--preset", "quick", "--backend", "inline"),
    *("--width", "16", "--heads", "2", "--embedding", "8", "--intermediate", "32", "--pretrain-steps", "5"),
    *("--tasks", "acceptability", "similarity", "--seeds", "0", "--shifts", "0", "--batches", "3"),
    *("--batch-size", "8", "--train-limit", "40"),
]


def read(out, table):
    return pd.read_parquet(out / "gradient_confusion" / f"{table}.parquet")


@pytest.fixture(autouse=True)
def without_figures(monkeypatch):
    monkeypatch.setattr("tasks.transfer.gradient_confusion.reduce.draw", lambda rows: {})


def test_every_pair_of_every_network_is_one_row(tmp_path):
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    pairs = read(tmp_path, "pairs")
    key = ["encoder", "task", "seed", "i", "j", "metric"]
    assert not pairs.duplicated(key).to_numpy().any()
    assert len(pairs) == 2 * 2 * 3 * 3
    assert np.isfinite(pairs["value"].to_numpy()).all()
    assert set(read(tmp_path, "costs")["gradients"]) == {3}
    # More batches later: the pairs that were there stay as they are.
    assert main([*TINY, "--batches", "4", "--tasks", "acceptability", "--out", str(tmp_path)]) == 0
    after = read(tmp_path, "pairs").query("task == 'acceptability' and batches == 4")
    both = pairs.query("task == 'acceptability'").merge(after, on=key, suffixes=("", "_after"))
    assert len(both) == 2 * 3 * 3
    np.testing.assert_allclose(both["value"], both["value_after"], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.real_data
def test_real_sentences(tmp_path):
    arguments = [
        *(*TINY, "--data-dir", str(research_data("glue")), "--tasks", "RTE", "STS-B", "--seeds", "0"),
        *("--tokenizer", str(research_data("tokenizers", "albert")), "--max-length", "32", "--out", str(tmp_path)),
    ]
    assert main(arguments) == 0
    cosine = read(tmp_path, "pairs").query("metric == 'cosine'")
    means = cosine.groupby(["task", "encoder"])["value"].mean()
    # Of a regression the mean error dominates; of two classes the gradients of batches differ.
    assert means["STS-B"].min() > 0.8 > means["RTE"].max()
