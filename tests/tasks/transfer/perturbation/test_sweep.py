"""`perturbation` through the command line in one process: the stages, the store and reduce together."""

import numpy as np
import pandas as pd
import pytest

from orchestrator.cli import main
from tests.research_data import research_data

TINY = [
    *("--experiment", "perturbation", "--preset", "quick", "--backend", "inline"),
    *("--width", "16", "--heads", "2", "--embedding", "8", "--intermediate", "32", "--pretrain-steps", "5"),
    *("--tasks", "acceptability", "--seeds", "0", "--shifts", "0,7", "--batches", "2"),
    *("--batch-size", "8", "--train-limit", "12"),
]
KEY = ["encoder", "task", "seed", "shift", "noise", "std", "sentence"]


def read(out, table):
    return pd.read_parquet(out / "perturbation" / f"{table}.parquet")


@pytest.fixture(autouse=True)
def without_figures(monkeypatch):
    monkeypatch.setattr("tasks.transfer.perturbation.reduce.draw", lambda *given: {})


def test_every_sentence_and_level_of_every_network_is_one_row(tmp_path):
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    rows = read(tmp_path, "distances")
    assert not rows.duplicated(KEY).to_numpy().any()
    assert len(rows) == 2 * 2 * 12 * 4
    assert (rows["distance"] > 0).all()
    assert len(read(tmp_path, "floors")) == 2 * 2 * 12
    # A level more later: the jobs run again, and give the same numbers for the levels that were there.
    more = ["--stds", "0.01", "0.001", "--noises", "absolute", "relative", "--shifts", "0"]
    assert main([*TINY, *more, "--out", str(tmp_path)]) == 0
    after = read(tmp_path, "distances")
    assert not after.duplicated(KEY).to_numpy().any()
    assert len(after.query("std == 0.001 and noise == 'relative'")) == 2 * 12
    both = rows.query("std == 0.01 and shift == 0").merge(after, on=KEY, suffixes=("", "_after"))
    assert both["distance"].tolist() == both["distance_after"].tolist()


@pytest.mark.slow
@pytest.mark.real_data
def test_real_sentences(tmp_path):
    arguments = [
        *(*TINY, "--data-dir", str(research_data("glue")), "--tasks", "STS-B", "--seeds", "0", "--max-length", "32"),
        *("--tokenizer", str(research_data("tokenizers", "albert")), "--out", str(tmp_path)),
    ]
    assert main(arguments) == 0
    slopes = pd.read_parquet(tmp_path / "perturbation" / "summary" / "slopes.parquet")
    assert np.allclose(slopes.query("std_low == 1e-8")["mean"], 1, atol=1e-3)
