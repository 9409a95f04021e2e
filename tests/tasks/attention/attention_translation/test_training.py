"""Training: what a checkpoint holds, several runs together, going on after a kill, bad input."""

import pytest
import torch
from safetensors.torch import load_file

from models.attention_translator import AttentionTranslator, TranslatorConfig
from orchestrator.checkpoints import Checkpoints
from orchestrator.storage import Storage
from tasks.attention.attention_translation import training
from tasks.attention.attention_translation.training import new_translator
from tasks.attention.learning import trainer
from tasks.attention.learning.runs import Run, run_named
from tasks.attention.learning.trainer import load_checkpoint
from tasks.data.errors import DataError
from tests.tasks.attention.attention_translation.conftest import train

ALL = {"runs": ("normal-20", "normal-13", "uniform-12")}


def weights(directory, run="normal-20"):
    return {path.stem: load_file(path) for path in sorted((directory / run).glob("*.safetensors"))}


def same(one, other, tolerance=0.0):
    assert one.keys() == other.keys()
    for name in one:
        for key in one[name]:
            torch.testing.assert_close(one[name][key], other[name][key], atol=tolerance, rtol=0)


def test_checkpoints_hold_the_updates_in_their_names(pairs, tmp_path, monkeypatch):
    rows = train(pairs, tmp_path / "whole", beams=2, max_length=6)
    kept = weights(tmp_path / "whole")
    assert list(kept) == ["0", "3", "8", "best"]  # 50 pairs in batches of 16 are 4 steps; two epochs 8
    short = train(pairs, tmp_path / "short", saves=(0, 3), epochs=1)
    same({k: kept[k] for k in ("0", "3")}, {k: v for k, v in weights(tmp_path / "short").items() if k != "best"})
    assert len(short) == 4 + 1
    # Adam's first updates change each weight that has a gradient by the learning rate at most, in sum.
    change = max(float((kept["3"][name] - kept["0"][name]).abs().max()) for name in kept["0"])
    assert 0 < change <= 3.1e-3
    losses = [row["value"] for row in rows if row["metric"] == "loss"]
    assert len(losses) == 8
    assert losses[-1] < losses[0]
    accuracy = {row["step"]: row["value"] for row in rows if row["metric"] == "val_accuracy"}
    assert list(accuracy) == [4, 8]
    best = max(accuracy, key=lambda step: accuracy[step])
    assert [row["step"] for row in rows if row["metric"] == "best_bleu"] == [best]
    if best == 8:
        same({"x": kept["best"]}, {"x": kept["8"]})


def test_runs_together_are_runs_alone(pairs, tmp_path):
    together = train(pairs, tmp_path / "together", layers=1, **ALL)
    for run in ALL["runs"]:
        rows = train(pairs, tmp_path / "alone", layers=1, runs=(run,))
        own = [row for row in together if f"{row['kind']}-{row['seed']}" == run]
        assert [row["value"] for row in rows] == pytest.approx([row["value"] for row in own], abs=1e-4)
        # Adam divides by small gradients, so that rounding shows most in its first updates.
        same(weights(tmp_path / "alone", run), weights(tmp_path / "together", run), tolerance=1e-4)
    uniform = weights(tmp_path / "together", "uniform-12")
    assert torch.equal(uniform["8"]["query.weight"], uniform["0"]["query.weight"])


@pytest.mark.parametrize("runs", [("normal-20",), ("normal-20", "uniform-12")])
def test_a_killed_training_goes_on_with_the_same_numbers(pairs, tmp_path, monkeypatch, runs):
    whole = train(pairs, tmp_path / "whole", runs=runs, layers=1)
    monkeypatch.setattr(trainer, "STATE_SECONDS", 0.0)
    saved = Checkpoints(Storage.at(str(tmp_path / "states")), "train_translator", "0123456789abcdef")
    done, losses_of = 0, training.losses_of

    def dies(*given):
        nonlocal done
        done += 1
        if done == 7:
            raise KeyboardInterrupt
        return losses_of(*given)

    monkeypatch.setattr(training, "losses_of", dies)
    with pytest.raises(KeyboardInterrupt):
        train(pairs, tmp_path / "killed", saved, runs=runs, layers=1)
    assert train(pairs, tmp_path / "after", saved, runs=runs, layers=1) == whole
    assert done == 7 + 2, "the second attempt should begin at step 6"
    for run in runs:
        same(weights(tmp_path / "whole", run), weights(tmp_path / "after", run))


def test_a_state_of_other_parameters_is_passed_over(pairs, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(trainer, "STATE_SECONDS", 0.0)
    saved = Checkpoints(Storage.at(str(tmp_path / "states")), "train_translator", "0123456789abcdef")
    train(pairs, tmp_path / "first", saved, layers=1, epochs=1, saves=(0, 4))
    train(pairs, tmp_path / "other", saved, layers=1, epochs=1, saves=(0, 4), learning_rate=2e-3)
    train(pairs, tmp_path / "alone", layers=1, epochs=1, saves=(0, 4), learning_rate=2e-3)
    assert "the training begins again" in caplog.text
    same(weights(tmp_path / "other"), weights(tmp_path / "alone"))


def test_first_weights_are_of_the_seed_alone(pairs, tmp_path):
    config = TranslatorConfig(vocab_size=20, hidden=4)
    one, other = (new_translator(config, 5).state_dict() for _ in range(2))
    same({"x": one}, {"x": other})
    assert not torch.equal(one["query.weight"], new_translator(config, 6).state_dict()["query.weight"])
    train(pairs, tmp_path, saves=(0, 8))
    with pytest.raises(DataError, match=r"3\.safetensors: no such checkpoint, only 0, 8, best"):
        load_checkpoint(tmp_path, Run("normal", 20), 3, lambda: AttentionTranslator(config))
    with pytest.raises(DataError, match=r"0\.safetensors: .*run the training of normal-20 again"):
        load_checkpoint(tmp_path, Run("normal", 20), 0, lambda: AttentionTranslator(config))


def test_bad_trainings_are_named(pairs, tmp_path):
    with pytest.raises(ValueError, match="a checkpoint at step 9, but 2 epochs of 50 pairs in batches of 16 are 8"):
        train(pairs, tmp_path, saves=(0, 9))
    for name in ("normal", "odd-3", "normal-x"):
        with pytest.raises(ValueError, match=name):
            run_named(name)
    with pytest.raises(ValueError, match="runs is empty"):
        train(pairs, tmp_path, runs=())
    with pytest.raises(ValueError, match="dropout"):
        train(pairs, tmp_path, dropout=1.0)
