"""The jobs of `representation_similarity`: one a pair of encoders, protein task and seeds; pairs of levels are rows."""

from collections.abc import Iterator

from orchestrator.experiment import Job
from tasks.transfer.comparison.plan import pair_jobs
from tasks.transfer.representation_similarity.config import Config
from tasks.transfer.representation_similarity.stages import SIMILARITY


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config.

    Raises:
        ValueError: proteins, tokenizer, model or the PLUS checkpoint are missing; one line that says what to give.
    """
    levels = tuple(sorted(config.levels))
    return pair_jobs(config, SIMILARITY, lambda task: {"levels": levels, "ridge": config.ridge_of(task)})
