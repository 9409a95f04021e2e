"""What cannot be pretrained is refused before it starts, in words that say what to do."""

import dataclasses

import pytest
import torch

from orchestrator.experiment import Context
from tasks.data.errors import DataError
from tasks.deepscale.deep_bert.arrangement import Workers, choose
from tasks.deepscale.deep_bert.curves import pretrain_bert_report
from tasks.deepscale.deep_bert.params import PretrainingOptions, RunSettings
from tasks.deepscale.deep_bert.pretraining import pretrain_bert
from tasks.deepscale.deep_bert.stages import pretraining_jobs
from tests.tasks.deepscale.deep_bert.tiny import PARAMS, changed, context, write_documents

OPTIONS = PretrainingOptions(corpus="builtin", tokenizer="builtin")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"micro_batch": 3}, "micro-batch is 3: give a number that divides the global batch of 8: 1, 2, 4, 8"),
        ({"length": 4}, "length is 4"),
        ({"learning_rate": 0.0}, "learning-rate is 0.0: give more than 0"),
        ({"learning_rate": float("nan")}, "learning-rate is nan"),
        ({"warmup": 1.0}, "warmup is 1.0"),
        ({"clip": -1.0}, "clip is -1.0"),
        ({"vocab_size": 0}, "vocab-size is 0: give at least 1"),
        ({"test_samples": 0}, "test-samples is 0"),
    ],
)
def test_parameters(values, message):
    with pytest.raises(ValueError, match=message):
        changed(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"workers": 3}, "workers is 3: give a number that divides the 8 micro-batches of 32 in a global batch of 256"),
        ({"workers": 0}, "workers is 0"),
        ({"micro_batch": 100}, "micro-batch is 100"),
        ({"test_ratio": 1.5}, "test-ratio is 1.5"),
        ({"worker_cpus": 0.0}, "worker-cpus is 0.0"),
        ({"checkpoint_seconds": -1.0}, "checkpoint-seconds is -1.0"),
    ],
)
def test_options(values, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(OPTIONS, **values)


def test_settings_of_a_run_travel_beside_its_identity():
    settings = RunSettings(sharding="fsdp", compile="off", recompute="on", checkpoint_seconds=2.5)
    assert RunSettings.of(settings.as_paths()) == settings
    assert RunSettings.of({}) == RunSettings()

    def job(**changed):
        return next(pretraining_jobs(dataclasses.replace(OPTIONS, **changed), (0,)))

    quick = job(workers=2, sharding="ddp", checkpoint_seconds=1.0)
    assert quick.id == job().id
    assert quick.wants.workers == 2
    assert job(micro_batch=16).id != quick.id


def test_what_the_stage_needs(documents, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match=r"give context\.artifact"):
        pretrain_bert(PARAMS, context(documents, None))
    with pytest.raises(ValueError, match='no "documents"; plan a documents job'):
        pretrain_bert(PARAMS, Context(artifact=tmp_path / "out"))
    with pytest.raises(ValueError, match="holds made in tokens of made, planned were other and made"):
        pretrain_bert(changed(corpus="other"), context(documents, tmp_path / "out"))
    with pytest.raises(ValueError, match="has 50 ids and the model a vocabulary of 49"):
        pretrain_bert(changed(vocab_size=49), context(documents, tmp_path / "out"))
    with pytest.raises(ValueError, match=r"context\.workers is 2, but torch\.distributed is not initialised"):
        pretrain_bert(PARAMS, context(documents, tmp_path / "out", workers=2))
    with pytest.raises(ValueError, match="GiB that a worker may use; give more --workers, a smaller network"):
        pretrain_bert(PARAMS, context(documents, tmp_path / "out", memory_bytes=100_000))
    with pytest.raises(ValueError, match="expected an artifact of pretrain_bert"):
        pretrain_bert_report(PARAMS, Context(needs={"model": tmp_path}))


def test_a_corpus_shorter_than_one_batch(tmp_path):
    few = write_documents(tmp_path / "few", train=2)
    with pytest.raises(DataError, match="fewer than one batch of 8"):
        pretrain_bert(PARAMS, context(few, tmp_path / "out"))


def test_weights_are_in_parts_where_they_do_not_fit():
    model = torch.nn.Linear(1000, 1000)  # 16 MB with gradients and averages
    two = Workers(rank=0, count=2, device=torch.device("cpu"))
    assert choose(model, "auto", two, 2**30) == "ddp"  # type: ignore[arg-type]
    assert choose(model, "auto", two, 10 * 2**20) == "fsdp"  # type: ignore[arg-type]
    assert choose(model, "fsdp", two, 2**30) == "fsdp"  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="give --sharding fsdp"):
        choose(model, "ddp", two, 10 * 2**20)  # type: ignore[arg-type]
