"""The jobs of `representation_similarity`: one a pair of encoders, protein task and seeds; pairs of levels are rows."""

from collections.abc import Iterator

from orchestrator.experiment import Job
from tasks.transfer.comparison.plan import planned_pairs, reports
from tasks.transfer.representation_similarity.config import Config
from tasks.transfer.representation_similarity.params import SIMILARITY, SimilarityParams


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config.

    Raises:
        ValueError: proteins, tokenizer, model or the PLUS checkpoint are missing; one line that says what to give.
    """
    yield from reports(config)
    for pair in planned_pairs(config):
        params = SimilarityParams(
            **pair.fields,
            compare=config.compare,
            levels=tuple(sorted(config.levels)),
            rows=config.rows,
            special=config.special,
            ridge=config.ridge_of(pair.fields["protein_task"]),
            null_draws=config.null_draws,
            seed=config.seed,
            legacy_uncentred=config.legacy_uncentred,
        )
        yield pair.job(SIMILARITY, params, pair.layers * pair.proteins)
