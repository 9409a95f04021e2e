"""The jobs of `gradient_confusion`: one a model, encoder, task, shift and seed."""

from collections.abc import Iterator

from orchestrator.experiment import Job
from tasks.transfer.diagnostics.options import Network, diagnostic_jobs
from tasks.transfer.gradient_confusion.config import Config
from tasks.transfer.gradient_confusion.stages import CONFUSION, FORWARD_AND_BACKWARD


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config.

    Raises:
        ValueError: data, tokenizer or model are missing, or a task has fewer than two batches of sentences.
    """

    def passes(network: Network) -> float:
        batches = min(config.batches, network.sentences // config.batch_size)
        if batches < 2:
            raise ValueError(
                f"{network.task} has {network.sentences} sentences to train on, two batches of {config.batch_size} "
                "are the least: give a smaller --batch-size, or a larger --train-limit"
            )
        return FORWARD_AND_BACKWARD * network.layers * batches * config.batch_size

    return diagnostic_jobs(config, CONFUSION, passes)
