"""`squad_finetune` from the command line to the report, in this process and without Ray; and wrong input."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from orchestrator.cli import main
from tests.research_data import research_data

MODEL = [
    "--models", "scratch", "--layers", "1", "--width", "16", "--heads", "2", "--tokenizer", "builtin",
]  # fmt: skip
DATA = [
    "--dataset", "builtin", "--max-length", "96", "--doc-stride", "32", "--max-query-length", "24", "--train-limit",
    "24", "--dev-limit", "30",
]  # fmt: skip
START = ["--experiment", "squad_finetune", "--backend", "inline"]
TINY = [
    *START, *MODEL, *DATA, "--finetune-seeds", "0-1", "--finetune-epochs", "2", "--finetune-learning-rate", "1e-3",
]  # fmt: skip


def read(out: Path, table: str) -> pd.DataFrame:
    return pd.read_parquet(out / "squad_finetune" / f"{table}.parquet")


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("swept")
    assert main([*TINY, "--out", str(out)]) == 0
    return out


def artifact(out: Path, stage: str, job: str) -> Path:
    return out / "artifacts" / stage / job[:2] / job


def test_every_model_seed_decoder_and_metric_is_one_row(swept):
    scores = read(swept, "scores")
    key = ["encoder_seed", "decoder", "part", "metric"]
    assert not scores.duplicated(key).to_numpy().any()
    assert set(scores["encoder_seed"]) == {0, 1}
    assert set(scores["decoder"]) == {"exhaustive", "n_best", "legacy", "never"}
    assert {"exact", "f1", "has_f1", "no_exact", "best_f1", "cross_f1"} <= set(scores["metric"])
    assert set(scores["revision"].str[:4]) == {"job-"}
    own = scores[scores["part"] == "all"].pivot_table(
        index=["encoder_seed", "decoder"], columns="metric", values="value"
    )
    data = read(swept, "data").set_index(["split", "metric"])["value"]
    share = data["dev", "answerable"] / data["dev", "questions"]
    assert (own["exact"] - (share * own["has_exact"] + (1 - share) * own["no_exact"])).abs().max() < 1e-9
    curves = read(swept, "training_curves")
    assert not curves.duplicated(["seed", "step"]).to_numpy().any()
    assert curves["epoch"].max() == 2
    assert set(read(swept, "training_costs")["left_out"]) == {0}
    for name in ("report.html", "figures/scores_by_model.png", "figures/training_loss.svg", "summary/main.parquet"):
        assert (swept / "squad_finetune" / name).stat().st_size > 500


def test_a_trained_model_evaluated_alone_has_the_same_scores(swept, tmp_path):
    scores = read(swept, "scores").query("encoder_seed == 1")
    trained = scores["revision"].iloc[0].removeprefix("job-")
    shutil.copytree(artifact(swept, "squad_train", trained), tmp_path / "answers")
    line = [
        *START,
        *DATA,
        "--stages",
        "evaluate",
        "--models",
        str(tmp_path / "answers"),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(line) == 0  # its own tokenizer lies beside the weights
    alone = read(tmp_path / "out", "scores")
    assert set(alone["model"]) == {"answers"}
    assert not (tmp_path / "out" / "artifacts" / "squad_train").exists()
    both = alone.merge(scores, on=["decoder", "part", "metric"], suffixes=("", "_swept"))
    assert len(both) == len(alone)
    pd.testing.assert_series_equal(both["value"], both["value_swept"], check_names=False)
    official = artifact(swept, "squad_evaluate", scores["job_id"].iloc[0]) / "predictions.json"
    assert len(json.loads(official.read_text())) == 30


@pytest.mark.slow
def test_seeds_added_later_are_the_same_as_asked_at_once(swept, tmp_path):
    assert main([*TINY, "--finetune-seeds", "1", "--out", str(tmp_path)]) == 0
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    pd.testing.assert_frame_equal(read(tmp_path, "scores"), read(swept, "scores"))
    jobs = pd.read_parquet(tmp_path / "squad_finetune" / "jobs.parquet")
    assert (jobs["stage"] == "squad_train").sum() == 2 * 2  # nothing twice


def test_training_alone_leaves_checkpoints_and_curves(tmp_path):
    assert main([*TINY, "--finetune-seeds", "0", "--stages", "train", "--out", str(tmp_path)]) == 0
    assert len(read(tmp_path, "training_curves"))
    assert not (tmp_path / "artifacts" / "squad_evaluate").exists()
    assert (tmp_path / "squad_finetune" / "figures" / "training_loss.png").stat().st_size > 500


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--stages", "evaluate"], "stages is evaluate: give train evaluate"),
        (["--stages", "test"], "--stages: there is no 'test'"),
        (["--models", "/nowhere"], "layers is 1: give none"),
        (["--data-dir", "/nowhere"], "data-dir is '/nowhere': give none with the dataset builtin"),
        (["--dataset", "squad_v2", "--data-dir", "/nowhere"], "/nowhere: no such directory"),
        (["--max-length", "20"], "max-length is 20"),
        (["--doc-stride", "96"], "doc-stride is 96"),
        (["--finetune-batch", "0"], "finetune-batch is 0"),
        (["--n-best", "0"], "n-best is 0"),
    ],
)
def test_wrong_input_is_one_line_and_starts_nothing(options, message, tmp_path, capsys):
    assert main([*TINY, "--out", str(tmp_path / "out"), *options]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_two_models_of_one_name_are_refused(tmp_path, checkpoint, capsys):
    shutil.copytree(checkpoint, tmp_path / checkpoint.name)
    models = [str(checkpoint), str(tmp_path / checkpoint.name)]
    line = [*START, *DATA, "--stages", "evaluate", "--tokenizer", "builtin", "--models", *models]
    assert main([*line, "--out", str(tmp_path / "out")]) == 2
    assert f"are both called {checkpoint.name}, rename one" in capsys.readouterr().err


def test_without_network_the_paper_preset_says_what_is_missing(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert main(["--experiment", "squad_finetune", "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.strip()
    assert "albert/albert-base-v2" in error
    assert len(error.splitlines()) == 1


@pytest.mark.real_data
def test_real_questions_with_the_real_tokenizer(tmp_path):
    line = [
        *START, *MODEL, "--tokenizer", str(research_data("tokenizers", "bert-uncased")), "--data-dir",
        str(research_data("squad2")), "--max-length", "128", "--doc-stride", "48", "--max-query-length", "32",
        "--train-limit", "20", "--dev-limit", "20", "--finetune-epochs", "1", "--out", str(tmp_path),
    ]  # fmt: skip
    assert main(line) == 0
    scores = read(tmp_path, "scores")
    assert set(scores["tokenizer"]) == {"bert-uncased"}
    assert set(scores["dataset"]) == {"squad_v2"}
