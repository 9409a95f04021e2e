"""What the plans of the four diagnostics share: a job a model, encoder, task, shift and seed."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.experiment import Job
from tasks.data.plan import planned_sizes, tokens_job
from tasks.data.sources import locate
from tasks.encoders.plan import PlannedEncoder
from tasks.encoders.transformer_plan import encoder_of, layers_of, width_of
from tasks.transfer.diagnostics.options import DiagnosticOptions


@dataclass(frozen=True, kw_only=True)
class PlannedDiagnostic:
    """One network on the sentences of one task, ready to become a job."""

    fields: dict[str, Any]
    """The fields of `DiagnosticParams`."""
    encoder: PlannedEncoder
    tokens: Job
    layers: int
    """Of the network, for the cost of a plan."""
    width: int
    """Hidden size of the network, for the same."""
    sentences: int
    """Of the task's train split, after the limit."""

    def job(self, stage: Any, params: Any, passes: float) -> Job:
        """The job of a stage with these parameters; `passes` are layer applications to one sentence."""
        return Job(
            stage=stage,
            params=params,
            needs={**self.encoder.needs, "tokens": self.tokens},
            fingerprints=self.tokens.fingerprints,
            paths=self.encoder.paths,
            passes=passes,
        )


def planned(options: DiagnosticOptions) -> Iterator[PlannedDiagnostic]:
    """All networks and tasks, those of a model together.

    Raises:
        ValueError: data, tokenizer or model are missing; one line that says what to give.
    """
    for model in options.models:
        # Once each: a checkpoint is read for its hash.
        network_here = functools.cache(functools.partial(encoder_of, options, model))
        for task in options.tasks:
            tokens = tokens_job(
                task,
                options.data_dir,
                options.tokenizer or model,
                options.max_length,
                options.train_limit,
                None,
            )
            sizes = planned_sizes(locate(task, options.data_dir), options.train_limit, None)
            for encoder in options.encoders:
                for seed in options.seeds:
                    network = network_here(encoder, seed if encoder == "random" else 0)
                    for shift in options.shifts:
                        fields = {
                            **network.params,
                            "tokenizer": tokens.params.tokenizer,
                            "dtype": options.dtype,
                            "task": task,
                            "shift": shift,
                            "seed": seed,
                            "max_length": options.max_length,
                            "train_limit": options.train_limit,
                            "legacy_dropout": options.legacy_dropout,
                        }
                        yield PlannedDiagnostic(
                            fields=fields,
                            encoder=network,
                            tokens=tokens,
                            layers=layers_of(options, model),
                            width=width_of(options, model),
                            sentences=sizes["train"],
                        )
