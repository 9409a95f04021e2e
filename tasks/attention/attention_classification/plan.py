"""The jobs of `attention_classification`: data, runs, an evaluation a checkpoint, Delta, proxies, statistics.

A later stage never trains again: an evaluation needs its run's checkpoints, and the statistics need evaluations.
"""

from collections.abc import Iterator
from dataclasses import asdict

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
    LogisticProxyParams,
)
from tasks.attention.learning.plan import evaluation_jobs, gold_needs, proxy_params, statistics_job, training_jobs
from tasks.attention.learning.runs import Proxy
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
    splits, gold = config.split_order, config.runs.gold
    items = n_test * len(splits)
    model = {**asdict(texts.params), **shared(config, ClassifierParams)}
    trainings = training_jobs(
        TRAIN_CLASSIFIER,
        config,
        lambda block: {**model, "stacked": len(block) > 1, "saves": config.saves},
        {"data": texts},
        config.steps * config.batch_size,
    )
    yield from dict.fromkeys(trainings.values())
    evaluations = evaluation_jobs(
        EVALUATE_CLASSIFIER,
        config,
        lambda run: {**model, "stacked": trainings[run].params.stacked},
        lambda run: {"data": texts, "run": trainings[run]},
        texts,
        config.saves,
        items,
    )
    yield from evaluations.values()
    trained = trainings[gold]
    delta = Job(
        stage=CLASSIFIER_DELTA,
        params=DeltaParams(**model, stacked=trained.params.stacked, seed=gold.seed, steps=config.saves, splits=splits),
        needs={"data": texts, "run": trained, **gold_needs(gold, evaluations)},
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


def proxy_jobs(config: Config, texts: Job) -> dict[Proxy, Job]:
    """The proxies by name."""
    data = {**asdict(texts.params), "splits": config.split_order}
    training = proxy_params(config, epochs=config.proxy_epochs, learning_rate=config.proxy_rate(texts.params.dataset))
    strengths = tuple(sorted(set(config.logistic_strengths)))
    made = {}
    if "px" in config.proxies:
        made["px"] = (EMBEDDING_PROXY, EmbeddingProxyParams(**data, **training))
    if "logistic" in config.proxies:
        made["logistic"] = (LOGISTIC_PROXY, LogisticProxyParams(**data, strengths=strengths))
    return {
        name: Job(stage=stage, params=params, needs={"data": texts}, fingerprints=texts.fingerprints)
        for name, (stage, params) in made.items()
    }
