"""The jobs of `attention_matching`: one a pair of encoders, protein task and seeds; all layers are rows of one pass."""

from collections.abc import Iterator

from orchestrator.experiment import Job
from tasks.transfer.attention_matching.config import Config
from tasks.transfer.attention_matching.params import MATCHING, MatchingParams
from tasks.transfer.comparison.plan import planned_pairs, reports


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config.

    Raises:
        ValueError: proteins, tokenizer, model or the PLUS checkpoint are missing; one line that says what to give.
    """
    yield from reports(config)
    for pair in planned_pairs(config):
        params = MatchingParams(
            **pair.fields,
            fold_seed=config.fold_seed,
            legacy_padding=config.legacy_padding,
            legacy_totals=config.legacy_totals,
        )
        yield pair.job(MATCHING, params, pair.layers * pair.proteins)
