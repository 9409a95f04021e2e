"""The jobs of `attention_matching`: one a pair of encoders, protein task and seeds; all layers are rows of one pass."""

from collections.abc import Iterator

from orchestrator.experiment import Job
from tasks.transfer.attention_matching.config import Config
from tasks.transfer.attention_matching.stages import MATCHING
from tasks.transfer.comparison.plan import pair_jobs


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config.

    Raises:
        ValueError: proteins, tokenizer, model or the PLUS checkpoint are missing; one line that says what to give.
    """
    return pair_jobs(config, MATCHING)
