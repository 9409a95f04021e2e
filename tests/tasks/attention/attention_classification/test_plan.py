"""The jobs of `attention_classification`: what is shared, what a changed option leaves alone, what is refused."""

from collections import Counter
from dataclasses import replace

import pytest

from tasks.attention.attention_classification.config import PRESETS, Config
from tasks.attention.attention_classification.plan import plan
from tasks.attention.learning.runs import Run
from tasks.data.errors import DataError

QUICK = replace(PRESETS["quick"], seeds=(20, 13, 14), seeds_together=1)


def jobs(config):
    """All jobs with what they need by id."""
    found, todo = {}, list(plan(config))
    while todo:
        job = todo.pop()
        if job.id not in found:
            found[job.id] = job
            todo += job.needs.values()
    return found


def ids(config, stage):
    return {job.id for job in jobs(config).values() if job.stage.name == stage}


def changed_stages(config, **changes):
    """The stages that have jobs which were not there before a change."""
    before, after = jobs(config), jobs(replace(config, **changes))
    return {after[new].stage.name for new in after.keys() - before.keys()}


def test_every_run_is_trained_once_and_every_checkpoint_evaluated_once():
    found = jobs(QUICK)
    counts = Counter(job.stage.name for job in found.values())
    assert counts == {
        "text_tokens": 1,
        "text_report": 1,
        "train_classifier": 4,
        "evaluate_classifier": 4 * 7,
        "classifier_delta": 1,
        "classifier_embedding_proxy": 1,
        "classifier_logistic_proxy": 1,
        "attention_statistics": 1,
    }
    (data,) = (job for job in found.values() if job.stage.name == "text_tokens")
    evaluations = [job for job in found.values() if job.stage.name == "evaluate_classifier"]
    assert {job.warm_key for job in evaluations} == {data.id}
    assert all(job.stage.warm for job in evaluations)
    kept = {Run(job.params.kind, job.params.seed).name: job.params.quantities for job in evaluations}
    assert kept == {
        "normal-20": ("alpha",),
        "normal-13": ("alpha", "beta"),
        "normal-14": ("alpha",),
        "uniform-12": ("beta",),
    }


def test_no_job_waits_for_a_gpu():
    assert not any(job.wants.gpu_required for job in jobs(QUICK).values())
    cpu = {"attention_statistics", "classifier_logistic_proxy", "text_tokens", "text_report"}
    assert {job.stage.name for job in jobs(QUICK).values() if not job.wants.num_gpus} == cpu


@pytest.mark.parametrize(
    ("changes", "stages"),
    [
        ({"proxy_epochs": 7}, {"classifier_embedding_proxy", "attention_statistics"}),
        ({"logistic_strengths": (1.0,)}, {"classifier_logistic_proxy", "attention_statistics"}),
        ({"proxies": ("px",)}, {"attention_statistics"}),
        ({"metrics": ("top5",)}, {"attention_statistics"}),
        ({"dump": "everything"}, {"evaluate_classifier", "classifier_delta", "attention_statistics"}),
        (
            {"splits": ("val",)},
            {
                "evaluate_classifier",
                "classifier_delta",
                "classifier_embedding_proxy",
                "classifier_logistic_proxy",
                "attention_statistics",
            },
        ),
    ],
)
def test_what_comes_after_training_never_trains_again(changes, stages):
    assert changed_stages(QUICK, **changes) == stages


def test_a_further_seed_leaves_what_is_there_alone():
    more = replace(QUICK, seeds=(*QUICK.seeds, 15))
    assert ids(QUICK, "train_classifier") < ids(more, "train_classifier")
    assert ids(QUICK, "evaluate_classifier") < ids(more, "evaluate_classifier")
    assert ids(QUICK, "classifier_delta") == ids(more, "classifier_delta")


def test_runs_that_are_trained_together_are_one_job():
    found = jobs(replace(QUICK, seeds_together=3))
    blocks = [job.params.runs for job in found.values() if job.stage.name == "train_classifier"]
    assert sorted(blocks) == [("normal-20", "normal-13", "normal-14"), ("uniform-12",)]
    needs = {
        (job.params.kind, job.params.seed, job.params.stacked): job.needs["run"].params.runs
        for job in found.values()
        if job.stage.name == "evaluate_classifier"
    }
    assert needs["normal", 14, True] == ("normal-20", "normal-13", "normal-14")
    assert needs["uniform", 12, False] == ("uniform-12",)


def test_published_settings():
    paper = PRESETS["paper"]
    assert paper.saves == (0, 10, 50, 100, 150, 200, *range(250, 4001, 250))
    assert len(paper.saves) == 22
    assert (paper.embedding, paper.hidden, paper.intermediate, paper.batch_size) == (300, 256, 256, 32)
    assert [paper.proxy_rate(name) for name in ("IMDB", "Yelp", "Amzn", "SMS")] == [5e-5, 5e-5, 5e-5, 1.5e-4]
    assert len(paper.logistic_strengths) == 19
    assert PRESETS["legacy"] == replace(paper, legacy_order=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": (20,)}, "seeds is 20: give at least 2"),
        ({"custom_saves": (201,)}, "custom-saves is 201: give at most 200"),
        ({"steps": 0}, "steps is 0"),
        ({"proxies": ("px", "px")}, "proxies"),
        ({"hidden": 0}, "hidden is 0"),
        ({"learning_rate": 0.0}, "learning-rate is 0.0"),
        ({"logistic_strengths": (1.0, -1.0)}, "logistic-strengths is -1.0"),
        ({"pretrained_embeddings": True}, "--word-vectors"),
        ({"splits": ()}, "splits"),
    ],
)
def test_options_that_make_no_sense_are_refused_with_their_name(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(QUICK, **changes)


def test_data_that_are_not_there_are_asked_for(tmp_path):
    with pytest.raises(DataError, match="SMS"):
        list(plan(Config(datasets=("SMS",), data_dir=str(tmp_path))))
