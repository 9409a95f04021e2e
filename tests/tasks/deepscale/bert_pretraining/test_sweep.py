"""`bert_pretraining` through the command line in one process: the stages, the store and reduce together."""

from importlib import import_module

import pandas as pd
import pytest

import tasks
from orchestrator.cli import main

TINY = [
    *("--experiment", "bert_pretraining", "--preset", "quick", "--backend", "inline"),
    *("--layers", "3", "--width", "16", "--steps", "4", "--points", "2", "--test-points", "1", "--test-samples", "8"),
]


def read(out, table):
    return pd.read_parquet(out / "bert_pretraining" / f"{table}.parquet")


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(tasks.EXPERIMENTS, "bert_pretraining", "tasks.deepscale.bert_pretraining")


def test_every_variant_has_its_curves_and_its_outcome(tmp_path, capsys, monkeypatch):
    reduce = import_module("tasks.deepscale.bert_pretraining.reduce")
    monkeypatch.setattr(reduce, "curves", lambda *_: pd.DataFrame())  # figures are most of a tiny sweep's time
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    training, outcomes = read(tmp_path, "training"), read(tmp_path, "outcomes")
    variants = {("pre", "vanilla"), ("pre", "dslm"), ("post", "vanilla"), ("post", "dslm")}
    assert {tuple(row) for row in outcomes[["norm", "scheme"]].to_numpy()} == variants
    assert outcomes["step"].tolist() == [4] * 4
    assert not training.duplicated(["norm", "scheme", "step", "metric"]).to_numpy().any()
    points = training[training["metric"] == "mlm_loss"].groupby(["norm", "scheme"])["step"].apply(list)
    assert points.tolist() == [[2, 4]] * 4
    for name in ("report.html", "summary/variants.parquet", "summary/throughput.parquet"):
        assert (tmp_path / "bert_pretraining" / name).stat().st_size > 500
    assert not list((tmp_path / "checkpoints").rglob("model.safetensors"))  # of jobs that are done
    # The same again, with other settings of how it runs: all is there.
    capsys.readouterr()
    again = [*TINY, "--out", str(tmp_path), "--sharding", "ddp", "--checkpoint-seconds", "1"]
    assert main(again) == 0
    assert "0 jobs to run, 9 already there" in capsys.readouterr().out


def test_numbers_that_do_not_go_together_are_refused_in_one_line(tmp_path, capsys):
    assert main([*TINY, "--micro-batch", "5", "--out", str(tmp_path)]) == 2
    assert "micro-batch is 5: give a number that divides the global batch of 32" in capsys.readouterr().err
    assert not (tmp_path / "bert_pretraining").exists()
