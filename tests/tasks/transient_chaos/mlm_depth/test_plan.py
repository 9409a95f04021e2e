"""The plan of `mlm_depth`: what is one job, and what its identity depends on."""

import dataclasses

from orchestrator.plan import make_plan
from tasks.transient_chaos.mlm_depth.config import PRESETS
from tasks.transient_chaos.mlm_depth.plan import plan

QUICK = PRESETS["quick"]


def jobs_of(config, stage="mlm_frozen"):
    return [job for job in make_plan(plan(config)).jobs.values() if job.stage.name == stage]


def test_an_encoder_is_a_job_whatever_the_depths_readouts_and_seeds():
    jobs = jobs_of(QUICK)
    assert [(j.params.encoder, j.params.encoder_seed) for j in jobs] == [
        ("pretrained", None),
        ("random", 0),
        ("random", 1),
        ("random", 2),
    ]
    assert {j.params.depths for j in jobs} == {tuple(range(1, 13))}
    assert {j.params.seeds for j in jobs} == {(0, 1, 2)}
    assert [j.params.readouts for j in jobs] == [("trained", "new", "zero_shot"), ("new",), ("new",), ("new",)]
    assert len(jobs_of(QUICK, "pretrain_small")) == 1
    assert len(jobs_of(QUICK, "blocks")) == 2  # the readouts' are limited, so that the plan knows their passes
    # The random encoders take the small one's architecture, so all need its job.
    assert all(j.needs["model"].id == jobs[0].needs["model"].id for j in jobs)


def test_data_seeds_and_pretraining_are_part_of_the_identity():
    ids = {j.id for j in jobs_of(QUICK)}
    more = {j.id for j in jobs_of(dataclasses.replace(QUICK, data_seeds=(0, 1)))}
    assert ids < more
    assert len(more) == 2 * len(ids)
    assert not ids & {j.id for j in jobs_of(dataclasses.replace(QUICK, pretrain_steps=801))}
    assert not ids & {j.id for j in jobs_of(dataclasses.replace(QUICK, test_limit=10))}


def test_the_published_new_readout_is_an_encoder_of_its_own():
    jobs = jobs_of(dataclasses.replace(QUICK, legacy_readout_init=True, encoders=("pretrained",), seeds=(0, 1)))
    assert [(j.params.readouts, j.params.seeds, j.params.legacy_readout_init) for j in jobs] == [
        (("new",), (0,), True),
        (("new",), (1,), True),
        (("trained", "zero_shot"), (0, 1), False),
    ]


def test_a_checkpoint_of_a_directory(checkpoint):
    config = dataclasses.replace(
        QUICK, model=str(checkpoint), width=None, heads=None, init_range=None, encoders=("pretrained",), depths=(3, 1)
    )
    (job,) = jobs_of(config)
    assert job.paths["model"] == str(checkpoint)
    assert job.params.depths == (1, 3)
    assert set(job.needs) == {"blocks"}


def test_published_settings():
    paper = PRESETS["paper"]
    assert (paper.learning_rate, paper.epochs, paper.batch_size, paper.warmup) == (2e-3, 3, 32, 100)
    assert (paper.mask_ratio, paper.length, paper.depths) == (0.15, 128, tuple(range(1, 25)))
    assert not any((paper.legacy_masking, paper.legacy_head_eps, paper.legacy_readout_init))
