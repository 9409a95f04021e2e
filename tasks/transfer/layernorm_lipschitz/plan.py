"""The jobs of `layernorm_lipschitz`: one a model, encoder, task, shift and seed; one pass gives all LayerNorms."""

from collections.abc import Iterator

from orchestrator.experiment import Job
from tasks.transfer.diagnostics.options import Network, diagnostic_jobs
from tasks.transfer.layernorm_lipschitz.config import Config
from tasks.transfer.layernorm_lipschitz.stages import LAYERNORM_SPREAD


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config; one pass gives all LayerNorms.

    Raises:
        ValueError: data, tokenizer or model are missing; one line that says what to give.
    """

    def passes(network: Network) -> float:
        """One sentence more, whose pass finds where the LayerNorms are."""
        return network.layers * (min(config.batches * config.batch_size, network.sentences) + 1)

    return diagnostic_jobs(config, LAYERNORM_SPREAD, passes)
