"""`squad_probes` through the command line in one process: fine-tuning, probes, predictions, scores, report."""

# pandas says that any comparison of its objects may be a Series, so this rule says nothing here:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportAttributeAccessIssue=false

from importlib import import_module

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from orchestrator.cli import main
from tests.research_data import research_data

TINY = [
    *("--experiment", "squad_probes", "--preset", "quick", "--backend", "inline"),
    *("--layers", "2", "--width", "16", "--heads", "2", "--train-limit", "60", "--dev-limit", "40"),
    *("--finetune-epochs", "1", "--seeds", "0-1", "--epochs", "2", "--converged-windows", "40", "--l2", "0.1"),
]
KEY = ["encoder", "level", "solver", "learning_rate", "l2", "seed", "epoch", "decoder", "part", "metric"]


def read(out, table):
    return pd.read_parquet(out / "squad_probes" / f"{table}.parquet")


def test_every_probe_decoder_part_and_metric_is_one_row(tmp_path, monkeypatch):
    with monkeypatch.context() as undrawn:  # figures are most of a tiny sweep's time
        undrawn.setattr(import_module("tasks.squad.squad_probes.figures"), "draw", lambda *_: {})
        assert main([*TINY, "--stages", "train", "--out", str(tmp_path)]) == 0
        assert not (tmp_path / "squad_probes" / "scores.parquet").exists()
        assert main([*TINY, "--stages", "predict", "--out", str(tmp_path)]) == 0
    assert main([*TINY, "--stages", "evaluate", "--out", str(tmp_path)]) == 0
    jobs = read(tmp_path, "jobs")
    assert set(jobs["status"]) == {"done"}
    assert not jobs["job_id"].duplicated().any()  # no step was done twice

    scores = read(tmp_path, "scores")
    assert not scores.duplicated(KEY).to_numpy().any()
    probes = scores[["encoder", *KEY[1:7]]].drop_duplicates()
    # Three levels of: two rates, two seeds, two epochs; one strength of L2.
    assert probes.groupby("encoder").size().to_dict() == {"finetuned": 3 * (8 + 1), "random": 3 * (8 + 1)}

    # EM of all questions is the weighted mean of the two classes, in every row.
    base = read(tmp_path, "baselines").query("part == 'all'").set_index(["encoder", "metric"])["value"]
    wide = scores.query("part == 'all'").pivot_table(index=KEY[:-2], columns="metric", values="value").reset_index()
    for encoder, rows in wide.groupby("encoder"):
        n, answerable = base[encoder, "questions"], base[encoder, "answerable"]
        for name in ("exact", "f1"):
            mixed = (rows["no_exact"] * (n - answerable) + rows[f"has_{name}"] * answerable) / n
            np.testing.assert_allclose(rows[name], mixed, atol=1e-9)
        assert base[encoder, "always_null"] == pytest.approx(100 * (1 - answerable / n))
        # The best threshold includes never answering.
        proper = rows.query("decoder == 'proper'")
        assert (proper["best_f1"] >= proper["f1"] - 1e-9).all()
        assert (proper["best_f1"] >= base[encoder, "always_null"] - 1e-9).all()
    assert wide.query("decoder == 'legacy'")["best_f1"].isna().all()

    costs = read(tmp_path, "costs").groupby(["encoder", "n_probes"])["layer_passes"].first()
    windows = read(tmp_path, "data").query("split == 'train' and metric == 'trainable'")["value"].iloc[0]
    assert costs["random", 4] == 2 * windows * 2  # two epochs, two layers, whatever the rates and seeds
    for name in ("report.html", "summary/layers.parquet"):
        assert (tmp_path / "squad_probes" / name).stat().st_size > 500
    assert list((tmp_path / "squad_probes" / "figures").glob("*.png"))

    # The predictions are there to be looked at.
    (path, *_) = sorted((tmp_path / "artifacts" / "probe_predict").glob("*/*/predictions.parquet"))
    rows = pq.read_table(path).to_pandas()
    assert len(rows) == 3 * 9 * 2 * 40
    assert rows.query("decoder == 'proper'")["null_odds"].notna().all()


@pytest.mark.slow
@pytest.mark.real_data
def test_real_questions_with_the_real_tokenizer(tmp_path):
    arguments = [
        *TINY,
        *("--dataset", "squad_v2", "--data-dir", str(research_data("squad2"))),
        *("--tokenizer", str(research_data("tokenizers", "bert-uncased"))),
        *("--max-length", "384", "--doc-stride", "128", "--max-query-length", "64", "--encoders", "random"),
        *("--learning-rates", "3e-3", "--seeds", "0", "--epochs", "1", "--out", str(tmp_path)),
    ]
    assert main(arguments) == 0
    scores = read(tmp_path, "scores")
    assert np.isfinite(scores.query("metric == 'f1' and part == 'all'")["value"]).all()
    legacy = [*arguments, "--mode", "legacy"]
    assert main(legacy) == 0
    both = (
        read(tmp_path, "scores")
        .query("metric == 'loss' and level == 2 and solver == 'adam'")
        .set_index("mode")["value"]
    )
    assert both["legacy"] > both["proper"]  # the softmax over question and padding has more to be wrong about
