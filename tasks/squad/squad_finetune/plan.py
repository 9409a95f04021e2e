"""The jobs of `squad_finetune`: windows once a tokenizer, a training a model and seed, an evaluation each."""

from collections.abc import Iterator

from models.checkpoints import resolve_model
from orchestrator.experiment import Job
from orchestrator.limits import require, shared
from tasks.encoders.params import SCRATCH
from tasks.encoders.plan import PlannedEncoder
from tasks.encoders.transformer_plan import given_encoder, layers_of
from tasks.squad.plan import train_jobs, train_report, trained_encoder, windows_of
from tasks.squad.questions.plan import data_job, planned_windows
from tasks.squad.squad_finetune.config import Config
from tasks.squad.squad_finetune.stages import EVALUATE, EvaluateParams


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config, those of a model together.

    Raises:
        ValueError: data, tokenizer or a model are missing, or two models have one name; one line says what to give.
    """
    _check_names(config)
    for model in config.models:
        windows = windows_of(config, model)
        yield data_job(windows)
        if "train" not in config.stages:
            yield _evaluation(config, model, given_encoder(config, model, finetuned=model), windows)
            continue
        for seed in config.finetune_seeds:
            jobs = train_jobs(config, model, seed, windows)
            yield from jobs
            yield train_report(jobs[-1])
            if "evaluate" in config.stages:
                yield _evaluation(config, model, trained_encoder(config, model, seed, windows), windows)


def _evaluation(config: Config, model: str, encoder: PlannedEncoder, windows: Job) -> Job:
    params = EvaluateParams(**{**shared(config, EvaluateParams), **encoder.params}, tokenizer=windows.params.tokenizer)
    return Job(
        stage=EVALUATE,
        params=params,
        needs={"windows": windows, **encoder.needs},
        fingerprints=windows.fingerprints,
        paths=encoder.paths,
        passes=layers_of(config, model) * planned_windows(config)["dev"],
    )


def _check_names(config: Config) -> None:
    """Two directories of one name would be one model in every table.

    Raises:
        ValueError: with both.
    """
    seen: dict[str, str] = {}
    for model in config.models:
        name = model if model == SCRATCH else resolve_model(model, config.pickled_weights).name
        remedy = f"models of different names: {seen.get(name)} and {model} are both called {name}, rename one of them"
        require(name not in seen, "models", config.models, remedy)
        seen[name] = model
