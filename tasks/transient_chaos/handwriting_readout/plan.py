"""The jobs of `handwriting_readout`: one a task and encoder, whatever the number of windows."""

from collections.abc import Iterator

from orchestrator.experiment import Job
from orchestrator.limits import shared
from tasks.data.plan import planned_sizes, tokens_job
from tasks.data.sources import locate
from tasks.encoders.plan import planned_encoders, report_jobs
from tasks.transient_chaos.handwriting_readout.config import Config
from tasks.transient_chaos.handwriting_readout.stages import HANDWRITING, HandwritingParams


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config, those of a task together.

    Raises:
        ValueError: data, tokenizer or model are missing; one line that says what to give.
    """
    encoders = planned_encoders(config)
    yield from report_jobs(encoders)
    limits = config.train_limit, config.dev_limit
    for task in config.tasks:
        tokens = tokens_job(task, config.data_dir, config.tokenizer or config.model, config.max_length, *limits)
        examples = sum(planned_sizes(locate(task, config.data_dir), *limits).values())
        for encoder in encoders:
            own = {**encoder.params, "tokenizer": tokens.params.tokenizer, "task": task}
            yield Job(
                stage=HANDWRITING,
                params=HandwritingParams(**(shared(config, HandwritingParams) | own)),
                needs={**encoder.needs, "tokens": tokens},
                fingerprints=tokens.fingerprints,
                paths=encoder.paths,
                passes=config.last_layer * examples,
            )
