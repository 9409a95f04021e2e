"""The jobs of the four diagnostics: one a model, encoder, task, shift and seed."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.experiment import Job, Stage
from orchestrator.limits import shared
from tasks.data.plan import planned_sizes, tokens_job
from tasks.data.sources import locate
from tasks.encoders.transformer_plan import encoder_of, layers_of, small_reports, width_of
from tasks.transfer.diagnostics.options import DiagnosticOptions


@dataclass(frozen=True, kw_only=True)
class Network:
    """One network on the sentences of one task, for the cost of its job."""

    task: str
    layers: int
    width: int
    """Hidden size."""
    sentences: int
    """Of the task's train split, after the limit."""


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
