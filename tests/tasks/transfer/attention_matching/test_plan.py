"""What `attention_matching` plans, and options that cannot be."""

import dataclasses

import pytest

from tasks.transfer.attention_matching.config import PRESETS, Config
from tasks.transfer.attention_matching.plan import plan

QUICK = PRESETS["quick"]


def jobs(config: Config):
    return [job for job in plan(config) if job.stage.name == "attention_matching"]


def test_a_job_a_pair_and_seed_with_all_layers_in_it():
    found = jobs(QUICK)
    assert len({job.id for job in found}) == len(found) == 1 + 3 + 3
    assert {(job.params.first, job.params.second) for job in found} == {
        ("pretrained", "plus"),
        ("pretrained", "random"),
        ("random", "plus"),
    }
    assert {job.passes for job in found} == {4 * 60}  # two layers each
    names = {job.stage.name for job in plan(QUICK)}
    assert {"pretrain_report", "plus_report"} <= names
    # The lot reads the same proteins, through the same two small models.
    assert len({job.needs["proteins"].id for job in found}) == 1
    assert len({job.needs["plus"].id for job in found if "plus" in job.needs}) == 1


def test_what_shapes_a_number_is_in_the_identity():
    ids = {job.id for job in jobs(QUICK)}
    for change in ({"fold_seed": 1}, {"legacy_padding": True}, {"legacy_totals": True}, {"legacy_dropout": True}):
        other = {job.id for job in jobs(dataclasses.replace(QUICK, **change))}
        assert not ids & other, change
    wider = {job.id for job in jobs(dataclasses.replace(QUICK, encoder_seeds=(0, 1, 2, 3)))}
    assert ids < wider


def test_the_legacy_preset_is_the_published_setting():
    legacy = PRESETS["legacy"]
    assert legacy.pairs == ("pretrained-plus", "pretrained-random")
    assert (legacy.proteins, legacy.max_length, legacy.table_seed) == (100, 512, 100)
    assert legacy.legacy_dropout
    assert legacy.legacy_padding
    assert legacy.legacy_totals


def test_options_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="fold-seed is -1: give at least 0"):
        dataclasses.replace(QUICK, fold_seed=-1)
    with pytest.raises(ValueError, match="proteins is 0: give at least 1"):
        dataclasses.replace(QUICK, proteins=0)
