"""What the diagnostics plan: a job a network, task, shift and seed; options that cannot be are refused."""

import json

import pytest

from orchestrator.experiment import Stage
from tasks.encoders.transformer_plan import layers_of, width_of
from tasks.transfer.diagnostics.options import QUICK_DIAGNOSTIC, DiagnosticOptions, DiagnosticParams, diagnostic_jobs

STAGE = Stage(name="looking", function="nowhere:at_all", params=DiagnosticParams)
SCRATCH = {
    "models": ("scratch",),
    "encoders": ("random",),
    "tokenizer": "builtin",
    "layers": 2,
    "width": 16,
    "tasks": ("acceptability",),
}


def jobs(options=None, **change):
    options = options or DiagnosticOptions(**{**QUICK_DIAGNOSTIC, **change})
    found = diagnostic_jobs(options, STAGE, lambda network: network.layers * network.sentences)
    return [job for job in found if job.stage is STAGE]


def test_a_job_a_network_task_shift_and_seed():
    found = jobs()
    assert len({job.id for job in found}) == len(found) == 2 * 3 * 3 * 2
    pretrained = [job for job in found if job.params.encoder == "pretrained"]
    # A pretrained network has one set of weights; a random one has those of the job's seed.
    assert {job.params.encoder_seed for job in pretrained} == {None}
    assert all(job.params.encoder_seed == job.params.seed for job in found if job.params.encoder == "random")
    assert {job.needs["tokens"].params.task for job in found} == {"acceptability", "same_topic", "similarity"}
    assert len({job.needs["model"].id for job in found}) == 1
    assert all(job.passes == 2 * 1200 for job in found)


def test_the_small_model_is_reported_once_and_only_where_it_is_asked_for():
    for options, names in ((QUICK_DIAGNOSTIC, ["pretrain_report"]), (SCRATCH, [])):
        planned = diagnostic_jobs(DiagnosticOptions(**options), STAGE, lambda network: 1)
        assert [job.stage.name for job in planned if job.stage is not STAGE] == names


def test_scratch_has_its_sizes_in_the_parameters():
    options = DiagnosticOptions(**SCRATCH, architecture="distilbert", seeds=(1,), shifts=(0,))
    (job,) = jobs(options)
    params = job.params
    assert (params.architecture, params.layers, params.width) == ("distilbert", 2, 16)
    assert "model" not in job.needs


def test_a_job_reads_one_tokenised_task_whatever_the_seed_and_the_shift():
    assert len({job.needs["tokens"].id for job in jobs(tasks=("similarity",))}) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shifts": (-1,)}, "shifts is -1: give at least 0"),
        ({"seeds": ()}, "seeds is empty: give at least one"),
        ({"max_length": 33}, "max-length is 33: give at most 32, the positions"),
        ({"layers": 3}, "layers is 3: give none"),
        ({"width": None}, "width is None: give the model small's"),
        ({"tokenizer": None}, "tokenizer is None: give a directory"),
        ({"models": ("scratch",)}, "encoders is pretrained random: give random alone"),
        ({"models": ("a/b",)}, "give none: sizes go with the model scratch"),
        ({"pretrain_steps": 0}, "pretrain-steps is 0: give at least 1"),
    ],
)
def test_options_that_cannot_be_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        DiagnosticOptions(**{**QUICK_DIAGNOSTIC, **change})


@pytest.mark.parametrize(("config", "sizes"), [({"hidden_size": 48, "num_hidden_layers": 3}, (3, 48)), ({}, (12, 768))])
def test_sizes_of_a_directory_are_read_for_the_cost_of_a_plan(tmp_path, config, sizes):
    (tmp_path / "config.json").write_text(json.dumps(config))
    options = DiagnosticOptions(**SCRATCH)
    assert (layers_of(options, str(tmp_path)), width_of(options, str(tmp_path))) == sizes
