"""The jobs of `sequence_copying`: one a setting, attention and block of seeds."""

from collections.abc import Iterator
from itertools import groupby

from orchestrator.experiment import Job
from orchestrator.limits import shared
from tasks.attention.sequence_copying.config import Config
from tasks.attention.sequence_copying.stages import TRAIN_COPIES, TrainCopiesParams


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config. A block holds the seeds with the same seed // seeds-together, so that more seeds asked for
    later leave the blocks that are full as they are.

    Raises:
        ValueError: a setting that has no sequences of this length.
    """
    options = shared(config, TrainCopiesParams)
    for setting in config.parsed:
        for attention in config.attentions:
            for _, block in groupby(sorted(config.seeds), key=lambda seed: seed // config.seeds_together):
                params = TrainCopiesParams(
                    **options, **shared(setting, TrainCopiesParams), attention=attention, seeds=tuple(block)
                )
                passes = params.passes(params.last_step + 1, len(params.seeds))
                yield Job(stage=TRAIN_COPIES, params=params, passes=passes)
