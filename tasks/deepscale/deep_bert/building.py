"""The network of a job: its residual factors and standard deviations worked out, its weights drawn from the seed."""

import numpy as np

from metrics.dslm import depth_scaling, embedding_correlation, mlp_spread, value_spreads
from models.deep_bert import DeepBert, DeepBertConfig
from models.deep_bert_files import unset_deep_bert
from models.deep_bert_init import Spreads, draw, vanilla_spreads, xavier_spreads
from tasks.deepscale.deep_bert.params import DeepBertParams
from tasks.training.seeds import stream_seed

TABLES = 3  # words, positions, types


def build(
    params: DeepBertParams, vocab_size: int, max_length: int, seed: int, same_token: float | None = None
) -> DeepBert:
    """The network before its first step, float32 on the CPU, in training mode.

    Args:
        params: which network.
        vocab_size: V of the tokenizer, or more.
        max_length: rows of the position table.
        seed: of the weights.
        same_token: the probability that two tokens of the data are equal; needed for `dslm` without a correlation.

    Raises:
        ValueError: as `correlation_of`.
    """
    config = config_of(params, vocab_size, max_length)
    model = unset_deep_bert(config)
    draw(model, spreads_of(params, config, same_token), stream_seed(seed, "weights"))
    return model.train()


def config_of(params: DeepBertParams, vocab_size: int, max_length: int) -> DeepBertConfig:
    """The configuration, with lambda, beta and the head's factor of the scheme (README 3)."""
    skip = branch = scale = 1.0
    if params.scheme == "dslm":
        skip_sq, branch_sq = depth_scaling(params.layers, params.branch_k, params.branch_alpha)
        skip, branch = skip_sq**0.5, branch_sq**0.5
        # Logits are a LayerNorm's output times words of variance (1 - p)/3: this gives them variance 1.
        per_word = 0.3 if params.legacy_logit_scale else (1 - params.dropout) / TABLES
        scale = (per_word * params.width) ** -0.5
    named = ("layers", "width", "heads", "norm", "activation", "dropout", "attention_dropout", "norm_eps")
    return DeepBertConfig(
        **{name: getattr(params, name) for name in named},
        intermediate=params.mlp_width,
        vocab_size=vocab_size,
        max_length=max_length,
        skip=skip,
        branch=branch,
        logit_scale=scale,
    )


def spreads_of(params: DeepBertParams, config: DeepBertConfig, same_token: float | None = None) -> Spreads:
    """The standard deviation of every tensor (README 3)."""
    if params.scheme == "vanilla":
        return vanilla_spreads(config)
    if params.scheme == "xavier":
        return xavier_spreads(config)
    mlp = mlp_spread(params.width, params.mlp_width, params.dropout, params.activation)
    values = value_spreads(
        params.layers,
        params.width,
        params.dropout,
        config.skip**2,
        config.branch**2,
        correlation_of(params, same_token),
        params.norm,
        params.activation,
        params.width * mlp**2,
    )
    L, per_width = params.layers, params.width**-0.5
    value = tuple(float(s) for s in np.asarray(values.spreads))
    return Spreads(
        embeddings=((1 - params.dropout) / TABLES) ** 0.5,
        query_key=(per_width,) * L,
        value=value,
        out=value,
        mlp=(mlp,) * L,
        dense=per_width,
        order=per_width,
    )


def correlation_of(params: DeepBertParams, same_token: float | None = None) -> float:
    """Correlation of two tokens' embeddings before dropout: as given, else from the data's statistics.

    Raises:
        ValueError: neither is known.
    """
    if params.correlation is not None:
        return params.correlation
    if same_token is None:
        raise ValueError("dslm needs P(same token) of the data, or a correlation: give one (published: 0.221)")
    return embedding_correlation(same_token, tables=TABLES)
