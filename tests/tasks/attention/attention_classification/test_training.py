"""The training of classifiers: order of documents, checkpoints, runs together, going on after a kill, bad input."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from orchestrator.checkpoints import Checkpoints
from orchestrator.experiment import Context
from orchestrator.storage import Storage
from tasks.attention.attention_classification import training
from tasks.attention.attention_classification.items import on_device
from tasks.attention.attention_classification.training import batch_rows, new_classifier, train_classifier
from tasks.attention.learning import trainer
from tasks.attention.learning.runs import run_named
from tasks.attention.texts.stages import open_texts
from tasks.data.errors import DataError
from tests.tasks.attention.attention_classification.conftest import TRAIN, change


def trained(params, data, directory, saved=None, **given):
    """(rows, weights by file)."""
    directory.mkdir(exist_ok=True)
    checkpoints = None if saved is None else Checkpoints(Storage.at(str(saved)), "train_classifier", "0123456789abcdef")
    context = Context(needs={"data": data}, artifact=directory, checkpoints=checkpoints, **given)
    rows = train_classifier(params, context)["training"]
    files = sorted(directory.glob("*/*.safetensors"))
    return rows, {f"{file.parent.name}/{file.stem}": load_file(file) for file in files}


def same(one, other, tolerance=0.0):
    assert one.keys() == other.keys()
    for file, weights in one.items():
        for name, value in weights.items():
            torch.testing.assert_close(value, other[file][name], rtol=0, atol=tolerance, msg=f"{file} {name}")


def without_time(rows):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    return trained(TRAIN, data, tmp_path_factory.mktemp("run"))


def test_an_epoch_reads_each_document_once_but_for_what_is_left_of_it():
    order = batch_rows(3, documents=14, batch_size=4)
    left_out = set()
    for _ in range(6):
        rows = {row for _ in range(3) for row in next(order).tolist()}
        assert len(rows) == 12
        left_out |= set(range(14)) - rows
    assert len(left_out) > 2, "others should be left out in other epochs"


def test_any_step_has_its_batch_whatever_came_before():
    order = batch_rows(3, documents=14, batch_size=4)
    batches = [next(order) for _ in range(8)]
    for first in range(8):
        assert np.array_equal(next(batch_rows(3, documents=14, batch_size=4, first=first)), batches[first])
    others = [next(batch_rows(seed, documents=14, batch_size=4)).tolist() for seed in range(4)]
    assert len({tuple(batch) for batch in others}) == 4


def test_fewer_documents_than_a_batch_are_all_read_at_every_step():
    order = batch_rows(3, documents=5, batch_size=8)
    batches = [next(order).tolist() for _ in range(4)]
    assert all(sorted(batch) == list(range(5)) for batch in batches)
    assert len({tuple(batch) for batch in batches}) > 1


def test_checkpoints_hold_the_updates_that_they_are_named_by(run, data, tmp_path):
    rows, files = run
    assert list(files) == [f"normal-20/{step}" for step in (0, 3, 5, 9)]
    shorter = trained(change(TRAIN, saves=(3, 5)), data, tmp_path)[1]
    same({name: files[name] for name in shorter}, shorter)
    assert [row["step"] for row in rows] == list(range(1, 10))
    assert all(0 < row["loss"] < 5 for row in rows)
    first, last = files["normal-20/0"], files["normal-20/9"]
    # The bias of the attention's logit moves all logits alike: its gradient is rounding alone.
    still = {name for name in first if torch.equal(first[name], last[name])}
    assert still <= {"attention_logit.bias"}


def test_attention_of_a_uniform_run_never_moves(data, tmp_path):
    files = trained(change(TRAIN, runs=("uniform-12",)), data, tmp_path)[1]
    first, last = files["uniform-12/0"], files["uniform-12/9"]
    still = {name for name in first if torch.equal(first[name], last[name])}
    assert still == {name for name in first if name.startswith("attention_")}


def test_runs_that_are_trained_together_are_those_trained_alone(run, data, tmp_path):
    names = ("normal-20", "uniform-12")
    rows, together = trained(change(TRAIN, runs=names, stacked=True), data, tmp_path / "together")
    other = trained(change(TRAIN, runs=names[1:]), data, tmp_path / "alone")
    alone = {**run[1], **other[1]}
    assert together.keys() == alone.keys()
    texts = open_texts(data)
    tokens, lengths = on_device(texts.test.tokens, np.arange(len(texts.test)), torch.device("cpu"))
    for file, weights in together.items():
        # Weights whose gradient is rounding alone go their own way under Adam, and change no score.
        model = new_classifier(TRAIN, run_named(file.partition("/")[0]), texts)
        scores = []
        for state in (weights, alone[file]):
            model.load_state_dict(state)
            scores.append(model(tokens, lengths).score_B)
        torch.testing.assert_close(*scores, rtol=0, atol=1e-4)
    for name, alone in (("normal", run[0]), ("uniform", other[0])):
        ours = [row["loss"] for row in rows if row["kind"] == name]
        assert ours == pytest.approx([row["loss"] for row in alone], abs=1e-5)


class Killed(Exception):
    pass


@pytest.mark.parametrize("names", [("normal-20",), ("normal-20", "uniform-12")])
def test_a_killed_training_ends_as_one_that_was_not(names, data, tmp_path, monkeypatch):
    params = change(TRAIN, runs=names, curve_points=3)
    whole = trained(params, data, tmp_path / "whole")
    monkeypatch.setattr(trainer, "STATE_SECONDS", 0.0)
    done, losses_of = 0, training.losses_of

    def deadly(*given):
        nonlocal done
        done += 1
        if done == 8:  # after the state of step 7
            raise Killed
        return losses_of(*given)

    monkeypatch.setattr(training, "losses_of", deadly)
    with pytest.raises(Killed):
        trained(params, data, tmp_path / "dead", saved=tmp_path / "saved")
    rows, files = trained(params, data, tmp_path / "alive", saved=tmp_path / "saved")
    assert done == 8 + 2, "the second attempt should begin at step 7"
    same(files, whole[1])
    assert without_time(rows) == without_time(whole[0])
    # Another training finds that the state is not its own.
    other = change(params, learning_rate=2e-2)
    same(trained(other, data, tmp_path / "a", saved=tmp_path / "saved")[1], trained(other, data, tmp_path / "b")[1])


def test_a_document_that_is_too_long_for_memory_is_named(data, tmp_path):
    with pytest.raises(DataError, match=r"document \d+ has 12 tokens.*--max-length"):
        trained(TRAIN, data, tmp_path, memory_bytes=10_000)


def test_word_vectors_that_are_not_there_are_asked_for(data, tmp_path):
    with pytest.raises(ValueError, match="--word-vectors"):
        trained(change(TRAIN, pretrained_embeddings=True), data, tmp_path)


def test_a_run_without_a_known_name_is_refused(data, tmp_path):
    with pytest.raises(ValueError, match="normal-<seed>"):
        trained(change(TRAIN, runs=("other-3",)), data, tmp_path)
