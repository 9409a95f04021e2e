"""The jobs of `perturbation`: one a model, encoder, task, shift and seed, with all levels and kinds of noise."""

from collections.abc import Iterator

from orchestrator.experiment import Job
from tasks.transfer.diagnostics.options import Network, diagnostic_jobs
from tasks.transfer.perturbation.config import Config
from tasks.transfer.perturbation.stages import PERTURBATION


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config, each with all levels and kinds of noise.

    Raises:
        ValueError: data, tokenizer or model are missing; one line that says what to give.
    """
    stds = tuple(sorted(config.stds, reverse=True))  # in one order, however they are given
    precisions = len({config.dtype == "float64" or std <= config.double_below for std in stds})

    def passes(network: Network) -> float:
        """A pass without noise in each precision, and one with each level and kind."""
        sentences = min(network.sentences, config.batches * config.batch_size)
        return (precisions + len(stds) * len(config.noises)) * network.layers * sentences

    return diagnostic_jobs(config, PERTURBATION, passes, stds=stds)
