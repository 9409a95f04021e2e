"""The stage `depth_rule`: a grid of DeepScaleLM networks of one depth, through which only the theory goes (dslm 3.3).

Letters: N layers, G points of the grid that differ in what the recursion starts from.
"""

from itertools import product
from typing import Any

import numpy as np

from metrics.dslm import Norm
from metrics.propagation import propagate
from metrics.propagation_laws import branch_share
from orchestrator.experiment import Context
from tasks.deepscale.deep_bert.building import config_of, spreads_of
from tasks.deepscale.deep_bert.params import DeepBertParams
from tasks.deepscale.signal_propagation.params import DepthRuleParams
from tasks.deepscale.signal_propagation.theory import gains_of, setting_of

NORMS: tuple[Norm, ...] = ("pre", "post")


def depth_rule(params: DepthRuleParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of the table; a point whose beta^2 is not below 1 has none."""
    rows = []
    for norm, k, alpha, dropout, correlation in product(
        NORMS, params.ks, params.alphas, params.dropouts, params.correlations
    ):
        if k / params.layers**alpha < 1:
            rows += _rows(params, norm, k, alpha, dropout, correlation)
    return {"depth_rule": rows}


def _rows(
    params: DepthRuleParams, norm: Norm, k: float, alpha: float, dropout: float, correlation: float
) -> list[dict[str, Any]]:
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
    return [
        {
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
        for g, top in enumerate(tops)
    ]
