"""What came out of `component_moments`, in sentences."""

# pandas says that any comparison of its objects may be a Series, so these rules say nothing here:
# pyright: reportArgumentType=false, reportGeneralTypeIssues=false, reportAttributeAccessIssue=false, reportIndexIssue=false

import numpy as np
import pandas as pd

from tasks.analysis.panels import of
from tasks.deepscale.component_moments.config import Config
from tasks.deepscale.component_moments.grids import points

EXACT = ("linear", "relu", "gelu", "layernorm", "dropout")
"""Components whose form `exact` is exact."""


def notes(rows: pd.DataFrame, tables: dict[str, pd.DataFrame], config: Config) -> list[str]:
    """What came out, what is missing, and what is not finite."""
    told = _exact(tables["biases"]) + _approximate(tables["biases"]) + _tail(tables["percentiles"])
    told += _beside(tables["percentiles"], config)
    planned = sum(
        len(points(name, config.axes, beyond=config.beyond, most=config.points)) for name in config.components
    )
    done = len(rows[["component", "point"]].drop_duplicates())
    if done < planned:
        told.append(f"{planned - done:,} of {planned:,} grid points are missing.")
    bad = int((~np.isfinite(rows["measured"].to_numpy(dtype=float))).sum())
    told.append(f"{bad:,} of {len(rows):,} measured moments are not finite" + (", and left out." if bad else "."))
    cost = tables["costs"]
    if len(cost):
        told.append(
            f"{cost['grid_points'].sum():,} grid points by {cost['simulations'].sum():,} simulations, "
            f"{cost['trials'].sum():,} trials, {cost['numbers_drawn'].sum():.2g} numbers drawn, in "
            f"{cost['seconds'].sum():,.0f} seconds of work."
        )
    return told


def _exact(biases: pd.DataFrame) -> list[str]:
    if not len(biases):
        return []
    known = of(biases, form="exact")
    known = known[known["component"].isin(EXACT)]
    if not len(known):
        return []
    worst = known.loc[known["z_largest"].idxmax()]
    weights = known["grid_points"]
    return [
        f"Exact forms ({', '.join(dict.fromkeys(known['component']))}): root mean square z is "
        f"{np.sqrt(np.average(known['z_rms'] ** 2, weights=weights)):.2f}, the largest |z| {worst['z_largest']:.1f} "
        f"({worst['component']}, {worst['quantity']}); {100 * np.average(known['z_above_4'], weights=weights):.2g} % "
        "of the moments are beyond 4."
    ]


def _approximate(biases: pd.DataFrame) -> list[str]:
    """Where the published form is another one: both biases."""
    told = []
    if not len(biases):
        return told
    key = ["component", "quantity"]
    both = of(biases, form="published").merge(of(biases, form="exact"), on=key, suffixes=("", "_exact"))
    for _, line in both.iterrows():
        if line["p99"] > 2 * line["p99_exact"] and line["p99"] > 0.1:
            told.append(
                f"{line['component']}, {line['quantity']}: the published form is off by up to {line['largest']:.3g} % "
                f"(median {line['p50']:.2g} %, 99th percentile {line['p99']:.3g} %), the other by "
                f"{line['largest_exact']:.3g} % ({line['p50_exact']:.2g} %, {line['p99_exact']:.3g} %); noise "
                f"{line['noise']:.2g} %."
            )
    for component in ("attention", "softmax", "ffn_relu", "ffn_gelu", "attention_block", "residual"):
        own = of(biases, component=component, form="exact")
        own = own[own["quantity"].isin(["x_var", "g_var"])]
        if len(own):
            each = ", ".join(
                f"{line['quantity']} {line['bias_median']:+.2g} % (|z| up to {line['z_largest']:.1f})"
                for _, line in own.iterrows()
            )
            told.append(f"{component}: median signed bias of the best known form: {each}.")
    return told


def _tail(percentiles: pd.DataFrame) -> list[str]:
    if not len(percentiles):
        return []
    tail = of(percentiles, component="attention", quantity="g_var").set_index("form")
    if len(tail) < 2:
        return []
    a, b = tail.loc["published"], tail.loc["exact"]
    return [
        "Gradient variance of attention, published metric, percentiles 50 / 90 / 99: "
        f"{a['p50']:.1f} / {a['p90']:.1f} / {a['p99']:.1f} % with the published form, "
        f"{b['p50']:.1f} / {b['p90']:.1f} / {b['p99']:.1f} % with the gradient through query and key; published "
        f"{a['published_p50']:.1f} / {a['published_p90']:.1f} / {a['published_p99']:.1f} %"
        + ("." if a["published_grid"] else " (another grid).")
    ]


def _beside(percentiles: pd.DataFrame, config: Config) -> list[str]:
    if not len(percentiles):
        return []
    rows = of(percentiles, form="published", published_grid=True)
    rows = rows[rows["published_p99"] >= 1]  # one decimal was printed: smaller ones say little
    if not len(rows):
        return ["No point of the published grids was simulated, so no percentile can be set beside the published ones."]
    ratios = (rows["p99"] / rows["published_p99"]).to_numpy(dtype=float)
    near = int((np.abs(ratios - 1) <= 0.2).sum())
    asked = f"{100 * config.share:g} % of the published trials" if config.trials is None else f"{config.trials} trials"
    return [
        f"99th percentiles of the published metric over the published ones: {ratios.min():.2f} to {ratios.max():.2f} "
        f"times over {len(rows)} quantities, {near} within 20 %. Begun with {asked}; errors of exact forms fall with "
        "the root of their number."
    ]
