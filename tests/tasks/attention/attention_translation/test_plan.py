"""The plan: published checkpoints, what each job needs, ids that hold what shapes the numbers, bad options."""

import dataclasses
from collections import Counter

import pytest

from tasks.attention.attention_translation.config import PRESETS, Config
from tasks.attention.attention_translation.plan import PUBLISHED_ITERATIONS, epochs_of, grid, plan, planned_grids

QUICK = PRESETS["quick"]


def quick(**changes):
    return dataclasses.replace(QUICK, **changes)


def jobs_of(config):
    found = {}

    def add(job):
        if job.id not in found:
            for need in job.needs.values():
                add(need)
            found[job.id] = job

    for job in plan(config):
        add(job)
    return found


def test_a_job_a_run_and_a_job_a_checkpoint():
    jobs = jobs_of(quick(iterations=(0, 10, 20)))
    counts = Counter(job.stage.name for job in jobs.values())
    assert counts == {
        "subword_pairs": 1,
        "pair_report": 1,
        "train_translator": 3,
        "evaluate_translator": 9,
        "translator_delta": 1,
        "translation_proxy": 1,
        "attention_statistics": 1,
    }
    evaluations = [job for job in jobs.values() if job.stage.name == "evaluate_translator"]
    needed = {f"{job.params.kind}-{job.params.seed}": (job.params.quantities, job.params.beams) for job in evaluations}
    # BLEU of the uniform run enters no statistic, and only run B's beta is compared.
    assert needed == {
        "normal-20": (("alpha",), 5),
        "normal-13": (("alpha", "beta"), 5),
        "uniform-12": (("beta",), 0),
    }
    assert len({job.warm_key for job in evaluations}) == 1
    assert not any(job.wants.gpu_required for job in jobs.values())


def test_everything_is_kept_on_request():
    jobs = jobs_of(quick(iterations=(0, 10), dump="everything"))
    kept = {job.params.quantities for job in jobs.values() if job.stage.name == "evaluate_translator"}
    assert kept == {("alpha", "beta", "delta")}
    assert all(job.params.beams == 5 for job in jobs.values() if job.stage.name == "evaluate_translator")


def test_later_stages_never_train_again():
    def trainings(config):
        return {job.id for job in jobs_of(config).values() if job.stage.name == "train_translator"}

    before = trainings(QUICK)
    assert jobs_of(QUICK).keys() == jobs_of(quick(splits=("train", "val"))).keys()
    assert before == trainings(quick(metrics=("top5",), splits=("val",), proxy_epochs=3, dump="everything"))
    assert before != trainings(quick(hidden=32))
    assert before < trainings(quick(seeds=(20, 13, 14)))
    assert not before & trainings(quick(vocab_size=900))
    # Several runs in one job, the last block short.
    blocks = [
        job.params.runs for job in jobs_of(quick(seeds_together=2)).values() if job.stage.name == "train_translator"
    ]
    assert blocks == [("normal-20", "normal-13"), ("uniform-12",)]


def test_the_published_checkpoints():
    assert [len(steps) for steps in PUBLISHED_ITERATIONS.values()] == [20, 23, 23, 21, 18]
    multi30k = PUBLISHED_ITERATIONS["multi30k"]
    assert multi30k[:8] == (0, 50, 100, 500, 1000, 1500, 2000, 4000)
    assert multi30k[-5:] == (20_000, 24_000, 28_000, 32_000, 36_000)
    assert grid(Config(), "multi30k", 29_000) == multi30k  # 20 epochs of 1,813 steps are 36,260
    assert PUBLISHED_ITERATIONS["news_commentary_v14_it_pt"][-3:] == (40_000, 50_000, 52_000)
    with pytest.raises(ValueError, match="iwslt14: a checkpoint at step 300000, but 30 epochs of 1000 pairs"):
        grid(Config(), "iwslt14", 1000)


def test_checkpoints_of_other_trainings_are_spaced_and_end_with_the_training():
    assert grid(Config(), "own", 16_000) == (0, 50, 100, 500, 1000, 1500, *range(2000, 20_001, 2000))
    assert grid(Config(epochs=1), "multi30k", 29_000) == (0, 50, 100, 500, 1000, 1500, 1813)
    assert grid(Config(save_every=3, custom_saves=(1,), epochs=1), "own", 100) == (0, 1, 3, 6, 7)
    with pytest.raises(ValueError, match="custom-saves is 8"):
        grid(Config(custom_saves=(8,), epochs=1), "own", 100)
    with pytest.raises(ValueError, match="a checkpoint at step 8, but 1 epochs of 100 pairs in batches of 16 are 7"):
        grid(Config(iterations=(0, 8), epochs=1), "own", 100)
    assert planned_grids(QUICK) == {"rule_language": QUICK.iterations}
    assert epochs_of(Config(), "iwslt14") == 30


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": (20,)}, "seeds is 20: give at least 2"),
        ({"datasets": ()}, "datasets is empty"),
        ({"performances": ("bleu", "bleu")}, "performances has bleu twice"),
        ({"beams": 0}, "beams is 0: give at least 1"),
        ({"hidden": 0}, "hidden is 0"),
        ({"train_limit": 0}, "train-limit is 0"),
        ({"save_every": 5}, "iterations is 0 50 .*: give these, or --save-every"),
    ],
)
def test_bad_options_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        quick(**changes)


def test_data_that_are_missing_stop_the_plan(tmp_path):
    with pytest.raises(ValueError, match="multi30k"):
        list(plan(quick(datasets=("multi30k",), data_dir=str(tmp_path))))
