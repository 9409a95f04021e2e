"""The plan of `squad_probes`: what is one job, what its identity depends on, and how far `--stages` goes."""

import dataclasses
from collections import Counter

import pytest

from models.checkpoints import ModelError
from orchestrator.plan import make_plan
from tasks.squad.squad_probes.config import PRESETS, Config
from tasks.squad.squad_probes.plan import plan

QUICK = PRESETS["quick"]


def jobs_of(config, stage):
    return [job for job in make_plan(plan(config)).jobs.values() if job.stage.name == stage]


def counts(config):
    return Counter(job.stage.name for job in make_plan(plan(config)).jobs.values())


def test_an_encoder_is_one_job_a_solver_whatever_the_rates_seeds_and_epochs():
    jobs = jobs_of(QUICK, "probe_train_adam")
    assert sorted((job.params.encoder, job.params.encoder_seed) for job in jobs) == [("finetuned", 0), ("random", 0)]
    assert {job.params.seeds for job in jobs} == {QUICK.seeds}
    assert {job.params.learning_rates for job in jobs} == {tuple(sorted(QUICK.learning_rates))}
    found = counts(QUICK)
    assert found["probe_train_lbfgs"] == found["probe_predict"] == found["probe_evaluate"] == 2
    assert found["squad_windows"] == found["squad_data"] == 1
    # Fine-tuning is one chain, an epoch a job, and its end is what the fine-tuned encoder needs.
    assert found["squad_train"] == QUICK.finetune_epochs
    trained = next(job for job in jobs if job.params.encoder == "finetuned")
    assert trained.params.revision == f"job-{trained.needs['model'].id}"


def test_steps_can_be_three_commands():
    train = counts(dataclasses.replace(QUICK, stages=("train",)))
    assert train["probe_train_adam"] == 2
    assert not train["probe_predict"] + train["probe_evaluate"]
    predict = {job.id for job in make_plan(plan(dataclasses.replace(QUICK, stages=("predict",)))).jobs.values()}
    assert {job.id for job in jobs_of(QUICK, "probe_train_adam")} < predict  # what predicting needs comes with it
    assert {job.id for job in jobs_of(QUICK, "probe_predict")} < predict
    assert not {job.id for job in jobs_of(QUICK, "probe_evaluate")} & predict
    assert {job.id for job in make_plan(plan(dataclasses.replace(QUICK, stages=("evaluate",)))).jobs.values()} == {
        job.id for job in make_plan(plan(QUICK)).jobs.values()
    }


@pytest.mark.parametrize(
    "change",
    [
        {"mode": "legacy"},
        {"data_seed": 2},
        {"epochs": 3},
        {"batch_size": 4},
        {"dropout": 0.0},
        {"max_length": 256},
        {"train_limit": 100},
        {"legacy_class_weights": True},
        {"max_answer_length": 10},
        {"legacy_threshold": -5.0},
    ],
)
def test_what_shapes_the_numbers_is_in_the_identity_and_a_column_of_the_scores(change):
    before = {job.id for job in jobs_of(QUICK, "probe_evaluate")}
    after = jobs_of(dataclasses.replace(QUICK, **change), "probe_evaluate")
    assert not before & {job.id for job in after}
    ((name, value),) = change.items()
    assert {getattr(job.params, name) for job in after} == {value}
    assert name in {f.name for f in after[0].stage.param_fields}


def test_the_solvers_are_independent_of_each_other():
    lbfgs = {job.id for job in jobs_of(QUICK, "probe_train_lbfgs")}
    assert {job.id for job in jobs_of(dataclasses.replace(QUICK, epochs=7), "probe_train_lbfgs")} == lbfgs
    adam = {job.id for job in jobs_of(QUICK, "probe_train_adam")}
    assert {job.id for job in jobs_of(dataclasses.replace(QUICK, l2=(1.0,)), "probe_train_adam")} == adam


def test_given_checkpoints_are_read_and_not_trained(tmp_path):
    (reader := tmp_path / "reader").mkdir()
    (reader / "config.json").write_text('{"model_type": "bert", "num_hidden_layers": 3}')
    (reader / "model.safetensors").write_bytes(b"planning reads no weights")
    config = dataclasses.replace(
        QUICK,
        models=(str(reader),),
        finetuned=(str(reader),),
        layers=None,
        width=None,
        heads=None,
        encoders=("pretrained", "finetuned", "random"),
        train_limit=1500,
    )
    assert "squad_train" not in counts(config)
    jobs = {job.params.encoder: job for job in jobs_of(config, "probe_train_adam")}
    assert set(jobs) == {"pretrained", "finetuned", "random"}
    assert jobs["finetuned"].paths["model"] == str(reader)
    assert jobs["random"].passes == pytest.approx(3 * QUICK.epochs * 1575)  # layers, epochs, windows
    missing = dataclasses.replace(config, finetuned=(str(tmp_path / "nowhere"),))
    with pytest.raises(ModelError, match="nowhere"):
        list(plan(missing))


def test_the_legacy_preset_is_the_published_setting():
    legacy = PRESETS["legacy"]
    assert (legacy.mode, legacy.learning_rates, legacy.epochs, legacy.batch_size) == ("legacy", (3e-5,), 3, 8)
    assert (legacy.max_length, legacy.doc_stride, legacy.max_query_length, legacy.dropout) == (384, 128, 64, 0.1)
    assert legacy.solvers == ("adam",)
    assert Config() == PRESETS["paper"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"encoders": ("pretrained",)}, "encoders is pretrained: give random finetuned"),
        ({"finetuned": ("here", "here")}, "finetuned is here here: give a checkpoint for each"),
        ({"learning_rates": (0.0,)}, "learning-rates is 0.0"),
        ({"learning_rates": ()}, "learning-rates is empty"),
        ({"l2": (-1.0,)}, "l2 is -1.0"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"epochs": 0}, "epochs is 0"),
        ({"converged_windows": 0}, "converged-windows is 0"),
        ({"seeds": (1, 1)}, "twice"),
    ],
)
def test_wrong_options_are_named(change, said):
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(QUICK, **change)
