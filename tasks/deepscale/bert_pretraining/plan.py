"""The jobs of `bert_pretraining`: a training for each norm, scheme, depth and seed, and one that reports it."""

from collections.abc import Iterator

from orchestrator.experiment import Job
from tasks.deepscale.bert_pretraining.config import Config
from tasks.deepscale.deep_bert.plan import pretraining_job, report_job


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config.

    Raises:
        ValueError: corpus or tokenizer are missing, or numbers do not go together; one line that says what to give.
    """
    for layers in config.layers:
        for norm in config.norms:
            for scheme in config.schemes:
                for seed in config.seeds:
                    yield report_job(pretraining_job(config, norm=norm, scheme=scheme, layers=layers, seed=seed))
