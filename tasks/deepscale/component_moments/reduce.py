"""Reduces the rows of `component_moments` to tables, figures and sentences."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from metrics.published_errors import nearest_rank
from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import of
from tasks.analysis.runs import costs_by_line
from tasks.analysis.summary import missing, not_finite, summary
from tasks.deepscale.component_moments import figures
from tasks.deepscale.component_moments.config import Component, Config, points
from tasks.deepscale.component_moments.stages import FORMS, QUANTITIES

KEY = ["component", "quantity"]
EXACT = ("linear", "relu", "gelu", "layernorm", "dropout")
"""Components whose form `exact` is exact."""
PERCENTS = (50, 90, 99)
PUBLISHED: Mapping[Component, Mapping[str, tuple[float, float, float]]] = {
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
"""Published percentiles of the error over each component's grid, in percent."""

CAPTIONS = {
    "percentiles": (
        "The published error metric over the grid in percent, by nearest rank, beside the published percentiles. Rows "
        "with published_grid use points of the published grid alone. The metric depends on units where zero is "
        "predicted, and on the number of trials: compare with the preset legacy, whose trials are the published ones."
    ),
    "biases": (
        "Signed relative bias: (measured - predicted) / |predicted|, where zero is predicted in units of the predicted "
        "standard deviation (means) or variance (covariances). Percentiles of its absolute value over grid points in "
        "percent, and its median with sign; noise: median standard error in the same unit. z: (measured - predicted) / "
        f"standard error; its root mean square is about 1 where a form is exact. {figures.BOTH_FORMS} Points that are "
        "not finite are counted and left out."
    ),
    "costs": "Work of the jobs of each component. Grid points that only a scale tells apart share a simulation.",
}


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep, whatever part of it is done."""
    rows = results.table("moments")
    tables = {
        "percentiles": percentiles(rows, config),
        "biases": biases(rows, config),
        "costs": costs(results.table("moment_costs"), config),
    }
    tail = of(comparable(rows), component="attention", quantity="g_var")
    drawn = figures.draw(rows, tail, tables, config.components) if len(rows) else {}
    return summary(tables, drawn, CAPTIONS | figures.CAPTIONS, notes(rows, tables, config))


def comparable(rows: pd.DataFrame) -> pd.DataFrame:
    """Points of the published grid of each component; all points where there is none of them."""
    known = rows.groupby("component")["in_published_grid"].transform("any")
    return rows[rows["in_published_grid"].to_numpy(dtype=bool) | ~known.to_numpy(dtype=bool)]


def percentiles(rows: pd.DataFrame, config: Config) -> pd.DataFrame:
    """The published metric's percentiles for each component, quantity and form, beside the published ones."""
    found = []
    for key, form, group in _groups(comparable(rows), config):
        errors = 100 * group["legacy_error" + FORMS[form]].to_numpy(dtype=float)
        errors = errors[np.isfinite(errors)]
        if not len(errors):
            continue
        known = PUBLISHED.get(key["component"], {}).get(key["quantity"]) if form == "published" else None
        row = {**key, "form": form, "published_grid": bool(group["in_published_grid"].all())}
        row |= {"grid_points": len(errors)} | {f"p{percent}": nearest_rank(errors, percent) for percent in PERCENTS}
        values = zip(PERCENTS, known or (np.nan,) * len(PERCENTS), strict=True)
        found.append(row | {f"published_p{percent}": value for percent, value in values})
    return pd.DataFrame(found)


def biases(rows: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Percentiles of |bias| in percent, and of z, for each component, quantity and form; over all points."""
    found = []
    for key, form, group in _groups(rows, config):
        bias = 100 * group["bias" + FORMS[form]].to_numpy(dtype=float)
        finite = np.isfinite(bias)
        if not finite.any():
            continue
        z = group["z" + FORMS[form]].to_numpy(dtype=float)
        z = np.abs(z[np.isfinite(z)])
        shift = np.abs(group["measured"] - group[f"predicted_{form}"]).to_numpy(dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            unit = shift / np.abs(bias)  # one percent of bias
            noise = group["standard_error"].to_numpy(dtype=float) / unit
        noise, size = noise[np.isfinite(noise)], np.abs(bias[finite])
        found.append(
            {
                **key,
                "form": form,
                "grid_points": len(bias),
                "not_finite": int((~finite).sum()),
                "bias_median": float(np.median(bias[finite])),
                **{f"p{percent}": float(np.percentile(size, percent)) for percent in (10, *PERCENTS)},
                "largest": float(size.max()),
                "noise": float(np.median(noise)) if len(noise) else np.nan,
                "z_rms": float(np.sqrt(np.mean(z**2))) if len(z) else np.nan,
                "z_largest": float(z.max()) if len(z) else np.nan,
                "z_above_4": float(np.mean(z > 4)) if len(z) else np.nan,
            }
        )
    return pd.DataFrame(found)


def costs(rows: pd.DataFrame, config: Config) -> pd.DataFrame:
    """What the jobs of each component cost, added up, in the order of the config."""
    names = ("grid_points", "simulations", "trials", "numbers_drawn", "seconds")
    own = {"trials": "trials_total", "seconds": "simulation_seconds"}
    table = costs_by_line(rows, ["component"], {name: own.get(name, name) for name in names})
    return table.sort_values("component", key=lambda names: names.map(config.components.index), ignore_index=True)


def _groups(rows: pd.DataFrame, config: Config) -> Iterator[tuple[dict[str, Any], str, pd.DataFrame]]:
    """(component and quantity, form, rows), in the order of the config, of `QUANTITIES` and of `FORMS`."""
    for component in config.components:
        own = of(rows, component=component)
        for quantity in QUANTITIES:
            group = of(own, quantity=quantity)
            if len(group):
                for form in FORMS:
                    yield {"component": component, "quantity": quantity}, form, group


def notes(rows: pd.DataFrame, tables: dict[str, pd.DataFrame], config: Config) -> list[str]:
    """What came out, what is missing, and what is not finite."""
    told = []
    if len(tables["biases"]):
        told += _exact(tables["biases"]) + _approximate(tables["biases"])
    if len(tables["percentiles"]):
        told += _tail(tables["percentiles"]) + _beside(tables["percentiles"], config)
    grids = (points(name, config.axes, beyond=config.beyond, most=config.points) for name in config.components)
    told += missing(len(rows[["component", "point"]].drop_duplicates()), sum(map(len, grids)), "grid points")
    told.append(not_finite(rows["measured"], "measured moments"))
    cost = tables["costs"]
    if len(cost):
        told.append(
            f"{cost['grid_points'].sum():,} grid points by {cost['simulations'].sum():,} simulations, "
            f"{cost['trials'].sum():,} trials, {cost['numbers_drawn'].sum():.2g} numbers drawn, in "
            f"{cost['seconds'].sum():,.0f} seconds of work."
        )
    return told


def _exact(biases: pd.DataFrame) -> list[str]:
    known = of(biases, form="exact")
    known = known[known["component"].isin(EXACT)]
    if not len(known):
        return []
    worst, weights = known.loc[known["z_largest"].idxmax()], known["grid_points"]
    return [
        f"Exact forms ({', '.join(dict.fromkeys(known['component']))}): root mean square z is "
        f"{np.sqrt(np.average(known['z_rms'] ** 2, weights=weights)):.2f}, the largest |z| {worst['z_largest']:.1f} "
        f"({worst['component']}, {worst['quantity']}); {100 * np.average(known['z_above_4'], weights=weights):.2g} % "
        "of the moments are beyond 4."
    ]


def _approximate(biases: pd.DataFrame) -> list[str]:
    """Both biases where the published form is another one, and the median bias of forms that are not exact."""
    both = of(biases, form="published").merge(of(biases, form="exact"), on=KEY, suffixes=("", "_exact"))
    wrong = both[(both["p99"] > 2 * both["p99_exact"]) & (both["p99"] > 0.1)]
    told = [
        f"{row.component}, {row.quantity}: the published form is off by up to {row.largest:.3g} % (median "
        f"{row.p50:.2g} %, 99th percentile {row.p99:.3g} %), the best known form by {row.largest_exact:.3g} % "
        f"({row.p50_exact:.2g} %, {row.p99_exact:.3g} %); noise {row.noise:.2g} %."
        for row in wrong.itertuples()
    ]
    best = of(biases, form="exact")
    best = best[~best["component"].isin(EXACT) & best["quantity"].isin(["x_var", "g_var"])]
    for component, own in best.groupby("component", sort=False):
        each = ", ".join(
            f"{row.quantity} {row.bias_median:+.2g} % (|z| up to {row.z_largest:.1f})" for row in own.itertuples()
        )
        told.append(f"{component}: median signed bias of the best known form: {each}.")
    return told


def _tail(percentiles: pd.DataFrame) -> list[str]:
    tail = of(percentiles, component="attention", quantity="g_var").set_index("form")
    if len(tail) < len(FORMS):
        return []
    published, exact = (
        " / ".join(f"{tail.loc[form, f'p{percent}']:.1f}" for percent in PERCENTS) for form in ("published", "exact")
    )
    logged = " / ".join(f"{value:.1f}" for value in PUBLISHED["attention"]["g_var"])
    return [
        f"Gradient variance of attention, published metric, percentiles 50 / 90 / 99: {published} % with the published "
        f"form, {exact} % with the gradient through query and key; published {logged} %"
        + ("." if tail.loc["published", "published_grid"] else " (another grid).")
    ]


def _beside(percentiles: pd.DataFrame, config: Config) -> list[str]:
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
