"""The published percentiles of the error, in percent: p50, p90, p99 over each component's grid (dslm 1.10)."""

from collections.abc import Mapping

from tasks.deepscale.component_moments.grids import Component

Percentiles = tuple[float, float, float]
PERCENTS = (50, 90, 99)
PUBLISHED: Mapping[Component, Mapping[str, Percentiles]] = {
    "linear": {
        "x_mean": (0, 0.4, 1.3), "x_var": (0.4, 1.4, 2.8), "g_var": (0.2, 1.0, 2.2), "x_cov": (0.4, 1.4, 2.8),
        "g_cov": (0.2, 1.0, 2.2),
    },
    "relu": {
        "x_mean": (0.3, 1.3, 2.3), "x_var": (0.5, 1.9, 3.4), "g_var": (0.6, 1.5, 2.6), "x_cov": (0.3, 1.6, 3.1),
        "g_cov": (0.2, 1.1, 2.3),
    },
    "gelu": {
        "x_mean": (0.1, 1.0, 2.4), "x_var": (0.2, 0.6, 1.3), "g_var": (0.2, 0.6, 1.1), "x_cov": (0.1, 0.5, 1.2),
        "g_cov": (0.1, 0.4, 0.9),
    },
    "layernorm": {
        "x_mean": (1.4e-5, 9.3e-5, 1.4e-4), "x_var": (0, 0, 0), "g_var": (0.4, 1.5, 3.2), "x_cov": (0.1, 0.5, 1.0),
        "x_cov_features": (0, 0, 0), "g_cov": (0.2, 0.9, 2.2),
    },
    "dropout": {
        "x_mean": (0, 0.1, 0.5), "x_var": (0.1, 0.5, 1.5), "g_var": (0.1, 0.7, 1.5), "x_cov": (0, 0.4, 1.3),
        "g_cov": (0.1, 0.5, 1.2),
    },
    "softmax": {
        "x_mean": (0, 0, 0), "x_var_full": (0.2, 0.9, 4.0), "x_var": (0.1, 0.5, 2.6), "g_var_full": (0.1, 0.6, 4.5),
        "g_var": (0.1, 0.6, 3.7),
    },
    "attention": {
        "x_mean": (0.2, 1.0, 2.5), "x_var": (1.4, 4.1, 7.8), "g_var": (2.2, 13.3, 44.5), "x_cov": (1.3, 3.9, 7.4),
        "g_cov": (1.6, 4.5, 8.2),
    },
}  # fmt: skip
