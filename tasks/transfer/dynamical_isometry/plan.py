"""The jobs of `dynamical_isometry`: one a model, encoder, task, shift and seed; all levels share its passes."""

from collections.abc import Iterator

from orchestrator.experiment import Job
from tasks.transfer.diagnostics.options import Network, diagnostic_jobs
from tasks.transfer.dynamical_isometry.config import Config
from tasks.transfer.dynamical_isometry.stages import JACOBIAN_SPECTRA


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config; all levels share the passes of a job.

    A vector-Jacobian product counts as one pass of the layers that it goes through.

    Raises:
        ValueError: data, tokenizer or model are missing; one line that says what to give.
    """
    positions = config.positions
    if config.position_share is not None:
        positions = max(1, round(config.position_share * config.max_length / 2))  # sentences are about half as long
    if config.whole:
        positions += 1

    def passes(network: Network) -> float:
        """A forward pass a sentence, and H products back through the layers below each output level."""
        back = network.width * positions * sum(config.output_levels or (network.layers,))
        return min(config.sentences, network.sentences) * (network.layers + back)

    return diagnostic_jobs(config, JACOBIAN_SPECTRA, passes)
