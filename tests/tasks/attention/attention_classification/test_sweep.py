"""`attention_classification` through the command line in one process: plan, stages, store and reduce together."""

# pandas says that any comparison of its objects may be a Series, so this rule says nothing here:
# pyright: reportGeneralTypeIssues=false

import numpy as np
import pandas as pd
import pytest

from orchestrator.cli import main
from tests.research_data import research_data

NAME = "attention_classification"
TINY = [
    *("--experiment", NAME, "--preset", "quick", "--backend", "inline"),
    *("--seeds", "20,13", "--steps", "6", "--save-every", "3", "--custom-saves", "0,1", "--train-limit", "40"),
    *("--test-limit", "12", "--max-length", "12", "--hidden", "4", "--intermediate", "3", "--embedding", "5"),
    *("--proxy-epochs", "2", "--proxy-width", "8", "--logistic-strengths", "0.01", "100"),
]


def read(out, table):
    return pd.read_parquet(out / NAME / f"{table}.parquet")


def test_runs_checkpoints_proxies_and_statistics_come_together_and_nothing_is_done_twice(tmp_path, capsys, monkeypatch):
    # The shared figures have tests of their own, and are most of a tiny sweep's time.
    monkeypatch.setattr("tasks.attention.learning.figures.draw", lambda *given: {})
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    performance = read(tmp_path, "performance")
    assert len(performance) == 3 * 4 * 2 * 3  # runs, checkpoints, splits, parts
    assert set(performance["step"]) == {0, 1, 3, 6}
    assert performance["value"].between(0, 1).all()
    training = read(tmp_path, "training")
    assert not training.duplicated(["kind", "seed", "step"]).to_numpy().any()
    assert set(zip(training["kind"], training["seed"], strict=True)) == {
        ("normal", 20),
        ("normal", 13),
        ("uniform", 12),
    }
    keys = set(read(tmp_path, "statistics")["key"])
    assert {"agr_unif", "agr_px", "agr_logistic", "agr_grad", "agr_normal", "baseline", "best_perf"} <= keys
    signs = read(tmp_path, "statistics").query("key == 'agr_grad'")
    assert set(signs["sign"]) == {"correct", "legacy"}
    for name in ("report.html", "figures/training.png", "summary/proxies.parquet", "summary/dictionary.parquet"):
        assert (tmp_path / NAME / name).stat().st_size > 500
    # A changed proxy is one job, and the statistics another: nothing is trained or evaluated again.
    capsys.readouterr()
    assert main([*TINY, "--proxy-epochs", "3", "--out", str(tmp_path)]) == 0
    assert "2 jobs to run, 17 already there" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.real_data
def test_two_classes_of_ag_news_are_learned(tmp_path):
    arguments = [
        *("--experiment", NAME, "--preset", "quick", "--backend", "inline", "--out", str(tmp_path)),
        *("--datasets", "AG_News", "--data-dir", str(research_data("ag_news").parent), "--seeds", "20,13"),
        *("--steps", "120", "--save-every", "60", "--custom-saves", "0", "--train-limit", "1500"),
        *("--test-limit", "200", "--max-length", "40", "--proxies", "px"),
    ]
    assert main(arguments) == 0
    last = read(tmp_path, "performance").query("step == 120 and split == 'val' and part == 'all'")
    assert len(last) == 3
    assert np.all(last["value"] > 0.75)
