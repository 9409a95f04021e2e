"""End-to-end training: a step by hand, parts and restarts change nothing, what is left behind, what is refused."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from models.checkpoints import directory_revision
from models.transformer import load_reader, random_transformer, scratch_transformer_config
from orchestrator.experiment import Context
from tasks.data.tokenizers import load_tokenizer, locate_tokenizer
from tasks.squad import training
from tasks.squad.checkpoints import MOMENTS, read_state
from tasks.squad.questions.windows import open_windows
from tasks.squad.stages import STATE, TrainParams
from tasks.squad.training import batches, first_reader, needs_recompute, seeded, squad_train, squad_train_report
from tasks.training.seeds import stream_seed

ARCHITECTURES = ("albert", "bert", "distilbert", "roberta")


@pytest.fixture(scope="module")
def params(tiny_windows_job) -> TrainParams:
    windows: Any = tiny_windows_job.params
    return TrainParams(
        model="scratch", encoder="random", encoder_seed=5, seed=5, architecture="bert", layers=2, width=16, heads=2,
        tokenizer=windows.tokenizer, tokenizer_revision=windows.tokenizer_revision, dataset="builtin", max_length=96,
        doc_stride=32, max_query_length=24, train_limit=24, dev_limit=20, epochs=2, batch_size=6, learning_rate=1e-3,
        warmup=2, curve_points=5,
    )  # fmt: skip


def run(params: TrainParams, windows: Path, artifact: Path, before: Path | None = None, **context) -> Path:
    artifact.mkdir(parents=True)
    needs = {"windows": windows} | ({} if before is None else {"before": before})
    assert squad_train(params, Context(needs=needs, artifact=artifact, **context)) == {}
    return artifact


def run_parts(params: TrainParams, parts: int, windows: Path, directory: Path) -> Path:
    last = None
    for part in range(1, parts + 1):
        own = dataclasses.replace(params, parts=parts, part=part)
        last = run(own, windows, directory / str(part), last)
    assert last is not None
    return last


def same_weights(a: Path, b: Path) -> bool:
    one, other = (load_file(place / "model.safetensors") for place in (a, b))
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.fixture(scope="module")
def whole(params, tiny_windows, tmp_path_factory) -> Path:
    return run(params, tiny_windows, tmp_path_factory.mktemp("whole") / "a")


@pytest.mark.parametrize("parts", [2, 3])
def test_the_number_of_parts_changes_nothing(params, tiny_windows, whole, tmp_path, parts):
    last = run_parts(params, parts, tiny_windows, tmp_path)
    assert same_weights(last, whole)
    one, other = (dataclasses.replace(read_state(place), seconds=0.0) for place in (whole, last))
    assert one == other
    assert (tmp_path / "1" / MOMENTS).is_file()
    assert not (last / MOMENTS).exists()


def test_more_parts_than_steps_change_nothing(params, tiny_windows, tmp_path):
    few = dataclasses.replace(params, batch_size=1000, warmup=0)
    a = run(few, tiny_windows, tmp_path / "whole")
    assert read_state(a).total == 2
    assert same_weights(run_parts(few, 5, tiny_windows, tmp_path), a)


def test_a_part_that_was_killed_runs_again_with_the_same_result(params, tiny_windows, whole, tmp_path, monkeypatch):
    first, second = (dataclasses.replace(params, parts=2, part=part) for part in (1, 2))
    before = run(first, tiny_windows, tmp_path / "first")
    take_step, taken = training.take_step, []

    def killed(*args):
        taken.append(0)
        if len(taken) == 3:
            raise KeyboardInterrupt
        take_step(*args)

    monkeypatch.setattr(training, "take_step", killed)
    with pytest.raises(KeyboardInterrupt):
        run(second, tiny_windows, tmp_path / "killed", before)
    monkeypatch.undo()
    torch.rand(7)  # nor does what else was drawn in the process
    assert same_weights(run(second, tiny_windows, tmp_path / "again", before), whole)


def test_memory_changes_nothing_but_what_is_kept(params, tiny_windows, tmp_path):
    """Dropout is drawn again as it was when a layer is run twice, so the weights are equal bit for bit."""
    for architecture in ARCHITECTURES:
        own = dataclasses.replace(params, architecture=architecture, epochs=1, layers=3)
        windows = open_windows(tiny_windows, "train")
        reader = first_reader(own, Context(), windows)
        T = int(windows.lengths[windows.trainable].max())
        weights = 4 * sum(p.numel() * p.element_size() for p in reader.parameters())
        assert not needs_recompute(own, reader, T, 1 << 40)
        tight = next(b for b in range(weights, 1 << 30, 1 << 16) if _fits(own, reader, T, b))
        assert needs_recompute(own, reader, T, tight)
        a = run(own, tiny_windows, tmp_path / architecture / "wide")
        b = run(own, tiny_windows, tmp_path / architecture / "tight", memory_bytes=2 * tight)
        assert (read_state(a).recomputed, read_state(b).recomputed) == (False, True)
        assert same_weights(a, b)
        with pytest.raises(ValueError, match=r"6 windows of \d+ tokens need about .* MiB may be used; give a smaller"):
            run(own, tiny_windows, tmp_path / architecture / "none", memory_bytes=weights)


def _fits(params, reader, T, budget) -> bool:
    try:
        needs_recompute(params, reader, T, budget)
    except ValueError:
        return False
    return True


def test_a_step_is_that_of_the_plain_library(params, tiny_windows, tmp_path):
    """Two steps by the library's own loss and torch's own AdamW, dropout included."""
    own = dataclasses.replace(params, dtype="float64", epochs=1, warmup=0, clip=0.5)
    artifact = run(own, tiny_windows, tmp_path / "a")
    windows = open_windows(tiny_windows, "train")
    reader: Any = first_reader(own, Context(), windows).train()
    plain = torch.optim.AdamW(reader.parameters(), lr=1.0, eps=1e-8, weight_decay=0.0)
    steps = list(batches(own, np.flatnonzero(windows.trainable)))
    losses = []
    for step, indices in enumerate(steps):
        batch = windows.batch(indices)
        given = {name: getattr(batch, name) for name in ("input_ids", "token_type_ids", "attention_mask")}
        with seeded(stream_seed(5, "dropout", step), torch.device("cpu")):
            loss = reader(**given, start_positions=batch.start, end_positions=batch.end).loss
        plain.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reader.parameters(), 0.5)
        plain.param_groups[0]["lr"] = own.learning_rate * (1 - step / len(steps))
        plain.step()
        losses.append(float(loss.detach()))
    found = load_file(artifact / "model.safetensors")
    for name, parameter in reader.named_parameters():
        # Biases of attention's keys have no gradient but rounding, of which AdamW makes steps of some 1e-12.
        torch.testing.assert_close(found[name], parameter.detach(), rtol=1e-9, atol=1e-9)
    curve = read_state(artifact).curve
    assert curve[0]["loss"] == pytest.approx(np.mean(losses[: curve[0]["step"]]), rel=1e-9)
    assert [point["learning_rate"] for point in curve][-1] == pytest.approx(own.learning_rate / len(steps))


def test_every_epoch_takes_each_trainable_window_once(params, tiny_windows):
    windows = open_windows(tiny_windows, "train")
    chosen = np.flatnonzero(windows.trainable)[3:]
    taken = list(batches(params, chosen))
    half = len(taken) // 2
    for epoch in (taken[:half], taken[half:]):
        assert sorted(np.concatenate(epoch).tolist()) == chosen.tolist()
    assert taken[0].tolist() != taken[half].tolist()
    assert {len(own) for own in taken[: half - 1]} == {6}


def test_the_loss_falls_and_the_seed_matters(params, tiny_windows, tmp_path):
    long = dataclasses.replace(params, epochs=12, learning_rate=3e-3)
    curve = read_state(run(long, tiny_windows, tmp_path / "long")).curve
    assert curve[-1]["loss"] < 0.8 * curve[0]["loss"]
    assert [point["step"] for point in curve][-1] == read_state(tmp_path / "long").total
    other = run(dataclasses.replace(params, seed=6), tiny_windows, tmp_path / "other")
    again = run(dataclasses.replace(params, seed=6), tiny_windows, tmp_path / "again")
    assert same_weights(other, again)
    assert not same_weights(other, run(params, tiny_windows, tmp_path / "first"))


def test_the_result_is_a_plain_checkpoint_with_its_tokenizer(whole, params, tiny_windows):
    reader = load_reader(whole)
    assert not reader.training
    tokenizer = AutoTokenizer.from_pretrained(whole, trust_remote_code=False)
    builtin = load_tokenizer(locate_tokenizer("builtin"))
    text = "Which word is written in CAPITALS?"
    assert tokenizer(text, "The RFC says so.")["input_ids"] == builtin(text, "The RFC says so.")["input_ids"]
    assert load_tokenizer(locate_tokenizer(str(whole))).get_vocab() == builtin.get_vocab()
    assert directory_revision(whole)
    assert {p.name for p in whole.iterdir()} >= {"config.json", "model.safetensors", "tokenizer.json", STATE}


def test_training_starts_from_a_checkpoint(params, tiny_windows, tmp_path):
    windows = open_windows(tiny_windows, "train")
    config = scratch_transformer_config(
        "distilbert", layers=1, width=16, heads=2, vocab_size=windows.meta["vocab_size"], positions=96
    )
    random_transformer(config, 1).save_pretrained(tmp_path / "start")
    revision = directory_revision(tmp_path / "start")
    sizes = dict.fromkeys(("architecture", "layers", "width", "heads", "encoder_seed"))
    own = dataclasses.replace(params, model="start", revision=revision, encoder="pretrained", epochs=1, **sizes)  # pyright: ignore
    run(own, tiny_windows, tmp_path / "a", paths={"model": str(tmp_path / "start")})
    assert load_reader(tmp_path / "a").config.model_type == "distilbert"
    again = run(own, tiny_windows, tmp_path / "b", paths={"model": str(tmp_path / "start")})
    assert same_weights(tmp_path / "a", again)


def test_the_report_makes_rows_of_the_training(whole, params):
    tables = squad_train_report(params, Context(needs={"model": whole}))
    assert [row["step"] for row in tables["training_curves"]][-1] == tables["training_costs"][0]["steps"]
    assert len(tables["training_curves"]) == 5
    cost = tables["training_costs"][0]
    assert cost["layer_passes"] == 3 * 2 * 2 * cost["train_windows"]  # 3 for forward and backward, layers, epochs


def test_a_loss_that_is_not_finite_ends_the_job(params, tiny_windows, tmp_path):
    wild = dataclasses.replace(params, learning_rate=1e30, warmup=0, clip=0.0, epochs=6)
    with pytest.raises(
        ValueError, match=r"at step \d+ of \d+, learning rate .*; give a lower --finetune-learning-rate"
    ):
        run(wild, tiny_windows, tmp_path / "a")


def test_what_does_not_fit_is_refused(params, tiny_windows, whole, tmp_path):
    with pytest.raises(ValueError, match="precision is bf16 on cpu"):
        run(dataclasses.replace(params, precision="bf16"), tiny_windows, tmp_path / "bf16")
    with pytest.raises(ValueError, match=r"give context\.artifact"):
        squad_train(params, Context(needs={"windows": tiny_windows}))
    with pytest.raises(ValueError, match=r"context\.needs has no 'windows'"):
        squad_train(params, Context(artifact=tmp_path))
    second = dataclasses.replace(params, parts=2, part=2)
    with pytest.raises(ValueError, match=r"context\.needs has no 'before'"):
        run(second, tiny_windows, tmp_path / "alone")
    with pytest.raises(ValueError, match=r"holds a training of \d+ steps, expected were \d+"):
        run(second, tiny_windows, tmp_path / "finished", whole)
    shutil.copytree(whole, tmp_path / "bad")
    (tmp_path / "bad" / STATE).write_text(json.dumps({"steps": 1}))
    with pytest.raises(ValueError, match="not as squad_train writes it"):
        run(second, tiny_windows, tmp_path / "x", tmp_path / "bad")
    (tmp_path / "bad" / STATE).unlink()
    with pytest.raises(ValueError, match="no such file; expected an artifact of squad_train"):
        squad_train_report(params, Context(needs={"model": tmp_path / "bad"}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"part": 3, "parts": 2}, "part is 3: give at most parts, 2"),
        ({"epochs": 0}, "epochs is 0"),
        ({"learning_rate": 0.0}, "learning-rate is 0.0: give more than 0"),
        ({"precision": "bf16", "dtype": "float64"}, "precision is .bf16.: give float32 where dtype is float64"),
    ],
)
def test_parameters_that_make_no_training_are_refused(params, change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(params, **change)
