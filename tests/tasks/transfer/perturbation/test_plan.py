"""The plan of `perturbation`: what is one job, what it costs, and options that cannot be."""

import dataclasses

import pytest

from orchestrator.plan import make_plan
from tasks.transfer.perturbation.config import PRESETS
from tasks.transfer.perturbation.plan import plan

QUICK = PRESETS["quick"]


def jobs_of(config):
    return [job for job in make_plan(plan(config)).jobs.values() if job.stage.name == "perturbation"]


def test_a_job_a_network_task_shift_and_seed_with_all_levels():
    jobs = jobs_of(QUICK)
    assert len(jobs) == 2 * 3 * 2 * 3
    assert {job.params.stds for job in jobs} == {(1e-2, 1e-4, 1e-6, 1e-8)}
    # Of two layers two passes without noise, one a precision, and one a level.
    assert {job.passes for job in jobs} == {2 * (2 + 4) * 4 * 32}
    both = jobs_of(dataclasses.replace(QUICK, noises=("relative", "absolute"), stds=(1e-4, 1e-2)))
    assert {job.passes for job in both} == {2 * (1 + 4) * 4 * 32}
    assert {job.params.stds for job in both} == {(1e-2, 1e-4)}  # in one order, however they are given


@pytest.mark.parametrize(
    "change", [{"batches": 3}, {"batch_size": 16}, {"double_below": 0.0}, {"legacy_padding": True}, {"stds": (1e-3,)}]
)
def test_what_shapes_a_number_is_part_of_the_identity(change):
    assert not {job.id for job in jobs_of(QUICK)} & {job.id for job in jobs_of(dataclasses.replace(QUICK, **change))}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batches": 0}, "batches is 0: give at least 1"),
        ({"stds": ()}, "stds is empty"),
        ({"stds": (1e-2, 1e-2)}, "stds has 0.01 twice: give each value once"),
        ({"stds": (1e-2, 0.0)}, "stds is 0.0: give more than 0"),
        ({"stds": (float("nan"),)}, "stds is nan: give more than 0"),
        ({"noises": ()}, "noises is empty"),
        ({"double_below": -1.0}, "double-below is -1.0: give at least 0"),
    ],
)
def test_options_that_cannot_be_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(QUICK, **change)


def test_published_settings():
    paper, legacy = PRESETS["paper"], PRESETS["legacy"]
    assert (paper.batches, paper.batch_size, paper.stds) == (201, 32, (1e-2, 1e-4, 1e-6, 1e-8))
    assert not paper.legacy_dropout
    assert not paper.legacy_padding
    assert (legacy.double_below, legacy.legacy_dropout, legacy.legacy_padding) == (0, True, True)
