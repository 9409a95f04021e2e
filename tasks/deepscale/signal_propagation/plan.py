"""The jobs of `signal_propagation`: one a network, source and seed with all layers, and the theory's grids."""

from collections.abc import Iterator
from itertools import product

from orchestrator.experiment import Job
from orchestrator.limits import shared
from tasks.deepscale.pretraining_text.plan import documents_job
from tasks.deepscale.signal_propagation.config import Config
from tasks.deepscale.signal_propagation.stages import DEPTH_RULE, SIGNALS, DepthRuleParams, SignalParams


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config.

    Raises:
        ValueError: options that do not go together.
        DataError: corpus or tokenizer are missing; one line that says what to give.
    """
    for layers in config.rule_depths:
        params = DepthRuleParams(
            layers=layers,
            width=config.width,
            heads=config.heads,
            tokens=config.length,
            activation=config.activation,
            ks=config.rule_ks,
            alphas=config.rule_alphas,
            dropouts=config.rule_dropouts,
            correlations=config.rule_correlations,
            top_correlations=config.rule_top_correlations,
        )
        yield Job(stage=DEPTH_RULE, params=params)
    documents = None
    if "text" in config.sources:
        documents = documents_job(config.corpus, config.tokenizer, document_limit=config.document_limit)
    for source in config.sources:
        text = documents if source == "text" else None
        names = {"corpus": text.params.corpus, "tokenizer": text.params.tokenizer} if text else {}
        given = names | shared(config, SignalParams)
        for layers, norm, scheme, seed in product(config.depths, config.norms, config.schemes, config.seeds):
            yield Job(
                stage=SIGNALS,
                params=SignalParams(norm=norm, scheme=scheme, layers=layers, source=source, seed=seed, **given),
                needs={"documents": text} if text else {},
                fingerprints=text.fingerprints if text else {},
                passes=2 * layers * config.batch,
            )
