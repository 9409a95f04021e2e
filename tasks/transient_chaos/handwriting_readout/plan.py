"""The jobs of `handwriting_readout`: one a task and encoder, whatever the number of windows."""

from collections.abc import Iterator

from orchestrator.experiment import Job
from tasks.data.plan import planned_sizes, tokens_job
from tasks.data.sources import locate
from tasks.encoders.plan import planned_encoders, report_jobs
from tasks.transient_chaos.handwriting_readout.config import Config
from tasks.transient_chaos.handwriting_readout.params import HANDWRITING, HandwritingParams


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config, those of a task together.

    Raises:
        ValueError: data, tokenizer or model are missing; one line that says what to give.
    """
    encoders = planned_encoders(config)
    yield from report_jobs(encoders)
    for task in config.tasks:
        tokens = tokens_job(
            task,
            config.data_dir,
            config.tokenizer or config.model,
            config.max_length,
            config.train_limit,
            config.dev_limit,
        )
        examples = sum(planned_sizes(locate(task, config.data_dir), config.train_limit, config.dev_limit).values())
        for encoder in encoders:
            params = HandwritingParams(
                **encoder.params,
                tokenizer=tokens.params.tokenizer,
                task=task,
                mask_mode=config.mask_mode,
                max_length=config.max_length,
                write_mode=config.write_mode,
                steps=config.steps,
                starts=tuple(sorted(config.starts)),
                lengths=tuple(sorted(config.lengths)),
                threshold_low=config.threshold_low,
                threshold_high=config.threshold_high,
                legacy_labels=config.legacy_labels,
                best_from=config.best_from,
                drawn_starts=tuple(sorted(config.drawn_starts)),
                drawn_lengths=tuple(sorted(config.drawn_lengths)),
                train_limit=config.train_limit,
                dev_limit=config.dev_limit,
            )
            yield Job(
                stage=HANDWRITING,
                params=params,
                needs={**encoder.needs, "tokens": tokens},
                fingerprints=tokens.fingerprints,
                paths=encoder.paths,
                passes=params.last_layer * examples,
            )
