"""The jobs of `bert_pretraining`: a training for each norm, scheme, depth and seed, and one that reports it."""

from collections.abc import Iterator

from orchestrator.experiment import Job
from tasks.deepscale.bert_pretraining.config import Config
from tasks.deepscale.deep_bert.stages import pretraining_jobs, report_job


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config.

    Raises:
        ValueError: corpus or tokenizer are missing, or numbers do not go together; one line that says what to give.
    """
    return map(report_job, pretraining_jobs(config, config.seeds))
