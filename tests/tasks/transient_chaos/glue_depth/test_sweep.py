"""`glue_depth` through the command line in one process: the stages, the store and reduce together."""

import numpy as np
import pandas as pd
import pytest

from orchestrator.cli import main
from tests.research_data import research_data

TINY = [
    *("--experiment", "glue_depth", "--preset", "quick", "--backend", "inline"),
    *("--width", "16", "--embedding", "8", "--intermediate", "32", "--train-limit", "40", "--dev-limit", "20"),
    *("--depths", "1-3", "--finetuned-depths", "2", "--seeds", "0-1", "--epochs", "1"),
]


def read(out, table):
    return pd.read_parquet(out / "glue_depth" / f"{table}.parquet")


def test_every_task_encoder_depth_seed_and_metric_is_one_row(tmp_path):
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    scores = read(tmp_path, "scores")
    key = ["task", "encoder", "training", "depth", "seed", "metric"]
    assert not scores.duplicated(key).to_numpy().any()
    runs = scores.groupby("task")[["training", "depth", "seed"]].value_counts().groupby("task").size()
    assert runs.to_dict() == dict.fromkeys(["acceptability", "same_topic", "similarity"], 3 * 2 + 1 * 2)
    assert set(scores.query("task == 'similarity'")["metric"]) == {"pearson", "spearman", "corr", "loss"}
    assert scores["data"].str.match(r"\w+@[0-9a-f]{16}$").all()
    assert set(scores["width"]) == {16}
    costs = read(tmp_path, "costs")
    # One pass of three layers over all sequences, however many depths are scored.
    assert set(costs.query("training == 'frozen'")["layer_passes"]) == {3 * (40 + 20)}
    assert not np.isnan(read(tmp_path, "curves")["loss"].to_numpy()).any()
    for name in ("report.html", "figures/score_by_depth.png", "figures/score_by_depth.svg", "summary/peaks.parquet"):
        assert (tmp_path / "glue_depth" / name).stat().st_size > 500


def test_deeper_later_gives_each_row_once_and_the_same_numbers(tmp_path):
    tiny = [*TINY, "--tasks", "similarity", "--trainings", "frozen", "--out", str(tmp_path)]
    assert main(tiny) == 0
    before = read(tmp_path, "scores")
    assert main([*tiny, "--depths", "1-5"]) == 0
    after = read(tmp_path, "scores")
    assert sorted(after["depth"].unique()) == [1, 2, 3, 4, 5]
    key = ["encoder_seed", "depth", "seed", "metric"]
    assert not after.duplicated(key).to_numpy().any()
    merged = before.merge(after, on=key, suffixes=("", "_after"))
    assert len(merged) == len(before)
    np.testing.assert_array_equal(merged["value"], merged["value_after"])


def test_seeds_added_later_are_the_same_as_asked_at_once(tmp_path):
    tiny = [*TINY, "--tasks", "same_topic"]
    assert main([*tiny, "--seeds", "1", "--out", str(tmp_path / "a")]) == 0
    assert main([*tiny, "--seeds", "0-1", "--out", str(tmp_path / "a")]) == 0
    assert main([*tiny, "--seeds", "0-1", "--out", str(tmp_path / "b")]) == 0
    pd.testing.assert_frame_equal(read(tmp_path / "a", "scores"), read(tmp_path / "b", "scores"))


def test_a_checkpoint_is_read_and_frozen_seeds_share_it(tmp_path, tiny_checkpoint):
    line = [
        *(
            "--experiment",
            "glue_depth",
            "--backend",
            "inline",
            "--model",
            str(tiny_checkpoint),
            "--tokenizer",
            "builtin",
        ),
        *("--tasks", "similarity", "--depths", "1-2", "--seeds", "0-1", "--epochs", "1"),
        *("--train-limit", "30", "--dev-limit", "20", "--out", str(tmp_path)),
    ]
    assert main(line) == 0
    scores, costs = read(tmp_path, "scores"), read(tmp_path, "costs")
    assert len(scores.groupby(["encoder", "training", "depth", "seed"])) == 2 * 2 * 2 * 2
    frozen = costs.query("encoder == 'pretrained' and training == 'frozen'")
    assert (len(frozen), frozen["n_seeds"].item(), frozen["layer_passes"].item()) == (1, 2, 2 * 50)
    assert set(scores["model"]) == {tiny_checkpoint.name}


def test_constant_predictions_are_stored_as_nan_and_counted(tmp_path):
    """With vanishing weights every example has the same features, so every prediction is the same number."""
    line = [*TINY, "--tasks", "similarity", "--trainings", "frozen", "--seeds", "0", "--init-range", "1e-20"]
    assert main([*line, "--depths", "1-2", "--out", str(tmp_path)]) == 0
    scores = read(tmp_path, "scores")
    assert set(scores.loc[scores["value"].isna(), "metric"]) == {"pearson", "spearman", "corr"}
    assert not np.isnan(scores.query("metric == 'loss'")["value"].to_numpy()).any()
    counted = pd.read_parquet(tmp_path / "glue_depth/summary/nan_counts.parquet")
    assert counted[["metric", "nan", "of"]].to_numpy().tolist() == [[m, 2, 2] for m in ("corr", "pearson", "spearman")]
    assert "6 of 8 scores are NaN" in (tmp_path / "glue_depth/report.html").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tasks", "RET"], "--tasks: there is no 'RET' (did you mean 'RTE'?)"),
        (["--depth", "3"], "there is no option --depth (did you mean '--depths'?)"),
        (["--depths", "9-3"], "'9-3' runs backwards"),
        (["--tasks", "RTE", "--data-dir", "/nowhere"], "/nowhere: no such directory"),
        (["--tokenizer", "/nowhere"], "/nowhere: no such directory; give --tokenizer"),
        (
            ["--model", "/nowhere", "--width", "None", "--embedding", "None", "--intermediate", "None"],
            "there is no directory /nowhere",
        ),
        (["--model", "/nowhere"], "give none: sizes go with --model scratch, /nowhere has its own"),
        (["--batch-size", "0"], "batch-size is 0"),
    ],
)
def test_wrong_input_is_one_line_and_starts_nothing(options, message, tmp_path, capsys):
    assert main([*TINY, "--out", str(tmp_path / "out"), *options]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_is_one_line(capsys):
    assert main([*TINY, "--out", "/proc/nowhere"]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("sweep.py: results cannot be written to /proc/nowhere/glue_depth: ")
    assert len(error.splitlines()) == 1


def test_without_network_the_paper_preset_says_what_is_missing(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert main(["--experiment", "glue_depth", "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.strip()
    assert "albert/albert-large-v2" in error
    assert "--model DIR" in error
    assert len(error.splitlines()) == 1


@pytest.mark.real_data
@pytest.mark.parametrize("task", ["RTE", "STS-B", "CoLA"])
def test_real_data_with_the_real_tokenizer(task, tmp_path):
    line = [
        *TINY,
        "--tasks",
        task,
        "--data-dir",
        str(research_data("glue")),
        "--tokenizer",
        str(research_data("tokenizers", "albert")),
    ]
    assert main([*line, "--max-length", "64", "--seeds", "0", "--out", str(tmp_path)]) == 0
    scores = read(tmp_path, "scores")
    assert set(scores["task"]) == {task}
    assert set(scores["depth"]) == {1, 2, 3}
    assert set(scores["tokenizer"]) == {"albert"}
