"""`attention_translation` through the command line in one process: stages, store and reduce together."""

# pandas says that any comparison of its objects may be a Series, so this rule says nothing here:
# pyright: reportGeneralTypeIssues=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportArgumentType=false

import importlib

import numpy as np
import pandas as pd
import pytest

from orchestrator.cli import main
from tests.research_data import research_data

TINY = [
    *("--experiment", "attention_translation", "--preset", "quick", "--backend", "inline"),
    *("--train-limit", "50", "--val-limit", "9", "--vocab-size", "300", "--hidden", "8", "--epochs", "1"),
    *("--iterations", "0,2,4", "--max-length", "6", "--proxy-epochs", "2", "--proxy-width", "6"),
]


def read(out, table):
    return pd.read_parquet(out / "attention_translation" / f"{table}.parquet")


def test_every_checkpoint_is_measured_and_every_statistic_is_there(tmp_path, monkeypatch):
    for module in (
        "tasks.attention.learning.figures",
        "tasks.attention.attention_translation.reduce",
    ):  # figures take seconds
        monkeypatch.setattr(importlib.import_module(module), "draw", lambda *given: {})
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    performance = read(tmp_path, "performance")
    counts = performance.groupby(["kind", "seed"]).size().to_dict()
    # Steps x splits x parts x metrics; no BLEU of the uniform run.
    assert counts == {("normal", 13): 3 * 2 * 3 * 3, ("normal", 20): 3 * 2 * 3 * 3, ("uniform", 12): 3 * 2 * 3 * 2}
    assert np.isfinite(performance["value"]).all()
    statistics = read(tmp_path, "statistics")
    assert {"agr_unif", "agr_px", "agr_grad", "agr_normal", "baseline", "best_perf"} <= set(statistics["key"])
    assert set(statistics["performance"]) == {"accuracy", "bleu"}
    agreement = statistics[statistics["key"].str.startswith("agr")]["value"]
    assert agreement.between(-1, 1).all()
    assert {"loss", "val_accuracy", "best_bleu"} == set(read(tmp_path, "training")["metric"])
    assert (tmp_path / "attention_translation" / "report.html").stat().st_size > 500
    # Another metric is another statistics job alone.
    jobs = len(read(tmp_path, "jobs"))
    assert main([*TINY, "--metrics", "top5", "--out", str(tmp_path)]) == 0
    assert len(read(tmp_path, "jobs")) == jobs + 1


@pytest.mark.slow
@pytest.mark.real_data
def test_multi30k_is_learned_and_attention_agrees_with_what_bags_of_words_know(tmp_path):
    arguments = [
        *("--experiment", "attention_translation", "--preset", "quick", "--backend", "inline", "--out", str(tmp_path)),
        *("--datasets", "multi30k", "--data-dir", str(research_data("multi30k").parent), "--train-limit", "1000"),
        *("--epochs", "2", "--iterations", "0,60,126", "--hidden", "24", "--performances", "accuracy"),
    ]
    assert main(arguments) == 0
    rows = read(tmp_path, "performance").query("split == 'val' and part == 'all' and metric == 'perplexity'")
    by_step = [float(rows.loc[rows["step"] == step, "value"].mean()) for step in (126, 60, 0)]
    assert by_step == sorted(by_step)
    assert np.isfinite(read(tmp_path, "agreement")["mean"]).all()
