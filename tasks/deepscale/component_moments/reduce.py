"""Reduces the rows of `component_moments` to tables, figures and sentences."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from metrics.published_errors import nearest_rank
from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import of
from tasks.deepscale.component_moments.captions import CAPTIONS
from tasks.deepscale.component_moments.config import Config
from tasks.deepscale.component_moments.figures import agreement_figure, correlation_figure, error_figure, tail_figure
from tasks.deepscale.component_moments.notes import notes
from tasks.deepscale.component_moments.params import QUANTITIES
from tasks.deepscale.component_moments.published import PERCENTS, PUBLISHED

FORMS = {"published": "_published", "exact": ""}


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences; an empty table stays away, and the notes say what is missing."""
    rows = results.table("moments")
    tables = {
        "percentiles": percentiles(rows, config),
        "biases": biases(rows, config),
        "costs": costs(results.table("moment_costs"), config),
    }
    figures = draw(rows, tables, config)
    told = notes(rows, tables, config)
    tables = {name: table for name, table in tables.items() if len(table)}
    captions = {name: text for name, text in CAPTIONS.items() if name in tables or name in figures}
    return Summary(tables=tables, figures=figures, captions=captions, notes=told)


def draw(rows: pd.DataFrame, tables: dict[str, pd.DataFrame], config: Config) -> dict[str, Figure]:
    """The figures that there are rows for."""
    if not len(rows):
        return {}
    figures = {"errors": error_figure(tables["biases"]), "agreement": agreement_figure(rows, config.components)}
    tail = of(comparable(rows), component="attention", quantity="g_var")
    if len(tail):
        figures["attention_tail"] = tail_figure(tail)
    if set(rows["component"]) & {"relu", "ffn_relu"}:
        figures["correlations"] = correlation_figure(rows)
    return figures


def comparable(rows: pd.DataFrame) -> pd.DataFrame:
    """Of each component the points of the published grid; all points where there is none of them."""
    known = rows.groupby("component")["in_published_grid"].transform("any")
    return rows[rows["in_published_grid"].to_numpy(dtype=bool) | ~known.to_numpy(dtype=bool)]


def percentiles(rows: pd.DataFrame, config: Config) -> pd.DataFrame:
    """The published metric's percentiles for each component, quantity and form, beside the published ones."""
    found = []
    for component, quantity, group in _groups(comparable(rows), config):
        published = PUBLISHED.get(component, {}).get(quantity)  # pyright: ignore[reportArgumentType, reportCallIssue]
        for form, ending in FORMS.items():
            errors = 100 * group["legacy_error" + ending].to_numpy(dtype=float)
            errors = errors[np.isfinite(errors)]
            if not len(errors):
                continue
            row = {
                "component": component,
                "quantity": quantity,
                "form": form,
                "published_grid": bool(group["in_published_grid"].all()),
                "grid_points": len(errors),
            }
            row |= {f"p{percent}": nearest_rank(errors, percent) for percent in PERCENTS}
            known = published if form == "published" and published else (np.nan,) * len(PERCENTS)
            row |= {f"published_p{percent}": value for percent, value in zip(PERCENTS, known, strict=True)}
            found.append(row)
    return pd.DataFrame(found)


def biases(rows: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Percentiles of |bias| in percent, and of z, for each component, quantity and form; over all points."""
    found = []
    for component, quantity, group in _groups(rows, config):
        for form, ending in FORMS.items():
            bias = 100 * group["bias" + ending].to_numpy(dtype=float)
            finite = np.isfinite(bias)
            if not finite.any():
                continue
            z = group["z" + ending].to_numpy(dtype=float)
            z = z[np.isfinite(z)]
            shift = np.abs(group["measured"] - group["predicted" + ("_published" if ending else "_exact")])
            with np.errstate(divide="ignore", invalid="ignore"):
                unit = shift.to_numpy(dtype=float) / np.abs(bias)  # what one percent of bias is
                noise = group["standard_error"].to_numpy(dtype=float) / unit
            size = np.abs(bias[finite])
            found.append(
                {
                    "component": component,
                    "quantity": quantity,
                    "form": form,
                    "grid_points": len(bias),
                    "not_finite": int((~finite).sum()),
                    "bias_median": float(np.median(bias[finite])),
                    "p10": float(np.percentile(size, 10)),
                    "p50": float(np.percentile(size, 50)),
                    "p90": float(np.percentile(size, 90)),
                    "p99": float(np.percentile(size, 99)),
                    "largest": float(size.max()),
                    "noise": float(np.median(noise[np.isfinite(noise)])) if np.isfinite(noise).any() else np.nan,
                    "z_rms": float(np.sqrt(np.mean(z**2))) if len(z) else np.nan,
                    "z_largest": float(np.abs(z).max()) if len(z) else np.nan,
                    "z_above_4": float(np.mean(np.abs(z) > 4)) if len(z) else np.nan,
                }
            )
    return pd.DataFrame(found)


def costs(rows: pd.DataFrame, config: Config) -> pd.DataFrame:
    """What the jobs of each component cost, added up, in the order of the config."""
    table = rows.groupby("component", as_index=False).agg(
        jobs=("job_id", "nunique"),
        grid_points=("grid_points", "sum"),
        simulations=("simulations", "sum"),
        trials=("trials_total", "sum"),
        numbers_drawn=("numbers_drawn", "sum"),
        seconds=("simulation_seconds", "sum"),
    )
    order = {name: at for at, name in enumerate(config.components)}
    return table.sort_values("component", key=lambda names: names.map(order)).reset_index(drop=True)


def _groups(rows: pd.DataFrame, config: Config) -> list[tuple[str, str, pd.DataFrame]]:
    """The rows of each component and quantity, in the order of the config and of `QUANTITIES`."""
    found = []
    for component in config.components:
        own = of(rows, component=component)
        found += [
            (component, quantity, of(own, quantity=quantity))
            for quantity in QUANTITIES
            if quantity in set(own["quantity"])
        ]
    return found
