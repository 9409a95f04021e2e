"""`bert_finetuning` through the command line in one process: pretraining, runs, the store and reduce together."""

import numpy as np
import pandas as pd
import pytest

import tasks
from orchestrator.cli import main
from tests.research_data import research_data

COMMAND = ["--experiment", "bert_finetuning", "--preset", "quick", "--backend", "inline"]
TINY = [
    *("--width", "16", "--heads", "2", "--layers", "3", "--length", "48", "--steps", "3", "--test-samples", "4"),
    *("--finetune-length", "48", "--question-length", "20", "--train-limit", "16", "--dev-limit", "11"),
    *("--finetune-epochs", "1"),
]


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(tasks.EXPERIMENTS, "bert_finetuning", "tasks.deepscale.bert_finetuning")


def read(out, table):
    return pd.read_parquet(out / "bert_finetuning" / f"{table}.parquet")


@pytest.mark.slow
def test_every_task_model_rate_and_seed_is_a_run(tmp_path):
    assert main([*COMMAND, *TINY, "--out", str(tmp_path)]) == 0
    scores = read(tmp_path, "scores")
    runs = ["task", "model", "learning_rate", "seed"]
    assert len(scores.groupby(runs)) == 2 * 2 * 2 * 2
    assert not scores.duplicated([*runs, "split", "part", "epoch", "metric"]).to_numpy().any()
    assert np.isfinite(scores["value"]).all()
    assert set(read(tmp_path, "finetunings")["status"]) == {"finished"}
    best = pd.read_parquet(tmp_path / "bert_finetuning" / "summary" / "best.parquet")
    assert len(best) == 4
    # The median of the best rate is that of its two runs.
    row = best[best["task"] == "same_topic"].iloc[0]
    own = scores.query("task == 'same_topic' and metric == 'accuracy' and part == 'all'")
    own = own[(own["model"] == row["model"]) & (own["learning_rate"] == row["learning_rate"])]
    assert row["median"] == pytest.approx(float(np.median(own["value"])))
    figures = ("accuracy_by_model", "accuracy_by_rate", "accuracy_by_epoch", "training_loss")
    for name in ("report.html", *(f"figures/{figure}.png" for figure in figures)):
        assert (tmp_path / "bert_finetuning" / name).stat().st_size > 500


@pytest.mark.slow
@pytest.mark.real_data
def test_rte_and_mrpc_run_with_the_real_tokenizer(tmp_path):
    tokenizer = str(research_data("tokenizers", "bert-uncased"))
    given = [
        *("--tasks", "RTE", "MRPC", "--data-dir", str(research_data("glue")), "--dev-limit", "60"),
        *("--corpus", str(research_data("wikitext-2")), "--tokenizer", tokenizer, "--document-limit", "40"),
        *("--schemes", "dslm", "--finetune-learning-rates", "1e-3", "--finetune-seeds", "1000"),
    ]
    assert main([*COMMAND, *TINY, *given, "--out", str(tmp_path)]) == 0
    scores = read(tmp_path, "scores").query("part == 'all'")
    assert set(scores.query("task == 'MRPC'")["metric"]) == {"accuracy", "f1", "accuracy_and_f1", "loss"}
    loss = dict(scores.query("metric == 'loss'")[["task", "value"]].to_numpy().tolist())
    assert loss["RTE"] == pytest.approx(np.log(2), abs=0.2)  # two steps teach nothing
    data = read(tmp_path, "data")
    assert dict(data.query("metric == 'examples' and split == 'dev'")[["task", "value"]].to_numpy().tolist()) == {
        "RTE": 60,
        "MRPC": 60,
    }
