"""`handwriting_readout` through the command line in one process: the stage, the store and reduce together."""

import numpy as np
import pandas as pd
import pytest

from orchestrator.cli import main
from tests.research_data import research_data

TINY = [
    *("--experiment", "handwriting_readout", "--preset", "quick", "--backend", "inline"),
    *("--model", "scratch", "--encoders", "random", "--width", "16", "--embedding", "8", "--intermediate", "32"),
    *("--train-limit", "80", "--dev-limit", "60", "--max-length", "16"),
    *("--starts", "0-3", "--lengths", "1-4", "--steps", "8", "--best-from", "3"),
]


def read(out, table):
    return pd.read_parquet(out / "handwriting_readout" / f"{table}.parquet")


def test_every_encoder_and_window_is_one_row(tmp_path):
    assert main([*TINY, "--init-styles", "hf_default", "glue_legacy", "--out", str(tmp_path)]) == 0
    windows = read(tmp_path, "windows")
    key = ["encoder", "init_style", "encoder_seed", "start", "length"]
    assert not windows.duplicated(key).to_numpy().any()
    assert len(windows) == 2 * 2 * 4 * 4
    assert set(windows["mask_mode"]) == {"none"}
    assert windows["data"].str.match(r"similarity@[0-9a-f]{16}$").all()
    assert min(read(tmp_path, "costs")["layer_passes"].tolist()) >= (80 + 60) * 6  # one pass, and again what is drawn
    assert len(read(tmp_path, "samples").query("best")) == 4 * 60
    names = ["figures/error_by_window.png", "figures/letters.png", "figures/sample_errors.svg"]
    for name in ("report.html", "summary/best_windows.parquet", *names):
        assert (tmp_path / "handwriting_readout" / name).stat().st_size > 500


@pytest.mark.slow
def test_more_windows_later_and_another_mask_mode_are_jobs_of_their_own(tmp_path):
    tiny = [*TINY, "--encoder-seeds", "0", "--train-limit", "40", "--out", str(tmp_path)]
    assert main([*tiny, "--mask-mode", "padding"]) == 0
    assert main([*tiny, "--lengths", "1-3"]) == 0
    short = read(tmp_path, "windows").query("mask_mode == 'none'")
    assert main(tiny) == 0
    windows = read(tmp_path, "windows")
    assert windows["mask_mode"].value_counts().to_dict() == {"none": 16, "padding": 16}
    merged = short.merge(windows.query("mask_mode == 'none'"), on=["start", "length"], suffixes=("", "_after"))
    assert len(merged) == 12
    # What is constant is found in the longest window, from float32 states: to their rounding it depends on the lengths.
    np.testing.assert_allclose(merged["error_mean"], merged["error_mean_after"], rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--starts", "0-6"], "the window of 4 layers from layer 6 ends at layer 9"),
        (["--lengths", "0-3"], "lengths is 0: give at least 1"),
        (["--tasks", "MNLI"], "there are two letters, and 3 classes"),
        (["--tasks", "same_topic", "--threshold-low", "1", "--threshold-high", "2"], "classes have no scores"),
        (["--threshold-low", "0.2"], "threshold-high is None: give both thresholds or none"),
        (["--legacy-labels"], "tasks is 'similarity': give STS-B with legacy-labels"),
        (["--drawn-starts", "2"], "give both drawn-starts and drawn-lengths, or none"),
        (["--drawn-starts", "7", "--drawn-lengths", "4"], "drawn-starts is 7: give some of the starts"),
        (["--starts", "", "--steps", "8"], "starts"),
        (["--write-mode", "speed"], "--write-mode"),
    ],
)
def test_wrong_input_is_one_line_and_starts_nothing(options, message, tmp_path, capsys):
    assert main([*TINY, "--out", str(tmp_path / "out"), *options]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_thresholds_that_leave_no_sample_fail_the_job_by_name(tmp_path, capsys):
    line = [*TINY, "--train-limit", "2", "--threshold-low", "0.0", "--threshold-high", "1.0", "--encoder-seeds", "0"]
    assert main([*line, "--out", str(tmp_path)]) == 1
    assert "train of similarity has no score" in capsys.readouterr().out


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("task", "options"),
    [("STS-B", ["--threshold-low", "1", "--threshold-high", "4"]), ("STS-B", ["--legacy-labels"]), ("RTE", [])],
)
def test_real_data_with_the_real_tokenizer(task, options, tmp_path):
    line = [
        *TINY,
        "--tasks",
        task,
        "--data-dir",
        str(research_data("glue")),
        "--tokenizer",
        str(research_data("tokenizers", "albert")),
    ]
    assert main([*line, "--max-length", "64", "--encoder-seeds", "0", *options, "--out", str(tmp_path)]) == 0
    windows = read(tmp_path, "windows")
    assert len(windows) == 16
    assert windows["error_mean"].between(0, 10).all()
    samples = read(tmp_path, "samples")
    allowed = {0, 1} if task == "RTE" or "--threshold-low" in options else {n / 5 for n in range(6)}
    assert set(samples["share"]) <= allowed
