"""What the four diagnostics on sentences share of options, parameters and jobs.

Networks, sentences, seeds and token shifts are options; a job is one model, encoder, task, shift and seed.
"""

import functools
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge

from orchestrator.experiment import Job, Resources, Stage
from orchestrator.limits import Limited, NotNegative, Positive, Several, require, shared
from tasks.data.examples import TaskName
from tasks.data.plan import planned_sizes, tokens_job
from tasks.data.sources import locate
from tasks.encoders.options import QUICK_SMALL, SeveralInts
from tasks.encoders.params import SCRATCH, SMALL, Encoder, Precision
from tasks.encoders.transformer import TransformerOrSmallOptions, TransformerParams
from tasks.encoders.transformer_plan import encoder_of, layers_of, small_reports, width_of

ENCODER = Resources(num_cpus=1, num_gpus=1)


@dataclass(frozen=True, kw_only=True)
class Reading(Limited):
    """How sentences are read."""

    max_length: Positive = 128
    """Maximum length of a sentence or pair in tokens; of a pair the longer text is cut first."""
    train_limit: Positive | None = None
    """Maximum number of training examples that sentences are taken from, a fixed random part; None: all."""
    legacy_dropout: bool = False
    """Leave dropout on where the published code had it on by mistake, which drowns what is measured."""


@dataclass(frozen=True, kw_only=True)
class DiagnosticOptions(Reading, Precision, TransformerOrSmallOptions):
    """Which networks are looked at, and on which sentences."""

    models: Several[str] = ("google-bert/bert-base-uncased", "albert/albert-base-v1")
    """Encoders that AutoModel loads: hub names or directories; scratch: random weights of the sizes given; small: an
    ALBERT of that --width which the project pretrains itself, a job of the sweep."""
    encoders: Several[Encoder] = ("pretrained", "random")
    """Where the encoders' weights come from."""
    tasks: Several[TaskName] = ("MNLI", "SST-2", "STS-B")
    """GLUE tasks, or the builtin acceptability, same_topic, similarity; their train split is read."""
    seeds: SeveralInts = (100, 101, 102)
    """Random seeds for the order of the sentences and all else that is drawn; also for the weights of random
    encoders."""
    shifts: Annotated[SeveralInts, Ge(0)] = (0, 1000)
    """Token shifts: added to every token id, special ones too, modulo the vocabulary size. 0 is ordinary text, any
    other shift destroys the meaning of the tokens."""
    data_dir: str | None = None
    """Directory with the GLUE tasks in the official TSV layout; None: the hub's nyu-mll/glue."""

    def __post_init__(self):
        super().__post_init__()
        self.check_models()
        remedy = "random alone: the model scratch has random weights only (small is one that the project pretrains)"
        require(SCRATCH not in self.models or "pretrained" not in self.encoders, "encoders", self.encoders, remedy)
        self.check_length("max_length", self.models)


@dataclass(frozen=True, kw_only=True)
class _Network(TransformerParams):
    task: str
    """GLUE task, or a builtin one; its train split is read."""
    shift: NotNegative = 0
    """Added to every token id, special ones and padding too, modulo the vocabulary size."""
    seed: int
    """Random seed for the order of the sentences, positions, noise and heads; also for random weights."""


@dataclass(frozen=True, kw_only=True)
class DiagnosticParams(Reading, _Network):
    """One encoder and the sentences that it reads. `model` is also any checkpoint that AutoModel loads."""


QUICK_DIAGNOSTIC: Mapping[str, Any] = types.MappingProxyType(
    {
        **{name: value for name, value in QUICK_SMALL.items() if name not in ("model", "init_range")},
        "models": (SMALL,),
        "tasks": ("acceptability", "same_topic", "similarity"),
        "seeds": (0, 1, 2),
        "shifts": (0, 1000),
        "max_length": 32,
        "train_limit": 1200,
    }
)
"""The model and the sentences of the quick presets: with one results directory their sweeps pretrain it once."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """One network on the sentences of one task, for the cost of its job."""

    task: str
    layers: int
    width: int
    """Hidden size."""
    sentences: int
    """Sentences of the task's train split, after the limit."""


def diagnostic_jobs(
    options: DiagnosticOptions, stage: Stage, passes: Callable[[Network], float], **more: Any
) -> Iterator[Job]:
    """All jobs of a diagnostic, those of a model together; first the report on the model small, where it is asked for.

    Args:
        stage: its parameters inherit `DiagnosticParams` and the groups of settings that the options have too.
        passes: layer applications to one sentence that a network's job takes.
        more: parameters that are no options.

    Raises:
        ValueError: data, tokenizer or model are missing; one line that says what to give.
    """
    yield from small_reports(options)
    settings = shared(options, stage.params)
    for model in options.models:
        # Once each: a checkpoint is read for its hash.
        encoder_here = functools.cache(functools.partial(encoder_of, options, model))
        for task in options.tasks:
            tokenizer = options.tokenizer or model
            tokens = tokens_job(task, options.data_dir, tokenizer, options.max_length, options.train_limit, None)
            sizes = planned_sizes(locate(task, options.data_dir), options.train_limit, None)
            network = Network(
                task=task, layers=layers_of(options, model), width=width_of(options, model), sentences=sizes["train"]
            )
            for encoder in options.encoders:
                for seed in options.seeds:
                    weights = encoder_here(encoder, seed if encoder == "random" else 0)
                    named = {"tokenizer": tokens.params.tokenizer, "task": task, "seed": seed, **more}
                    for shift in options.shifts:
                        yield Job(
                            stage=stage,
                            params=stage.params(**{**settings, **weights.params, **named, "shift": shift}),
                            needs={**weights.needs, "tokens": tokens},
                            fingerprints=tokens.fingerprints,
                            paths=weights.paths,
                            passes=passes(network),
                        )
