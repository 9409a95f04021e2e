"""The jobs of `signal_propagation`: one a network, source and seed with all layers, and the theory's grids."""

from collections.abc import Iterator

from orchestrator.experiment import Job
from tasks.deepscale.pretraining_text.plan import documents_job
from tasks.deepscale.signal_propagation.config import Config
from tasks.deepscale.signal_propagation.params import DEPTH_RULE, SIGNALS, DepthRuleParams, SignalParams

_SHARED = (
    *("width", "heads", "intermediate", "activation", "dropout", "attention_dropout", "branch_k", "branch_alpha"),
    *("correlation", "legacy_logit_scale", "legacy_padding", "length", "batch", "vocab_size"),
)


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
    shared = {name: getattr(config, name) for name in _SHARED}
    for source in config.sources:
        text = documents if source == "text" else None
        names = {"corpus": text.params.corpus, "tokenizer": text.params.tokenizer} if text else {}
        for layers in config.depths:
            for norm in config.norms:
                for scheme in config.schemes:
                    for seed in config.seeds:
                        params = SignalParams(
                            norm=norm, scheme=scheme, layers=layers, source=source, seed=seed, **names, **shared
                        )
                        yield Job(
                            stage=SIGNALS,
                            params=params,
                            needs={"documents": text} if text else {},
                            fingerprints=text.fingerprints if text else {},
                            passes=2 * layers * config.batch,
                        )
