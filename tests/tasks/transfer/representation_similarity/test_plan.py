"""The options and the plan: what is a job, what is refused."""

import pytest

from tasks.transfer.representation_similarity.config import PRESETS, PUBLISHED_RIDGES, Config
from tasks.transfer.representation_similarity.plan import plan
from tasks.transfer.representation_similarity.stages import SimilarityParams
from tests.tasks.transfer.representation_similarity.conftest import TINY


def jobs(**options):
    return [job for job in plan(Config(**(TINY | options))) if job.stage.name == "representation_similarity"]


def test_a_job_a_seed_and_pair_with_one_set_of_proteins():
    found = jobs(encoder_seeds=(0, 1), plus_seeds=(0, 1, 2))
    assert len({job.id for job in found}) == len(found) == 2 * 3
    assert len({job.needs["proteins"].id for job in found}) == 1
    assert {job.passes for job in found} == {(2 + 3) * 9}


def test_what_shapes_a_number_shapes_the_job():
    changes = {
        "compare": "last",
        "levels": (0, 1),
        "rows": 10,
        "special": False,
        "ridge": 1e-3,
        "null_draws": 1,
        "seed": 1,
        "legacy_uncentred": True,
        "legacy_dropout": True,
    }
    ids = {jobs()[0].id} | {jobs(**{name: value})[0].id for name, value in changes.items()}
    assert len(ids) == 1 + len(changes)
    assert jobs(levels=(2, 0))[0].id == jobs(levels=(0, 2))[0].id


def test_the_published_setting_is_a_preset():
    config = PRESETS["legacy"]
    assert config.legacy_uncentred
    assert config.legacy_dropout
    assert (config.rows, config.compare) == (1000, "last")
    assert {task: config.ridge_of(task) for task in config.protein_tasks} == PUBLISHED_RIDGES
    assert PRESETS["paper"].ridge_of("stability") == PRESETS["paper"].ridge
    assert not PRESETS["paper"].legacy_uncentred


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": (-1,)}, "levels is -1: give at least 0"),
        ({"levels": (1, 1)}, "levels has 1 twice: give each value once"),
        ({"levels": (1,), "compare": "last"}, "levels is 1: give none: with --compare last"),
        ({"rows": 0}, "rows"),
        ({"null_draws": -1}, "null-draws is -1"),
        ({"ridge": -1.0}, "ridge is -1.0: give at least 0"),
        ({"ridge": float("inf")}, "ridge is inf"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**(TINY | options))


@pytest.mark.parametrize(
    ("field", "value"),
    [("rows", 0), ("ridge", -1.0), ("null_draws", -1), ("levels", (2, 1)), ("levels", (-1,))],
)
def test_parameters_that_cannot_be_are_refused(field, value):
    params = jobs()[0].params
    with pytest.raises(ValueError, match=field.replace("_", "-")):
        SimilarityParams(**(vars(params) | {field: value}))
