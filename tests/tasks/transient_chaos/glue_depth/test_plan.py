"""The plan of `glue_depth`: what is one job, what is its identity, what does it cost."""

import dataclasses

import pytest

from orchestrator.options import parse
from orchestrator.plan import make_plan
from tasks.transient_chaos.glue_depth import EXPERIMENT
from tasks.transient_chaos.glue_depth.config import PRESETS, Config
from tasks.transient_chaos.glue_depth.plan import plan

QUICK = PRESETS["quick"]


def by_stage(config):
    jobs = {}
    for job in make_plan(plan(config)).jobs.values():
        jobs.setdefault(job.stage.name, []).append(job)
    return jobs


def test_shared_work_is_one_job():
    jobs = by_stage(QUICK)
    assert len(jobs["tokens"]) == 3
    # A random encoder is its seed's: 3 tasks x 3 seeds, whatever the number of depths.
    assert len(jobs["glue_frozen"]) == 9
    assert {job.params.depths for job in jobs["glue_frozen"]} == {tuple(range(1, 17))}
    assert len(jobs["glue_finetuned"]) == 3 * 3 * 3
    assert all(job.params.encoder_seed == job.params.seed for job in jobs["glue_finetuned"])


def test_seeds_of_heads_share_a_pretrained_encoder(tiny_checkpoint):
    config = dataclasses.replace(
        QUICK, tasks=("same_topic",), model=str(tiny_checkpoint), width=None, encoders=("pretrained", "random")
    )
    frozen = by_stage(config)["glue_frozen"]
    assert [(job.params.encoder, job.params.seeds) for job in frozen] == [
        ("pretrained", (0, 1, 2)),
        ("random", (0,)),
        ("random", (1,)),
        ("random", (2,)),
    ]
    assert frozen[0].params.encoder_seed is None
    assert frozen[0].paths["model"] == str(tiny_checkpoint)


def test_a_moved_checkpoint_is_the_same_job(tiny_checkpoint, tmp_path):
    moved = tmp_path / "elsewhere" / tiny_checkpoint.name
    moved.parent.mkdir()
    moved.symlink_to(tiny_checkpoint)
    ids = [
        {
            job.id
            for job in plan(
                dataclasses.replace(
                    QUICK, tasks=("same_topic",), model=str(place), width=None, encoders=("pretrained",)
                )
            )
        }
        for place in (tiny_checkpoint, moved)
    ]
    assert ids[0] == ids[1]


def test_published_optimisers_and_schedules(tiny_checkpoint):
    config = dataclasses.replace(
        PRESETS["paper"], tasks=("same_topic",), model=str(tiny_checkpoint), tokenizer="builtin", depths=(1, 2)
    )
    settings = {
        (job.stage.name, job.params.encoder): (job.params.learning_rate, job.params.schedule, job.params.optimiser)
        for job in plan(config)
    }
    assert settings == {
        ("glue_frozen", "pretrained"): (1e-3, "legacy", "adamw"),
        ("glue_frozen", "random"): (1e-3, "legacy", "adamw"),
        ("glue_finetuned", "pretrained"): (1e-6, "linear", "hf_adamw"),
        ("glue_finetuned", "random"): (1e-6, "legacy", "adamw"),
    }


def test_passes_count_layers_times_sequences():
    jobs = by_stage(dataclasses.replace(QUICK, tasks=("similarity",), train_limit=100, dev_limit=50))
    assert {job.passes for job in jobs["glue_frozen"]} == {16 * 150}
    assert {job.params.depth: job.passes for job in jobs["glue_finetuned"]} == {
        d: d * (9 * 100 + 50) for d in (1, 2, 4)
    }


def test_adding_a_seed_or_a_task_keeps_the_jobs_that_were_there():
    few = {job.id for job in plan(QUICK)}
    more = {job.id for job in plan(dataclasses.replace(QUICK, seeds=(0, 1, 2, 3)))}
    assert few < more


@pytest.mark.parametrize(
    "change",
    [
        {"train_limit": 1199},
        {"init_range": 0.02},
        {"max_length": 40},
        {"dropout": 0.0},
        {"init_style": "glue_legacy", "init_range": None},
        {"frozen_learning_rate": 2e-3, "finetuned_learning_rate": 2e-3},
        {"schedule": "legacy"},
        {"epochs": 4},
        {"width": 128},
        {"heads": 2},
    ],
)
def test_what_shapes_the_numbers_shapes_the_identity(change):
    assert not {job.id for job in plan(QUICK)} & {job.id for job in plan(dataclasses.replace(QUICK, **change))}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "scratch", "tokenizer": "builtin", "encoders": ("random",)}, "width is None: give --width"),
        ({"model": "scratch", "width": 64, "encoders": ("random",)}, "tokenizer is None: give a directory"),
        ({"model": "scratch", "width": 64, "tokenizer": "builtin"}, "random weights only"),
        ({"width": 64}, "go with --model scratch"),
        ({"depths": ()}, "depths is empty"),
        ({"depths": (0, 1)}, "depths is 0: give at least 1"),
        ({"tasks": ("RTE", "RTE")}, "twice"),
        ({"batch_size": 0}, "batch-size is 0"),
    ],
)
def test_impossible_configs_say_what_to_give(change, message):
    with pytest.raises(ValueError, match=message):
        Config(**change)


def test_command_line_reaches_the_config():
    line = "--experiment glue_depth --preset quick --tasks RTE STS-B --depths 1-4,8 --seeds 0-3 --data-dir d"
    experiment, common, config = parse(line.split())
    assert experiment is EXPERIMENT
    assert common.preset == "quick"
    assert config == dataclasses.replace(
        QUICK, tasks=("RTE", "STS-B"), depths=(1, 2, 3, 4, 8), seeds=(0, 1, 2, 3), data_dir="d"
    )
