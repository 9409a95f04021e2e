"""The jobs of `dynamical_isometry`: one a model, encoder, task, shift and seed; all levels share its passes."""

from collections.abc import Iterator

from orchestrator.experiment import Job
from tasks.diagnostics.plan import planned, reports
from tasks.dynamical_isometry.config import Config
from tasks.dynamical_isometry.params import JACOBIAN_SPECTRA, SpectraParams


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config. The passes of a job are its forward ones.

    Raises:
        ValueError: data, tokenizer or model are missing; one line that says what to give.
    """
    yield from reports(config)
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
        passes = network.layers * min(config.sentences, network.sentences) * (2 if config.whole else 1)
        yield network.job(JACOBIAN_SPECTRA, params, passes)
