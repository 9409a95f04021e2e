"""The jobs of `perturbation`: one a network, task, shift and seed, with all levels and kinds of noise."""

from collections.abc import Iterator

from orchestrator.experiment import Job
from tasks.encoders.transformer_plan import small_reports
from tasks.transfer.diagnostics.plan import planned
from tasks.transfer.perturbation.config import Config
from tasks.transfer.perturbation.params import PERTURBATION, PerturbationParams


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config.

    Raises:
        ValueError: data, tokenizer or model are missing; one line that says what to give.
    """
    yield from small_reports(config)
    stds = tuple(sorted(config.stds, reverse=True))
    precisions = len({config.dtype == "float64" or std <= config.double_below for std in stds})
    passes = precisions + len(stds) * len(config.noises)
    for one in planned(config):
        params = PerturbationParams(
            **one.fields,
            batches=config.batches,
            batch_size=config.batch_size,
            stds=stds,
            noises=config.noises,
            double_below=config.double_below,
            legacy_padding=config.legacy_padding,
        )
        yield one.job(
            PERTURBATION, params, passes * one.layers * min(one.sentences, config.batches * config.batch_size)
        )
