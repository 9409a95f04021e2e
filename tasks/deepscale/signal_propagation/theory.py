"""Theory of all that lies between the ends of a network (README 2), and the stage `depth_rule` over a grid of them.

Letters: N layers, H width, I feed-forward width.
"""

from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.dslm import Norm, branch_share, embedding_correlation
from metrics.propagation import Gains, Setting, propagate
from metrics.propagation_weights import matrix_norms
from models.deep_bert import DeepBertConfig
from models.deep_bert_init import Spreads
from orchestrator.experiment import Context
from tasks.deepscale.deep_bert.building import TABLES, config_of, spreads_of
from tasks.deepscale.deep_bert.params import DeepBertParams
from tasks.deepscale.signal_propagation.stages import DepthRuleParams

Array = NDArray[np.float64]
Rows = list[dict[str, Any]]
NORMS: tuple[Norm, ...] = ("pre", "post")


def gains_of(config: DeepBertConfig, spreads: Spreads) -> Gains:
    """The factors by which the weights change variances."""
    H, I = config.width, config.intermediate  # noqa: E741
    squares = {name: np.square(getattr(spreads, name)) for name in ("query_key", "value", "out", "mlp")}
    return Gains(
        values=H * squares["value"],
        out=H * squares["out"],
        scores=(H * squares["query_key"]) ** 2,
        up=H * squares["mlp"],
        down=I * squares["mlp"],
    )


def setting_of(config: DeepBertConfig, tokens: float) -> Setting:
    """All but the weights; `tokens` is the mean over tokens of how many tokens their sequence has."""
    return Setting(
        norm=config.norm,
        tokens=tokens,
        width=config.width,
        dropout=config.dropout,
        attention_dropout=config.attention_dropout,
        skip_sq=config.skip**2,
        branch_sq=config.branch**2,
        activation=config.activation,
    )


@dataclass(frozen=True, kw_only=True)
class Ends:
    """The moments that the recursion starts from."""

    var: float
    """V_0."""
    r: float
    """r_0."""
    top_g: float
    """The gradient's variance behind the last layer."""
    top_rg: float
    """r_g, the gradient's correlation there."""

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(astuple(self)).all()) and self.var > 0


def free_ends(config: DeepBertConfig, spreads: Spreads, same_token: float, same_segment: float, top_g: float) -> Ends:
    """The ends without a measurement of the network: V_0 = 3 s^2 / (1 - p), r_0 from the batch's tokens, r_g = 0.

    The gradients of a masked token's loss are of its own: independent, but for the token that the order's head reads.
    """
    keep = 1 - config.dropout
    return Ends(
        var=TABLES * spreads.embeddings**2 / keep,
        r=keep * embedding_correlation(same_token, same_segment, TABLES),
        top_g=top_g,
        top_rg=0.0,
    )


def theory_rows(
    config: DeepBertConfig, spreads: Spreads, ends: Ends, tokens: float, n_tokens: int, published: bool = False
) -> dict[str, Array]:
    """Curves by the name of their quantity: of the stream [N + 1], of weights [N]; none where an end is not finite.

    Args:
        config: the network's.
        spreads: standard deviations of its weights.
        ends: where the recursion starts.
        tokens: mean over tokens of how many tokens their sequence has.
        n_tokens: tokens of the batch.
        published: with the published gradient of attention, and without what it does not lead to.
    """
    if not ends.finite:
        return {}
    gains, setting = gains_of(config, spreads), setting_of(config, tokens)
    found = propagate(gains, setting, **asdict(ends), published=published)
    curves = {
        "variance": found.var,
        "correlation": found.r,
        "gradient_variance": found.g,
        "gradient_correlation": found.rg,
        "weight_profile": found.weight_profile,
    }
    if published:
        return curves
    norms = matrix_norms(gains, setting, found, config.intermediate)
    return curves | {f"weight_norm_{name}": norm * n_tokens**0.5 for name, norm in norms.items()}


def depth_rule(params: DepthRuleParams, context: Context) -> dict[str, Rows]:
    """Rows of the table; a point whose beta^2 is not below 1 has none."""
    grid = product(NORMS, params.ks, params.alphas, params.dropouts, params.correlations)
    fine = (point for point in grid if point[1] / params.layers ** point[2] < 1)
    return {"depth_rule": [row for point in fine for row in _rule_rows(params, *point)]}


def _rule_rows(
    params: DepthRuleParams, norm: Norm, k: float, alpha: float, dropout: float, correlation: float
) -> Iterator[dict[str, Any]]:
    network = DeepBertParams(
        norm=norm,
        scheme="dslm",
        layers=params.layers,
        width=params.width,
        heads=params.heads,
        activation=params.activation,
        dropout=dropout,
        attention_dropout=dropout,
        branch_k=k,
        branch_alpha=alpha,
        correlation=correlation,
    )
    config = config_of(network, 1, params.tokens)
    gains, setting = gains_of(config, spreads_of(network, config)), setting_of(config, params.tokens)
    tops = np.array(params.top_correlations)
    found = propagate(gains, setting, var=1.0, r=correlation * (1 - dropout), top_rg=tops)
    for g, top in enumerate(tops):
        yield {
            "norm": norm,
            "k": k,
            "alpha": alpha,
            "dropout": dropout,
            "correlation": correlation,
            "top_rg": float(top),
            "branch_sq": config.branch**2,
            "branch_share": branch_share(params.layers, config.branch**2),
            "var_min": float(found.var[:, g].min()),
            "var_max": float(found.var[:, g].max()),
            "last_r": float(found.r[-1, g]),
            "gradient_gain": float(found.g[0, g]),
            "profile_min": float(found.weight_profile[:, g].min()),
            "profile_max": float(found.weight_profile[:, g].max()),
        }
