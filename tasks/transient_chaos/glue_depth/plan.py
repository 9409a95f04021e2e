"""The jobs of `glue_depth`: what shares a pass of the encoder is one job.

Frozen, pretrained: one job a task, with the heads of all depths and all seeds, since the encoder is the same. Frozen,
random: one job a task and seed, since the seed draws the encoder. Finetuned: one job a task, encoder, depth and seed.
Every job of a task needs its tokens, which are prepared once.
"""

from collections.abc import Iterator
from typing import Any

from models.checkpoints import ModelRef, resolve_model
from orchestrator.experiment import Job
from orchestrator.limits import shared
from tasks.data.plan import planned_sizes, tokens_job
from tasks.data.sources import locate
from tasks.encoders.params import SCRATCH, Encoder
from tasks.encoders.plan import model_fields, model_paths
from tasks.transient_chaos.glue_depth.config import Config
from tasks.transient_chaos.glue_depth.stages import FINETUNED, FROZEN, FinetunedParams, FrozenParams


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config, those of a task together.

    Raises:
        ValueError: data, tokenizer or model are missing; one line that says what to give.
    """
    model = None if config.model == SCRATCH else resolve_model(config.model, config.pickled_weights)
    limits = config.train_limit, config.dev_limit
    for task in config.tasks:
        tokens = tokens_job(task, config.data_dir, config.tokenizer or config.model, config.max_length, *limits)
        sizes = planned_sizes(locate(task, config.data_dir), *limits)
        n_train, n_dev = sizes["train"], sum(sizes.values()) - sizes["train"]
        for encoder in config.encoders:
            if "frozen" in config.trainings:
                yield from _frozen_jobs(config, task, encoder, model, tokens, n_train + n_dev)
            if "finetuned" in config.trainings:
                yield from _finetuned_jobs(config, task, encoder, model, tokens, n_train, n_dev)


def _frozen_jobs(
    config: Config, task: str, encoder: Encoder, model: ModelRef | None, tokens: Job, examples: int
) -> Iterator[Job]:
    depths = tuple(sorted(config.depths))
    groups = [config.seeds] if encoder == "pretrained" else [(seed,) for seed in config.seeds]
    for seeds in groups:
        params = FrozenParams(
            **_both(config, task, encoder, model, tokens),
            encoder_seed=None if encoder == "pretrained" else seeds[0],
            depths=depths,
            seeds=seeds,
            learning_rate=config.frozen_learning_rate,
            schedule=config.schedule,
        )
        yield _job(FROZEN, params, model, tokens, passes=depths[-1] * examples)


def _finetuned_jobs(
    config: Config, task: str, encoder: Encoder, model: ModelRef | None, tokens: Job, n_train: int, n_dev: int
) -> Iterator[Job]:
    published = encoder == "pretrained"  # only these runs had the old optimiser and the linear schedule
    for depth in sorted(config.finetuned_depths or config.depths):
        for seed in config.seeds:
            params = FinetunedParams(
                **_both(config, task, encoder, model, tokens),
                encoder_seed=None if encoder == "pretrained" else seed,
                depth=depth,
                seed=seed,
                learning_rate=config.finetuned_learning_rate,
                schedule="linear" if published else config.schedule,
                optimiser="hf_adamw" if published else "adamw",
                precision=config.precision,
            )
            # A backward pass costs two forward ones.
            yield _job(FINETUNED, params, model, tokens, passes=depth * (3 * params.epochs * n_train + n_dev))


def _job(stage: Any, params: Any, model: ModelRef | None, tokens: Job, passes: float) -> Job:
    return Job(
        stage=stage,
        params=params,
        needs={"tokens": tokens},
        fingerprints=tokens.fingerprints,
        paths={} if model is None else model_paths(model),
        passes=passes,
    )


def _both(config: Config, task: str, encoder: Encoder, model: ModelRef | None, tokens: Job) -> dict[str, Any]:
    """The parameters that both stages have."""
    return {
        "task": task,
        **shared(config, FrozenParams),
        **model_fields(config),
        **({} if model is None else {"model": model.name, "revision": model.revision}),
        "encoder": encoder,
        "init_style": config.init_style if encoder == "random" else None,
        "init_range": config.init_range if encoder == "random" else None,
        "tokenizer": tokens.params.tokenizer,
        "epochs": config.epochs or (10 if task == "STS-B" else 3),
    }
