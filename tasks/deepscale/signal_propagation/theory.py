"""From a network and what was measured at its ends to the theory of everything between (dslm 3.2).

Letters: N layers, H width, I feed-forward width.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.dslm import embedding_correlation
from metrics.propagation import Gains, Propagation, Setting, propagate
from metrics.propagation_weights import matrix_norms
from models.deep_bert import DeepBertConfig
from models.deep_bert_init import Spreads
from tasks.deepscale.deep_bert.building import TABLES

Array = NDArray[np.float64]


def gains_of(config: DeepBertConfig, spreads: Spreads) -> Gains:
    """What the weights do to variances."""
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
    """The rest; `tokens` is the mean over tokens of how many tokens their sequence has."""
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
    """What the recursion starts from."""

    var: float
    """V_0."""
    r: float
    """r_0."""
    top_g: float
    """The gradient's variance behind the last layer."""
    top_rg: float
    """Its correlation."""

    @property
    def finite(self) -> bool:
        return bool(np.isfinite([self.var, self.r, self.top_g, self.top_rg]).all()) and self.var > 0


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
    """Curves by the name of their quantity: of the stream [N + 1], of weights [N].

    Args:
        config: of the network.
        spreads: of its weights.
        ends: what the recursion starts from; where they are not finite, neither is a curve.
        tokens: as of `setting_of`.
        n_tokens: of the batch.
        published: with the published gradient of attention, and without what it does not lead to.
    """
    if not ends.finite:
        return {}
    gains, setting = gains_of(config, spreads), setting_of(config, tokens)
    found: Propagation = propagate(
        gains, setting, var=ends.var, r=ends.r, top_g=ends.top_g, top_rg=ends.top_rg, published=published
    )
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
