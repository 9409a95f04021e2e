"""What the plans of the experiments on SQuAD share: options, the chain of training jobs, encoders before and after."""

import dataclasses
import json

import pytest

from models.checkpoints import directory_revision
from models.transformer import new_reader, random_transformer, scratch_transformer_config
from tasks.encoders.transformer import TransformerParams
from tasks.squad.options import SquadOptions
from tasks.squad.plan import (
    first_encoder,
    given_encoder,
    layers_of,
    random_encoder,
    train_jobs,
    train_report,
    trained_encoder,
    windows_of,
)
from tasks.squad.questions.plan import planned_windows

TINY = SquadOptions(
    models=("scratch",), tokenizer="builtin", layers=2, width=16, heads=2, dataset="builtin", max_length=96,
    doc_stride=32, max_query_length=24, train_limit=24, dev_limit=20,
)  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    directory = tmp_path_factory.mktemp("models") / "tiny-distilbert"
    config = scratch_transformer_config("distilbert", layers=3, width=16, heads=2, vocab_size=2000, positions=96)
    new_reader(random_transformer(config, 7), 8).save_pretrained(directory)
    return directory


def test_a_training_is_a_chain_of_one_job_an_epoch():
    windows = windows_of(TINY, "scratch")
    jobs = train_jobs(TINY, "scratch", 7, windows)
    assert [job.params.part for job in jobs] == [1, 2, 3]
    assert [job.needs.get("before") for job in jobs] == [None, *jobs[:2]]
    assert all(job.needs["windows"] is windows for job in jobs)
    # Forward and backward, three epochs, two layers.
    assert sum(job.passes for job in jobs) == pytest.approx(3 * 3 * 2 * planned_windows(TINY)["train"])
    assert {(job.params.encoder, job.params.encoder_seed, job.params.seed) for job in jobs} == {("random", 7, 7)}
    assert len(train_jobs(dataclasses.replace(TINY, finetune_parts=5), "scratch", 7, windows)) == 5
    report = train_report(jobs[-1])
    assert report.needs["model"] is jobs[-1]
    assert [job.id for job in train_jobs(TINY, "scratch", 7, windows)] == [job.id for job in jobs]
    assert not {job.id for job in train_jobs(TINY, "scratch", 8, windows)} & {job.id for job in jobs}


def test_every_encoder_makes_parameters(checkpoint):
    windows = windows_of(TINY, "scratch")
    path = str(checkpoint)
    found = [
        given_encoder(TINY, path), given_encoder(TINY, path, path), random_encoder(TINY, path, 3),
        random_encoder(TINY, "scratch", 3), trained_encoder(TINY, path, 42, windows),
        trained_encoder(TINY, "scratch", 42, windows), first_encoder(TINY, path, 3), first_encoder(TINY, "scratch", 3),
    ]  # fmt: skip
    params = [TransformerParams(**encoder.params, tokenizer="t") for encoder in found]
    assert [p.encoder for p in params] == [
        "pretrained", "finetuned", "random", "random", "finetuned", "finetuned", "pretrained", "random",
    ]  # fmt: skip
    assert [p.is_made for p in params] == [False, False, False, False, True, True, False, False]
    assert {p.revision for p in params[:3]} == {directory_revision(checkpoint)}
    assert params[4].revision == "job-" + found[4].needs["model"].id
    assert found[0].paths == found[2].paths == {"model": path}
    assert params[6] == params[0]
    assert params[7] == params[3]


def test_a_given_fine_tuned_checkpoint_keeps_the_name_of_what_it_was_trained_from(checkpoint, tmp_path):
    other = tmp_path / "tuned"
    load = scratch_transformer_config("distilbert", layers=3, width=16, heads=2, vocab_size=2000, positions=96)
    new_reader(random_transformer(load, 9), 8).save_pretrained(other)
    encoder = given_encoder(TINY, str(checkpoint), str(other))
    assert encoder.params["model"] == "tiny-distilbert"
    assert encoder.params["checkpoint"] == "tuned"
    assert encoder.params["revision"] == directory_revision(other)
    assert encoder.paths == {"model": str(other)}
    with pytest.raises(ValueError, match="scratch has no weights to read"):
        given_encoder(TINY, "scratch")


def test_layers_for_the_cost_of_a_plan(checkpoint, tmp_path):
    assert layers_of(TINY, "scratch") == 2
    assert layers_of(TINY, str(checkpoint)) == 3
    assert [layers_of(TINY, name) for name in ("distilbert/distilroberta-base", "albert/albert-base-v2")] == [6, 12]
    (tmp_path / "config.json").write_text(json.dumps([1]))
    assert layers_of(TINY, str(tmp_path)) == 12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": ()}, "models is empty"),
        ({"models": ("a", "a")}, "models has a twice"),
        ({"tokenizer": None}, "tokenizer is None: give a directory"),
        ({"models": ("x/y",)}, "layers is 2: give none"),
        ({"embedding": 8}, "embedding is 8: give none"),
        ({"data_dir": "x"}, "data-dir is 'x': give none"),
        ({"finetune_epochs": 0}, "finetune-epochs is 0"),
        ({"finetune_learning_rate": 0.0}, "finetune-learning-rate is 0.0"),
        ({"finetune_warmup": -1}, "finetune-warmup is -1"),
        ({"finetune_seeds": ()}, "finetune-seeds is empty"),
    ],
)
def test_options_that_do_not_go_together_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TINY, **change)
