"""The jobs of `attention_classification`: data, runs, an evaluation a checkpoint, Delta, proxies, statistics.

A later stage never trains again: an evaluation needs its run's checkpoints, and the statistics need evaluations. The
jobs that evaluate one data set share a warm key, so that a worker keeps it open from one checkpoint to the next.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from orchestrator.experiment import Job
from orchestrator.limits import shared
from tasks.attention.attention_classification.config import Config
from tasks.attention.attention_classification.stages import (
    CLASSIFIER_DELTA,
    EMBEDDING_PROXY,
    EVALUATE_CLASSIFIER,
    LOGISTIC_PROXY,
    TRAIN_CLASSIFIER,
    ClassifierParams,
    DeltaParams,
    EmbeddingProxyParams,
    EvaluateParams,
    LogisticProxyParams,
    TrainParams,
)
from tasks.attention.learning.plan import gold_needs, statistics_job
from tasks.attention.learning.runs import Proxy, Run
from tasks.attention.texts.plan import text_report_job, text_sizes, texts_job


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config, those of a data set together.

    Raises:
        ValueError: data or word vectors are missing or bad; one line that says what to give.
    """
    for dataset in config.datasets:
        texts = texts_job(
            dataset, config.data_dir, classes=config.classes, word_vectors=config.word_vectors, options=config
        )
        yield text_report_job(texts)
        yield from _jobs(config, texts, text_sizes(texts, config.data_dir)["test"])


def _jobs(config: Config, texts: Job, n_test: int) -> Iterator[Job]:
    splits = config.split_order
    items = n_test * len(splits)
    training = train_jobs(config, texts)
    yield from dict.fromkeys(training.values())
    evaluations = {}
    for run, trained in training.items():
        for step in config.saves:
            params = EvaluateParams(
                **_classifier(config, texts, stacked=trained.params.stacked),
                kind=run.kind,
                seed=run.seed,
                step=step,
                quantities=config.kept(run),
                splits=splits,
            )
            evaluations[run, step] = Job(
                stage=EVALUATE_CLASSIFIER,
                params=params,
                needs={"data": texts, "run": trained},
                fingerprints=texts.fingerprints,
                passes=items,
                warm_key=texts.id,
            )
    yield from evaluations.values()
    trained = training[config.runs.gold]
    delta = Job(
        stage=CLASSIFIER_DELTA,
        params=DeltaParams(
            **_classifier(config, texts, stacked=trained.params.stacked),
            seed=config.runs.gold.seed,
            steps=config.saves,
            splits=splits,
        ),
        needs={"data": texts, "run": trained, **gold_needs(config.runs.gold, evaluations)},
        fingerprints=texts.fingerprints,
        passes=2 * items,
    )
    proxies = proxy_jobs(config, texts)
    yield from (delta, *proxies.values())
    yield statistics_job(
        config,
        dataset=texts.params.dataset,
        evaluations=evaluations,
        delta=delta,
        proxies=proxies,
        legacy_sign=True,
    )


def train_jobs(config: Config, texts: Job) -> Mapping[Run, Job]:
    """The job that trains each run: one of its own, or one for a block of runs."""
    found = {}
    for block in config.runs.blocks(config.seeds_together):
        params = TrainParams(
            **_classifier(config, texts, stacked=len(block) > 1),
            runs=tuple(run.name for run in block),
            saves=config.saves,
        )
        job = Job(
            stage=TRAIN_CLASSIFIER,
            params=params,
            needs={"data": texts},
            fingerprints=texts.fingerprints,
            passes=len(block) * config.steps * config.batch_size,
        )
        found |= dict.fromkeys(block, job)
    return found


def proxy_jobs(config: Config, texts: Job) -> dict[Proxy, Job]:
    """The proxies by name."""
    data = {**asdict(texts.params), "splits": config.split_order}
    strengths = tuple(sorted(set(config.logistic_strengths)))
    made = {}
    if "px" in config.proxies:
        params = EmbeddingProxyParams(
            **data,
            epochs=config.proxy_epochs,
            width=config.proxy_width,
            batch_size=config.proxy_batch,
            learning_rate=config.proxy_rate(texts.params.dataset),
            seed=config.proxy_seed,
        )
        made["px"] = (EMBEDDING_PROXY, params)
    if "logistic" in config.proxies:
        made["logistic"] = (LOGISTIC_PROXY, LogisticProxyParams(**data, strengths=strengths))
    return {
        name: Job(stage=stage, params=params, needs={"data": texts}, fingerprints=texts.fingerprints)
        for name, (stage, params) in made.items()
    }


def _classifier(config: Config, texts: Job, stacked: bool) -> dict[str, Any]:
    """The parameters that all stages with a classifier have."""
    return {**asdict(texts.params), **shared(config, ClassifierParams), "stacked": stacked}
