"""`chaos` through the command line in one process: the stages, the store and reduce together."""

import re
from importlib import import_module

import pandas as pd
import pytest

from orchestrator.cli import main
from tasks.transient_chaos.chaos.tables import LONG_TABLES, SWEEP_TABLES
from tests.research_data import research_data

TINY = [
    "--experiment",
    "chaos",
    "--preset",
    "quick",
    "--backend",
    "inline",
    "--width",
    "16",
    "--heads",
    "2",
    "--embedding",
    "8",
    "--intermediate",
    "32",
    "--pretrain-steps",
    "5",
    "--steps",
    "40",
    "--window",
    "10",
    "--align",
    "10",
    "--exponents",
    "2",
    "--sentences",
    "6",
    "--encoder-seeds",
    "0",
    "--long-steps",
    "40",
    "--long-window",
    "20",
    "--sync-threshold",
    "10",
]


@pytest.fixture
def undrawn(monkeypatch):
    """Call it and reduce draws no figures from then on: they are most of a tiny sweep's time."""
    return lambda: monkeypatch.setattr(import_module("tasks.transient_chaos.chaos.reduce"), "draw", lambda *_: {})


def read(out, table):
    return pd.read_parquet(out / "chaos" / f"{table}.parquet")


def test_a_sweep_is_extended_by_what_is_new(tmp_path, capsys, undrawn):
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    written = {path.stem for path in (tmp_path / "chaos").glob("*.parquet")}
    assert written == {*SWEEP_TABLES, *LONG_TABLES, "pretraining", "jobs"} - {"lost"}  # nothing was lost
    windows = read(tmp_path, "windows")
    assert set(windows["encoder"]) == {"pretrained", "random"}
    assert not windows.duplicated(["encoder", "sentence", "method", "phase", "exponent", "start"]).any()
    assert set(read(tmp_path, "costs")["layer_passes"]) == {40 * 6}
    assert set(read(tmp_path, "long_windows")["start"]) == {40, 60}
    for name in ("report.html", "figures/growth_two_panels.png", "figures/survival.svg", "summary/comparison.parquet"):
        assert (tmp_path / "chaos" / name).stat().st_size > 500
    undrawn()
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    assert "0 jobs to run" in capsys.readouterr().out
    # Another network: its pass and its long run. More layers of one vector: those runs alone.
    assert main([*TINY, "--encoder-seeds", "0-1", "--out", str(tmp_path)]) == 0
    assert "2 jobs to run" in capsys.readouterr().out
    assert main([*TINY, "--encoder-seeds", "0-1", "--long-steps", "60", "--out", str(tmp_path)]) == 0
    assert "3 jobs to run" in capsys.readouterr().out
    pd.testing.assert_frame_equal(
        windows.reset_index(drop=True),
        read(tmp_path, "windows").query("encoder_seed != 1").reset_index(drop=True),
    )


@pytest.mark.real_data
def test_real_sentences_with_the_real_tokenizer(tmp_path, undrawn):
    undrawn()
    data = ["--corpus", str(research_data("wikitext-2")), "--tokenizer", str(research_data("tokenizers", "albert"))]
    options = "--text pairs --length 32 --model scratch --encoders random --mask-modes none padding --long-steps 0"
    assert main([*TINY, *data, *options.split(), "--out", str(tmp_path)]) == 0
    spreads = read(tmp_path, "spreads").query("statistic == 'spread' and layer == 5")
    # Some of the pairs are shorter than 32 tokens, so the two policies are two systems.
    by_mask = spreads.pivot_table(index="sentence", columns="mask_mode", values="value")
    assert (by_mask["none"] != by_mask["padding"]).any()


def test_a_model_that_another_experiment_pretrained_is_not_trained_again(tmp_path, capsys, undrawn):
    """Artifacts are shared by the experiments of a results directory; the training's rows are read out of them."""
    undrawn()
    small = [option for option in TINY[: TINY.index("--steps")] if option not in ("--experiment", "chaos")]
    depths = ["--depths", "1-2", "--train-limit", "20", "--test-limit", "10"]
    assert main(["--experiment", "mlm_depth", *small, *depths, "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main([*TINY, "--out", str(tmp_path), "--plan"]) == 0
    assert re.search(r"pretrain_small +1 +0 +1 ", capsys.readouterr().out)
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    mine, other = (pd.read_parquet(tmp_path / name / "pretraining.parquet") for name in ("chaos", "mlm_depth"))
    pd.testing.assert_frame_equal(mine, other)
