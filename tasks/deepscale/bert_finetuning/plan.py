"""The jobs of `bert_finetuning`: tokens once a task and tokenizer, a pretraining a network, a run for all else."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.checkpoints import resolve_model
from orchestrator.experiment import Job
from orchestrator.limits import shared
from tasks.data.plan import ExampleLimits, planned_sizes, tokens_job
from tasks.data.sources import locate
from tasks.deepscale.bert_finetuning.config import PRETRAINED, Config
from tasks.deepscale.bert_finetuning.stages import DATA_REPORT, FINETUNE, DataParams, FinetuneParams, is_own
from tasks.deepscale.deep_bert.stages import pretraining_jobs, report_job
from tasks.deepscale.race.plan import choice_tokens_job
from tasks.deepscale.race.questions import CHOICE_TASKS, OPTIONS
from tasks.deepscale.race.sources import locate as locate_choices
from tasks.encoders.params import JOB
from tasks.encoders.plan import model_paths

PUBLISHED: Mapping[str, Mapping[str, Any]] = {
    "QQP": {"epochs": 5},
    "RACE": {"epochs": 5, "batch_size": 8, "warmup": 0.06},
    "continuation": {"epochs": 5, "batch_size": 8, "warmup": 0.06},
}
"""The published settings of tasks (README 5) where they are not those of MNLI, the defaults of `FinetuneParams`."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """A checkpoint that runs start from."""

    fields: Mapping[str, Any]
    """Those of `FinetuneParams` that name it."""
    tokenizer: str
    needs: Mapping[str, Job] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config, those of a task together.

    Raises:
        ValueError: data, tokenizer or a model are missing, or two models have one name; one line says what to give.
    """
    found = starts(config)
    for start in found:
        if "model" in start.needs:
            yield report_job(start.needs["model"])
    for task in config.tasks:
        source = (locate_choices if task in CHOICE_TASKS else locate)(task, config.data_dir)
        sizes = planned_sizes(source, config.train_limit, config.dev_limit)
        for tokenizer in dict.fromkeys(start.tokenizer for start in found):
            yield _report(config, _tokens(config, task, tokenizer))
        for start in found:
            tokens = _tokens(config, task, start.tokenizer)
            for rate in config.finetune_learning_rates:
                for seed in config.finetune_seeds:
                    yield _run(config, task, start, tokens, rate, seed, sizes)


def starts(config: Config) -> list[Start]:
    """The checkpoints of a config, those that the sweep pretrains first by depth, then norm, scheme and seed.

    Raises:
        ValueError: one is missing, or two have one name.
    """
    found: list[Start] = []
    for model in config.models:
        found += _pretrained(config) if model == PRETRAINED else [_given(config, model)]
    seen: set[str] = set()
    for start in found:
        name = f"{start.fields['model']} {start.fields.get('pretrain_seed')}"
        if name in seen:
            raise ValueError(f"two models are both called {start.fields['model']}: rename one of them")
        seen.add(name)
    return found


def _pretrained(config: Config) -> Iterator[Start]:
    for job in pretraining_jobs(config, config.pretrain_seeds):
        network = job.params
        named = {"model": f"{network.variant}, {network.layers} layers", "revision": JOB + job.id}
        variant = {name: getattr(network, name) for name in ("norm", "scheme", "layers")}
        fields = named | variant | {"pretrain_seed": network.seed}
        yield Start(fields=fields, tokenizer=config.tokenizer, needs={"model": job})


def _given(config: Config, model: str) -> Start:
    ref = resolve_model(model, config.pickled_weights)
    own = ref.path is not None and is_own(Path(ref.path))
    return Start(
        fields={"model": ref.name, "revision": ref.revision},
        tokenizer=config.finetune_tokenizer or (config.tokenizer if own else model),
        paths=model_paths(ref),
    )


def _tokens(config: Config, task: str, tokenizer: str) -> Job:
    limits = (config.train_limit, config.dev_limit)
    if task in CHOICE_TASKS:
        length = config.finetune_length
        return choice_tokens_job(task, config.data_dir, tokenizer, length, config.question_length, *limits)
    return tokens_job(task, config.data_dir, tokenizer, config.finetune_length, *limits)


def _report(config: Config, tokens: Job) -> Job:
    named = {name: getattr(tokens.params, name) for name in ("task", "tokenizer", "max_length")}
    params = DataParams(**named, **shared(config, DataParams))
    return Job(stage=DATA_REPORT, params=params, needs={"tokens": tokens}, fingerprints=tokens.fingerprints)


def _run(config: Config, task: str, start: Start, tokens: Job, rate: float, seed: int, sizes: Mapping[str, int]) -> Job:
    asked = {"epochs": config.finetune_epochs, "batch_size": config.finetune_batch, "warmup": config.finetune_warmup}
    settings = {**PUBLISHED.get(task, {}), **{name: value for name, value in asked.items() if value is not None}}
    micro = config.finetune_micro_batch
    if micro is not None and micro < settings.get("batch_size", FinetuneParams.batch_size):
        settings["micro_batch"] = micro
    params = FinetuneParams(
        task=task,
        **start.fields,
        tokenizer=tokens.params.tokenizer,
        max_length=config.finetune_length,
        **settings,
        learning_rate=rate,
        weight_decay=config.finetune_weight_decay,
        clip=config.finetune_clip,
        dropout=config.finetune_dropout,
        attention_dropout=config.finetune_attention_dropout,
        seed=seed,
        precision=config.finetune_precision,
        legacy_first_step=config.legacy_first_step,
        **shared(config, ExampleLimits),
    )
    n_train, n_dev = sizes["train"], sum(sizes.values()) - sizes["train"]
    rows = OPTIONS if task in CHOICE_TASKS else 1
    layers = start.fields.get("layers", 12)  # of a given checkpoint, those of BERT-base
    return Job(
        stage=FINETUNE,
        params=params,
        needs={"tokens": tokens, **start.needs},
        fingerprints=tokens.fingerprints,
        paths=start.paths,
        passes=layers * rows * params.epochs * (3 * n_train + n_dev),  # a backward pass costs two forward ones
    )
