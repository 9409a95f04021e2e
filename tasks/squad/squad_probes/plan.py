"""The jobs of `squad_probes`: for each encoder its probes are trained, used and scored, a job each.

Everything that one frozen pass yields is one job: all levels, learning rates and seeds. The probes solved to
convergence read a part of the windows only, so they are a job of their own; the dev questions pass the encoder once for
both. Fine-tuning, where the sweep does it itself, is shared with `squad_finetune`.
"""

from collections.abc import Iterator
from typing import Any

from orchestrator.experiment import Job
from orchestrator.limits import shared
from tasks.encoders.plan import PlannedEncoder
from tasks.encoders.transformer_plan import given_encoder, layers_of, random_encoder
from tasks.squad.plan import train_report, trained_encoder, windows_of
from tasks.squad.questions.plan import data_job, planned_windows
from tasks.squad.squad_probes.config import HERE, AdamTraining, Config
from tasks.squad.squad_probes.stages import (
    PROBE_ADAM,
    PROBE_EVALUATE,
    PROBE_LBFGS,
    PROBE_PREDICT,
    AdamParams,
    LbfgsParams,
    PredictParams,
)


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config.

    Raises:
        ValueError: data, tokenizer, model or fine-tuned checkpoint are missing; one line that says what to give.
    """
    for model in config.models:
        windows = windows_of(config, model)
        yield data_job(windows)
        for encoder in encoders_of(config, model, windows):
            if "model" in encoder.needs:
                yield train_report(encoder.needs["model"])
            yield from _probe_jobs(config, model, encoder, windows)


def encoders_of(config: Config, model: str, windows: Job) -> Iterator[PlannedEncoder]:
    """The encoders of a model that are probed: pretrained, fine-tuned, random."""
    if "pretrained" in config.encoders:
        yield given_encoder(config, model)
    if "finetuned" in config.encoders:
        checkpoint = config.finetuned_of(model)
        if checkpoint == HERE:
            for seed in config.finetune_seeds:
                yield trained_encoder(config, model, seed, windows)
        else:
            yield given_encoder(config, model, checkpoint)
    if "random" in config.encoders:
        for seed in config.encoder_seeds:
            yield random_encoder(config, model, seed)


def _probe_jobs(config: Config, model: str, encoder: PlannedEncoder, windows: Job) -> Iterator[Job]:
    """Training, predictions and scores of one encoder, as far as `--stages` says."""
    counts, layers = planned_windows(config), layers_of(config, model)
    own = {**encoder.params, "tokenizer": windows.params.tokenizer}
    trained = _train_jobs(config, own, encoder, windows, layers, counts["train"])
    if "train" in config.stages:
        yield from trained.values()
    if not {"predict", "evaluate"} & {*config.stages}:
        return
    # What shaped probes that there are none of is nothing, whatever the options say.
    if "adam" not in trained:
        own |= {"epochs": None, "batch_size": None, "dropout": None, "clip": None, "legacy_class_weights": False}
    else:
        own |= shared(config, AdamTraining)
    if "lbfgs" not in trained:
        own["converged_windows"] = None
    params = PredictParams(**shared(config, PredictParams) | own)
    common: dict[str, Any] = {"params": params, "fingerprints": windows.fingerprints}
    needs = {**encoder.needs, **trained, "windows": windows}
    passes = layers * counts["dev"]
    predicted = Job(stage=PROBE_PREDICT, needs=needs, paths=encoder.paths, passes=passes, **common)
    yield predicted
    if "evaluate" in config.stages:
        yield Job(stage=PROBE_EVALUATE, needs={"predictions": predicted, "windows": windows}, **common)


def _train_jobs(
    config: Config, own: dict[str, Any], encoder: PlannedEncoder, windows: Job, layers: int, n_train: int
) -> dict[str, Job]:
    """The jobs that train probes, by solver; about `n_train` windows pass `layers` layers."""
    common: dict[str, Any] = {
        "needs": {**encoder.needs, "windows": windows},
        "fingerprints": windows.fingerprints,
        "paths": encoder.paths,
    }
    jobs = {}
    if "adam" in config.solvers:
        fields = shared(config, AdamParams) | own
        fields |= {"learning_rates": tuple(sorted(config.learning_rates)), "seeds": tuple(sorted(config.seeds))}
        params = AdamParams(**fields)
        jobs["adam"] = Job(stage=PROBE_ADAM, params=params, passes=config.epochs * layers * n_train, **common)
    if "lbfgs" in config.solvers:
        fields = shared(config, LbfgsParams) | own
        fields |= {"l2": tuple(sorted(config.l2))}
        params = LbfgsParams(**fields)
        # Passes: one for each group of levels whose states fit into memory together; at least this one.
        chosen = min(n_train, config.converged_windows or n_train)
        jobs["lbfgs"] = Job(stage=PROBE_LBFGS, params=params, passes=layers * chosen, **common)
    return jobs
