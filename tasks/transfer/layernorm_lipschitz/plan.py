"""The jobs of `layernorm_lipschitz`: one a model, encoder, task, shift and seed; one pass gives all LayerNorms."""

from collections.abc import Iterator

from orchestrator.experiment import Job
from tasks.encoders.transformer_plan import small_reports
from tasks.transfer.diagnostics.plan import planned
from tasks.transfer.layernorm_lipschitz.config import Config
from tasks.transfer.layernorm_lipschitz.params import LAYERNORM_SPREAD, SpreadParams


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config.

    Raises:
        ValueError: data, tokenizer or model are missing; one line that says what to give.
    """
    yield from small_reports(config)
    for network in planned(config):
        params = SpreadParams(
            **network.fields,
            batches=config.batches,
            batch_size=config.batch_size,
            legacy_padding=config.legacy_padding,
        )
        sentences = min(config.batches * config.batch_size, network.sentences)
        # One sentence more, whose pass finds where the LayerNorms are.
        yield network.job(LAYERNORM_SPREAD, params, network.layers * (sentences + 1))
