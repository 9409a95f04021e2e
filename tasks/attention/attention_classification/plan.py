"""The jobs of `attention_classification`: data, runs, an evaluation a checkpoint, Delta, proxies, statistics.

A later stage never trains again: an evaluation needs its run's checkpoints, and the statistics need evaluations. The
jobs that evaluate one data set share a warm key, so that a worker keeps it open from one checkpoint to the next.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.experiment import Job
from tasks.attention.attention_classification.config import Config
from tasks.attention.attention_classification.params import (
    CLASSIFIER_DELTA,
    EMBEDDING_PROXY,
    EVALUATE_CLASSIFIER,
    LOGISTIC_PROXY,
    SPLITS,
    TRAIN_CLASSIFIER,
    DeltaParams,
    EmbeddingProxyParams,
    EvaluateParams,
    LogisticProxyParams,
    Split,
    TrainParams,
)
from tasks.attention.learning.plan import gold_needs, statistics_job
from tasks.attention.learning.runs import Run
from tasks.attention.texts.plan import text_report_job, text_sizes, texts_job

EVERYTHING = ("alpha", "beta", "delta")


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config, those of a data set together.

    Raises:
        ValueError: data or word vectors are missing or bad; one line that says what to give.
    """
    for dataset in config.datasets:
        reading: dict[str, Any] = {
            "classes": config.classes,
            "test_limit": config.test_limit,
            "train_limit": config.train_limit,
        }
        texts = texts_job(
            dataset,
            config.data_dir,
            **reading,
            max_length=config.max_length,
            word_vectors=config.word_vectors,
            legacy_order=config.legacy_order,
        )
        sizes = text_sizes(dataset, config.data_dir, **reading)
        yield text_report_job(texts)
        yield from _jobs(config, texts, sizes["test"])


def _jobs(config: Config, texts: Job, n_test: int) -> Iterator[Job]:
    data = dataclasses.asdict(texts.params)
    common: dict[str, Any] = {"fingerprints": texts.fingerprints}
    splits: tuple[Split, ...] = tuple(split for split in SPLITS if split in config.splits)
    items = n_test * len(splits)
    training = train_jobs(config, texts)
    yield from dict.fromkeys(training.values())
    evaluations = {}
    for run, trained in training.items():
        for step in config.saves:
            params = EvaluateParams(
                **_classifier(config, data, trained),
                kind=run.kind,
                seed=run.seed,
                step=step,
                quantities=EVERYTHING if config.dump == "everything" else config.runs.quantities(run),
                splits=splits,
            )
            needs = {"data": texts, "run": trained}
            evaluations[run, step] = Job(
                stage=EVALUATE_CLASSIFIER, params=params, needs=needs, passes=items, warm_key=texts.id, **common
            )
    yield from evaluations.values()
    gold = config.runs.gold
    delta = Job(
        stage=CLASSIFIER_DELTA,
        params=DeltaParams(
            **_classifier(config, data, training[gold]), seed=gold.seed, steps=config.saves, splits=splits
        ),
        needs={
            "data": texts,
            "run": training[gold],
            **gold_needs(config.runs, config.saves, evaluations),
        },
        passes=2 * items,
        **common,
    )
    yield delta
    proxies = proxy_jobs(config, texts, data, splits)
    yield from proxies.values()
    yield statistics_job(
        dataset=texts.params.dataset,
        runs=config.runs,
        steps=config.saves,
        evaluations=evaluations,
        delta=delta,
        proxies=proxies,
        metrics=config.metrics,
        splits=splits,
        legacy_sign=True,
        fingerprints=texts.fingerprints,
    )


def train_jobs(config: Config, texts: Job) -> Mapping[Run, Job]:
    """The job that trains each run: one of its own, or one for a block of runs."""
    runs, size = config.runs.all, config.seeds_together
    found = {}
    for block in (runs[start : start + size] for start in range(0, len(runs), size)):
        params = TrainParams(
            **dataclasses.asdict(texts.params),
            **_sizes(config),
            stacked=len(block) > 1,
            runs=tuple(run.name for run in block),
            saves=config.saves,
        )
        passes = len(block) * config.steps * config.batch_size
        needs = {"data": texts}
        job = Job(stage=TRAIN_CLASSIFIER, params=params, needs=needs, passes=passes, fingerprints=texts.fingerprints)
        found |= dict.fromkeys(block, job)
    return found


def proxy_jobs(config: Config, texts: Job, data: Mapping[str, Any], splits: tuple[Any, ...]) -> dict[str, Job]:
    """The proxies by name."""
    shared: dict[str, Any] = {"needs": {"data": texts}, "fingerprints": texts.fingerprints}
    jobs = {}
    if "px" in config.proxies:
        params = EmbeddingProxyParams(
            **data,
            epochs=config.proxy_epochs,
            width=config.proxy_width,
            batch_size=config.proxy_batch,
            learning_rate=config.proxy_rate(data["dataset"]),
            seed=config.proxy_seed,
            splits=splits,
        )
        jobs["px"] = Job(stage=EMBEDDING_PROXY, params=params, **shared)
    if "logistic" in config.proxies:
        strengths = tuple(sorted(set(config.logistic_strengths)))
        params = LogisticProxyParams(**data, strengths=strengths, splits=splits)
        jobs["logistic"] = Job(stage=LOGISTIC_PROXY, params=params, **shared)
    return jobs


def _sizes(config: Config) -> dict[str, Any]:
    names = ("embedding", "hidden", "intermediate", "pretrained_embeddings", "batch_size", "learning_rate")
    return {name: getattr(config, name) for name in names}


def _classifier(config: Config, data: Mapping[str, Any], trained: Job) -> dict[str, Any]:
    return {**data, **_sizes(config), "stacked": trained.params.stacked}
