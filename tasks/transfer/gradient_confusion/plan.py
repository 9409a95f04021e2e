"""The jobs of `gradient_confusion`: one a network, task, shift and seed."""

from collections.abc import Iterator

from orchestrator.experiment import Job
from tasks.encoders.transformer_plan import small_reports
from tasks.transfer.diagnostics.plan import planned
from tasks.transfer.gradient_confusion.config import Config
from tasks.transfer.gradient_confusion.params import CONFUSION, ConfusionParams

FORWARD_AND_BACKWARD = 3  # a backward pass costs two forward ones


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config.

    Raises:
        ValueError: data, tokenizer or model are missing, or a task has not even two batches of sentences.
    """
    yield from small_reports(config)
    for one in planned(config):
        batches = min(config.batches, one.sentences // config.batch_size)
        if batches < 2:
            raise ValueError(
                f"{one.fields['task']} has {one.sentences} sentences to train on, two batches of {config.batch_size} "
                "are the least: give a smaller --batch-size, or a larger --train-limit"
            )
        params = ConfusionParams(
            **one.fields,
            batches=config.batches,
            batch_size=config.batch_size,
            accumulation=config.accumulation,
            legacy_padding=config.legacy_padding,
        )
        yield one.job(CONFUSION, params, FORWARD_AND_BACKWARD * one.layers * batches * config.batch_size)
