"""The jobs of `bert_finetuning`: what is shared, the published settings, what is refused."""

import json
import shutil
from collections import Counter
from dataclasses import replace

import pytest

from tasks.deepscale.bert_finetuning.config import PRESETS, Config
from tasks.deepscale.bert_finetuning.plan import PUBLISHED, plan
from tasks.deepscale.bert_finetuning.stages import FinetuneParams

QUICK = PRESETS["quick"]


def jobs(config):
    """All jobs with what they need, each once."""
    found, todo = {}, list(plan(config))
    while todo:
        job = todo.pop()
        if job.id not in found:
            found[job.id] = job
            todo += job.needs.values()
    return list(found.values())


def test_tokens_and_pretrainings_are_shared_by_all_rates_and_seeds():
    counts = Counter(job.stage.name for job in jobs(QUICK))
    assert counts["bert_finetune"] == 2 * 2 * 2 * 2  # tasks, schemes, rates, seeds
    assert counts["pretrain_bert"] == counts["pretrain_bert_report"] == 2
    assert counts["tokens"] == counts["choice_tokens"] == counts["documents"] == 1
    more = replace(QUICK, finetune_learning_rates=(3e-4, 1e-3, 2e-3), finetune_micro_batch=8)
    assert {job.id for job in jobs(QUICK)} < {job.id for job in jobs(more)}  # 8 is the whole batch here


def test_published_settings():
    assert (FinetuneParams.epochs, FinetuneParams.batch_size, FinetuneParams.warmup) == (3, 32, 0.1)  # MNLI
    assert PUBLISHED["QQP"] == {"epochs": 5}
    assert PUBLISHED["RACE"] == {"epochs": 5, "batch_size": 8, "warmup": 0.06}
    paper = PRESETS["paper"]
    assert paper.tasks == ("MNLI", "QQP", "RACE")
    assert paper.finetune_learning_rates == (1e-5, 2e-5, 3e-5, 4e-5, 5e-5)
    assert paper.finetune_seeds == (1000, 1001, 1002, 1003, 1004)
    assert (paper.finetune_length, paper.question_length, paper.finetune_clip) == (512, 128, 1.0)
    assert (paper.finetune_weight_decay, paper.finetune_dropout, paper.finetune_attention_dropout) == (0.01, 0.1, 0.1)


def test_a_given_directory_is_known_by_its_content(tiny_needs, tmp_path):
    model = tmp_path / "mine"
    shutil.copytree(tiny_needs["same_topic"]["model"], model)
    config = replace(QUICK, models=(str(model),), tasks=("same_topic",), finetune_length=48)
    found = [job for job in jobs(config) if job.stage.name == "bert_finetune"]
    assert {(job.params.model, job.params.tokenizer, job.params.norm) for job in found} == {("mine", "builtin", None)}
    assert {job.paths["model"] for job in found} == {str(model)}
    given = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(given | {"dropout": 0.2}))
    assert not {job.id for job in found} & {job.id for job in jobs(config)}
    other = tmp_path / "elsewhere" / "mine"
    shutil.copytree(model, other)
    with pytest.raises(ValueError, match="two models are both called mine"):
        list(plan(replace(config, models=(str(model), str(other)))))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tasks": ("STS-B",)}, "tasks is 'STS-B': give a task of classes or choices: CoLA, SST-2"),
        (
            {"finetune_length": 128},
            "finetune-length is 128: give at most 64, the positions of networks pretrained with --length 64",
        ),
        ({"finetune_learning_rates": (0.0,)}, "finetune-learning-rates is 0.0: give more than 0"),
        ({"finetune_seeds": ()}, "finetune-seeds is empty"),
        ({"models": ("x", "x")}, "models has x twice: give each value once"),
        ({"finetune_batch": 0}, "finetune-batch is 0: give at least 1"),
        ({"heads": 5}, "heads is 5: give a number that divides the width 48"),
    ],
)
def test_options_that_cannot_be_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        replace(QUICK, **changed)


def test_missing_data_stop_the_plan_with_what_to_give(tmp_path):
    with pytest.raises(ValueError, match=r"RACE: no such folder; give --data-dir"):
        list(plan(replace(QUICK, tasks=("RACE",), data_dir=str(tmp_path))))
    with pytest.raises(ValueError, match="question-length is 128: give at most 53, or longer sequences"):
        list(plan(replace(QUICK, question_length=128)))
    assert Config().tokenizer == "google-bert/bert-base-uncased"
