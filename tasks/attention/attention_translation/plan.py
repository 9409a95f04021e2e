"""The jobs of `attention_translation`: data, trainings, a job a checkpoint, Delta, proxy, statistics."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from orchestrator.experiment import Job
from orchestrator.limits import shared
from tasks.attention.attention_translation.config import Config
from tasks.attention.attention_translation.stages import (
    EVALUATE_TRANSLATOR,
    PAIRS,
    TRAIN_TRANSLATOR,
    TRAINING_JOB,
    TRANSLATION_PROXY,
    TRANSLATOR_DELTA,
    DeltaParams,
    ProxyParams,
    TranslatorParams,
)
from tasks.attention.learning.plan import evaluation_jobs, gold_needs, proxy_params, statistics_job, training_jobs
from tasks.attention.learning.runs import Run, checkpoint_steps
from tasks.attention.pairs.plan import pair_report_job, pair_sizes, pairs_job

EPOCHS = 20  # of a data set without a published number
PUBLISHED_EPOCHS = {
    "multi30k": 20,
    "iwslt14": 30,
    "news_commentary_v14_en_nl": 40,
    "news_commentary_v14_en_pt": 30,
    "news_commentary_v14_it_pt": 40,
}
SAVE_EVERY = 2000
PUBLISHED_BATCH = 16
CUSTOM_SAVES = (0, 50, 100, 500, 1000, 1500)
_EVERY = (*CUSTOM_SAVES, *range(2000, 10_001, 2000))
_TO_40000 = (*_EVERY, 16_000, 22_000, 28_000, 34_000, 40_000)
PUBLISHED_ITERATIONS = {
    "multi30k": (*CUSTOM_SAVES, *range(2000, 20_001, 2000), 24_000, 28_000, 32_000, 36_000),
    "iwslt14": (*_TO_40000, 60_000, 80_000, 100_000, 150_000, 200_000, 250_000, 300_000),
    "news_commentary_v14_en_nl": (*_TO_40000, 50_000, 60_000, 70_000, 80_000, 90_000, 100_000, 130_000),
    "news_commentary_v14_en_pt": (*_TO_40000, 50_000, 60_000, 70_000, 80_000, 90_000),
    "news_commentary_v14_it_pt": (*_TO_40000, 50_000, 52_000),
}


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config, those of a data set together.

    Raises:
        ValueError: data are missing, or a checkpoint lies beyond a training; one line says what to give.
    """
    for dataset in config.datasets:
        pairs = pairs_job(dataset, config.data_dir, languages=config.languages, options=config)
        yield pair_report_job(pairs)
        yield from _plan_dataset(config, pairs, pair_sizes(pairs, config.data_dir))


def _plan_dataset(config: Config, pairs: Job, sizes: dict[str, int]) -> Iterator[Job]:
    name, runs, splits = pairs.params.dataset, config.runs, config.split_order
    steps = grid(config, name, sizes["train"])
    both = {
        **asdict(pairs.params),
        **shared(config, TranslatorParams),
        "epochs": epochs_of(config, name),
        "stacked": config.seeds_together > 1,
    }
    bleu = config.beams if "bleu" in config.performances else 0
    trainings = training_jobs(
        TRAIN_TRANSLATOR,
        config,
        lambda _: {**both, "saves": steps, "beams": bleu, "max_length": config.max_length},
        {PAIRS: pairs},
        3 * config.layers * both["epochs"] * sizes["train"],  # a backward pass costs two
    )

    def translated(run: Run) -> dict[str, Any]:
        judged = run != runs.uniform or config.dump == "everything"
        return {**both, "beams": bleu if judged else 0, "max_length": config.max_length}

    evaluations = evaluation_jobs(
        EVALUATE_TRANSLATOR,
        config,
        translated,
        lambda run: {PAIRS: pairs, TRAINING_JOB: trainings[run]},
        pairs,
        steps,
        len(splits) * config.layers * sizes["val"],
    )
    yield from evaluations.values()
    delta = Job(
        stage=TRANSLATOR_DELTA,
        params=DeltaParams(**both, seed=runs.gold.seed, steps=steps, performances=config.performances, splits=splits),
        needs={PAIRS: pairs, TRAINING_JOB: trainings[runs.gold], **gold_needs(runs.gold, evaluations)},
        fingerprints=pairs.fingerprints,
        passes=config.layers * 20 * sizes["val"],
    )
    proxy = Job(
        stage=TRANSLATION_PROXY,
        params=ProxyParams(
            **asdict(pairs.params),
            **proxy_params(config, epochs=config.proxy_epochs, learning_rate=config.proxy_learning_rate),
            legacy_proxy_loss=config.legacy_proxy_loss,
            splits=splits,
        ),
        needs={PAIRS: pairs},
        fingerprints=pairs.fingerprints,
        passes=config.proxy_epochs * sizes["train"],
    )
    yield statistics_job(
        config,
        dataset=name,
        evaluations=evaluations,
        delta=delta,
        proxies={"px": proxy},
        performances=config.performances,
    )


def epochs_of(config: Config, dataset: str) -> int:
    """Passes over the training pairs of a data set."""
    return config.epochs or PUBLISHED_EPOCHS.get(dataset, EPOCHS)


def grid(config: Config, dataset: str, n_train: int) -> tuple[int, ...]:
    """The checkpoints of a data set's trainings, rising.

    Raises:
        ValueError: one lies beyond the training.
    """
    epochs = epochs_of(config, dataset)
    total = epochs * -(-n_train // config.batch_size)
    changed = (config.save_every, config.custom_saves, config.epochs, config.train_limit)
    given = config.iterations
    if given is None and all(option is None for option in changed) and config.batch_size == PUBLISHED_BATCH:
        given = PUBLISHED_ITERATIONS.get(dataset)
    if given is None:
        custom = config.custom_saves
        if custom is None:
            custom = tuple(step for step in CUSTOM_SAVES if step <= total)
        return checkpoint_steps(total, config.save_every or SAVE_EVERY, custom)
    if max(given) > total:
        raise ValueError(
            f"{dataset}: a checkpoint at step {max(given)}, but {epochs} epochs of {n_train} pairs in batches of "
            f"{config.batch_size} are {total} steps; give other --iterations or more --epochs"
        )
    return tuple(sorted(given))


def planned_grids(config: Config) -> dict[str, tuple[int, ...]]:
    """The checkpoints of each data set, by its name.

    Raises:
        ValueError: as `plan`.
    """
    found = {}
    for dataset in config.datasets:
        pairs = pairs_job(dataset, config.data_dir, languages=config.languages, options=config)
        name = pairs.params.dataset
        found[name] = grid(config, name, pair_sizes(pairs, config.data_dir)["train"])
    return found
