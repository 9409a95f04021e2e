"""`mlm_depth` through the command line in one process: the stages, the store and reduce together."""

import numpy as np
import pandas as pd
import pytest

from orchestrator.cli import main
from tests.research_data import research_data

TINY = [
    *("--experiment", "mlm_depth", "--preset", "quick", "--backend", "inline"),
    *("--width", "16", "--heads", "2", "--embedding", "8", "--intermediate", "32", "--pretrain-steps", "5"),
    *(
        "--depths",
        "1-3",
        "--seeds",
        "0-1",
        "--encoder-seeds",
        "0-1",
        "--epochs",
        "1",
        "--train-limit",
        "40",
        "--test-limit",
        "20",
    ),
]
KEY = ["encoder", "encoder_seed", "readout", "depth", "seed", "metric"]


def read(out, table):
    return pd.read_parquet(out / "mlm_depth" / f"{table}.parquet")


def test_every_encoder_readout_depth_seed_and_metric_is_one_row(tmp_path):
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    scores = read(tmp_path, "scores")
    assert not scores.duplicated(KEY).to_numpy().any()
    runs = scores.groupby(["encoder", "readout"])[["encoder_seed", "depth", "seed"]].apply(lambda g: len(g) / 5)
    assert runs.to_dict() == {
        ("pretrained", "new"): 3 * 2,
        ("pretrained", "trained"): 3,
        ("pretrained", "zero_shot"): 3,
        ("random", "new"): 3 * 2 * 2,
    }
    assert np.isfinite(scores["value"]).all()
    # One pass of three layers over all blocks, however many readouts there are.
    assert set(read(tmp_path, "costs")["layer_passes"]) == {3 * (40 + 20)}
    assert {"test_accuracy", "guess_accuracy"} <= set(read(tmp_path, "pretraining")["metric"])
    for name in ("report.html", "figures/mlm_by_depth.png", "figures/mlm_by_depth.svg", "summary/peaks.parquet"):
        assert (tmp_path / "mlm_depth" / name).stat().st_size > 500
    # Deeper later: the pass runs again and gives the same numbers for the depths that were there.
    assert main([*TINY, "--depths", "2-4", "--encoders", "random", "--out", str(tmp_path)]) == 0
    after = read(tmp_path, "scores").query("encoder == 'random'")
    assert sorted(after["depth"].unique()) == [1, 2, 3, 4]
    both = scores.query("encoder == 'random' and depth > 1").merge(after, on=KEY, suffixes=("", "_after"))
    np.testing.assert_allclose(both["value"], both["value_after"], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.real_data
def test_a_model_pretrained_on_wikitext_names_more_than_guessing(tmp_path):
    arguments = [
        *("--experiment", "mlm_depth", "--preset", "quick", "--backend", "inline", "--out", str(tmp_path)),
        *("--corpus", str(research_data("wikitext-2")), "--tokenizer", str(research_data("tokenizers", "albert"))),
        *("--pretrain-steps", "150", "--depths", "1,2,4", "--seeds", "0", "--encoder-seeds", "0", "--epochs", "1"),
        *("--train-limit", "96", "--test-limit", "64", "--readouts", "zero_shot"),
    ]
    assert main(arguments) == 0
    rows = read(tmp_path, "scores").query("metric == 'loss'")
    loss = dict(zip(zip(rows["encoder"], rows["depth"], strict=True), rows["value"].tolist(), strict=True))
    guess = dict(read(tmp_path, "baselines")[["metric", "value"]].to_numpy().tolist())
    last = dict(read(tmp_path, "pretraining").query("step == 150")[["metric", "value"]].to_numpy().tolist())
    assert np.isfinite(rows["value"].to_numpy()).all()
    # A hundred and fifty steps teach the frequencies of 30,000 pieces, from ln 30,000 = 10.3 nats on.
    assert last["test_loss"] < 8.5
    assert loss["pretrained", 2] == pytest.approx(last["test_loss"], abs=0.4)
    assert loss["pretrained", 2] < loss["random", 2]
    assert 0.02 < guess["guess_accuracy"] < 0.4
