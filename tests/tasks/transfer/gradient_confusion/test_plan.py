"""The plan of `gradient_confusion`: what is one job, what it costs, and options that cannot be."""

import dataclasses

import pytest

from orchestrator.plan import make_plan
from tasks.transfer.gradient_confusion.config import PRESETS
from tasks.transfer.gradient_confusion.plan import plan

QUICK = PRESETS["quick"]


def jobs_of(config):
    return [job for job in make_plan(plan(config)).jobs.values() if job.stage.name == "gradient_confusion"]


def test_a_job_a_network_task_shift_and_seed():
    jobs = jobs_of(QUICK)
    assert len(jobs) == 2 * 3 * 2 * 3
    assert {job.passes for job in jobs} == {3 * 2 * 24 * 32}
    assert {job.params.batches for job in jobs} == {24}


@pytest.mark.parametrize(
    "change", [{"batches": 23}, {"batch_size": 16}, {"accumulation": 2}, {"legacy_padding": True}, {"dtype": "float64"}]
)
def test_what_shapes_a_number_is_part_of_the_identity(change):
    assert not {job.id for job in jobs_of(QUICK)} & {job.id for job in jobs_of(dataclasses.replace(QUICK, **change))}


def test_batches_are_those_that_a_task_has():
    jobs = jobs_of(dataclasses.replace(QUICK, train_limit=100))
    assert {job.passes for job in jobs} == {3 * 2 * 3 * 32}  # the plan's cost is what will be done
    assert {job.params.batches for job in jobs} == {24}  # one sweep asks for the same job as another
    with pytest.raises(ValueError, match=r"acceptability has 63 sentences .*, two batches of 32 are the least"):
        list(plan(dataclasses.replace(QUICK, train_limit=63)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batches": 1}, "batches is 1: give at least 2"),
        ({"batch_size": 0}, "batch-size is 0: give at least 1"),
        ({"accumulation": 3}, "accumulation is 3: give a divisor of the batch size 32"),
    ],
)
def test_options_that_cannot_be_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(QUICK, **change)


def test_published_settings():
    paper, legacy = PRESETS["paper"], PRESETS["legacy"]
    assert (paper.batches, paper.batch_size, paper.accumulation, paper.max_length) == (101, 32, 1, 128)
    assert not paper.legacy_dropout
    assert not paper.legacy_padding
    assert (legacy.batches, legacy.accumulation, legacy.legacy_dropout, legacy.legacy_padding) == (100, 2, True, True)
