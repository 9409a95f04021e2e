"""The jobs of `dynamical_isometry`: one a model, encoder, task, shift and seed; all levels share its passes."""

from collections.abc import Iterator

from orchestrator.experiment import Job
from tasks.encoders.transformer_plan import small_reports
from tasks.transfer.diagnostics.plan import PlannedDiagnostic, planned
from tasks.transfer.dynamical_isometry.config import Config
from tasks.transfer.dynamical_isometry.params import JACOBIAN_SPECTRA, SpectraParams


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config. A product for one row of a Jacobian counts as one pass of the layers that it goes through.

    Raises:
        ValueError: data, tokenizer or model are missing; one line that says what to give.
    """
    yield from small_reports(config)
    for network in planned(config):
        params = SpectraParams(
            **network.fields,
            sentences=config.sentences,
            positions=config.positions,
            position_share=config.position_share,
            input_levels=config.input_levels,
            output_levels=config.output_levels,
            whole=config.whole,
        )
        yield network.job(JACOBIAN_SPECTRA, params, _passes(config, network))


def _passes(config: Config, network: PlannedDiagnostic) -> float:
    """Layer applications: a forward pass a sentence, and H products back through the layers below each output level."""
    positions = config.positions
    if config.position_share is not None:
        positions = max(1, round(config.position_share * config.max_length / 2))  # sentences are about half as long
    if config.whole:
        positions += 1
    back = network.width * positions * sum(config.output_levels or (network.layers,))
    return min(config.sentences, network.sentences) * (network.layers + back)
