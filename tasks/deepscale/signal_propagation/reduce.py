"""From the rows of `signal_propagation` to tables, figures and sentences, whatever part of the sweep is done.

A line is a network on a source: depth, source, norm, scheme. A seed draws weights, sequences, masked tokens, dropout.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from metrics.activation_moments import Array
from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import of
from tasks.analysis.runs import over_runs
from tasks.analysis.summary import interval, missing, not_finite, summary
from tasks.deepscale.signal_propagation import figures
from tasks.deepscale.signal_propagation.config import Config
from tasks.deepscale.signal_propagation.published import NUMBERS
from tasks.deepscale.signal_propagation.stages import THEORIES

LINE = ["layers", "source", "norm", "scheme"]
GEOMETRIC = ("gradient_variance", "weight", "published_norm")
"""Beginnings of the names of quantities that a seed multiplies: their means are taken of logarithms."""
BOUNDED = ("correlation", "gradient_correlation")
"""Quantities whose errors are differences, not shares."""
RUN = (
    *("loss", "total_norm", "embedding_variance", "embedding_variance_free", "embedding_correlation"),
    *("embedding_correlation_free", "top_gradient_correlation", "same_token", "same_segment", "tokens_a_sequence"),
    *("branch_sq", "parameters", "signal_seconds", "theory_seconds"),
)
TOLD = {
    "variance_slope": (("pre", "vanilla"), ("pre", "xavier")),
    "norm_exponent": (("pre", "xavier"),),
    "norm_factor": (("post", "vanilla"), ("post", "xavier")),
    "norm_range": (("pre", "dslm"), ("post", "dslm")),
}
"""Which numbers the notes tell of which networks: those by which published figures are told apart."""
CAPTIONS = {
    "slopes": (
        "One number a curve: mean over seeds, low and high Student's 95 % interval; the theory from the same ends; the "
        "number read off the published figure (width 1,024, 192 layers). variance_slope: a layer, least squares. "
        "variance_min, variance_max: over layers. norm_exponent: d ln(weight norm) / d ln(layer), norm_factor: growth "
        "of the weight norm a layer, both by least squares of logarithms. norm_range: greatest over least weight norm. "
        "bottom_gradient: variance of the gradient at the embeddings over that at the top."
    ),
    "errors": (
        "Measurement against each form of the theory, over layers and seeds together: measured / theory - 1 in "
        "percent, of correlations the difference. bias: the median with its sign; median and p90 of the size. Norms of "
        "single matrices scatter most: they depend on how gradients of a few sequences add up. weight_profile is "
        "relative to the last layer, so the last layer's scatter is in all of it."
    ),
    "runs": "One number a network: mean over seeds, and how many seeds' loss was finite.",
    "curves": f"Each layer's moments. {figures.SEEDS} theory, theory_free, theory_published: means of the recursions.",
    "depth_rule_grid": "The theory's grid of DeepScaleLM networks: all points of the figure, and all k.",
}


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep, whatever part of it is done."""
    rows, runs, rule = (results.table(name) for name in ("layers", "runs", "depth_rule"))
    tables = {
        "slopes": slopes(rows),
        "errors": errors(rows),
        "runs": runs_by_line(runs),
        "curves": over_seeds(rows),
        "depth_rule_grid": rule,
    }
    drawn = figures.draw(tables["curves"], rule, config)
    return summary(tables, drawn, CAPTIONS | figures.CAPTIONS, notes(tables, rows, runs, config))


def over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """Each layer's mean over seeds with Student's 95 % interval, `low` to `high`, and the theory's forms.

    Of a geometric mean values that are not above 0 are left out too, and counted in `not_finite`.
    """
    means = {form: (form, "mean") for form in THEORIES}
    logs = _where_geometric(np.log, rows, ("measured", *THEORIES))
    table = over_runs(logs, [*LINE, "quantity", "layer"], value="measured", count="seeds", **means).drop(columns="sd")
    return _where_geometric(np.exp, table, ("mean", "low", "high", *THEORIES))


def _where_geometric(function: Callable[[Array], Array], rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The rows with a function of the columns that have a geometric mean; NaN for what is not finite."""
    geometric = rows["quantity"].astype(str).str.startswith(GEOMETRIC).to_numpy(dtype=bool)
    found = {}
    for name in names:
        values = rows[name].to_numpy(dtype=float)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            values = np.where(geometric, function(values), values)
        found[name] = np.where(np.isfinite(values), values, np.nan)
    return rows.assign(**found)


def errors(rows: pd.DataFrame) -> pd.DataFrame:
    """How far the theory is from each network, by quantity; the published form only where it is another one."""
    found = []
    for (*line, quantity), group in rows.groupby([*LINE, "quantity"], observed=True):
        for form in THEORIES:
            known = group.loc[group[form].notna() & np.isfinite(group["measured"].to_numpy(dtype=float))]
            if not len(known) or (form == "theory_published" and quantity in ("variance", "correlation")):
                continue
            measured, theory = (known[name].to_numpy(dtype=float) for name in ("measured", form))
            bounded = quantity in BOUNDED
            error = measured - theory if bounded else 100 * (measured / theory - 1)
            sizes = (np.median(error), np.median(np.abs(error)), np.quantile(np.abs(error), 0.9))
            found.append((*line, quantity, form, "difference" if bounded else "%", *map(float, sizes), len(known)))
    return pd.DataFrame(found, columns=[*LINE, "quantity", "form", "unit", "bias", "median", "p90", "n"])


def slopes(rows: pd.DataFrame) -> pd.DataFrame:
    """`numbers` of each curve: mean and Student's 95 % interval over seeds, theory's mean, the published number."""
    found = []
    for (*line, _), group in rows.groupby([*LINE, "seed"], observed=True):
        both: dict[str, dict[str, float]] = {"measured": {}, "theory": {}}
        for form, known in both.items():
            names = ("variance", "weight_profile", "gradient_variance")
            parts = [of(group, quantity=name).sort_values("layer")[form].to_numpy(dtype=float) for name in names]
            if all(np.isfinite(values).all() and len(values) > 1 for values in parts):
                known |= numbers(*parts)
        measures = both["measured"] | both["theory"]
        found += [(*line, name, *(known.get(name, np.nan) for known in both.values())) for name in measures]
    table = pd.DataFrame(found, columns=[*LINE, "measure", "measured", "theory"])
    table = over_runs(table, [*LINE, "measure"], value="measured", theory=("theory", "mean"))
    names = zip(table["norm"], table["scheme"], table["measure"], strict=True)
    published = np.array([NUMBERS.get(name, np.nan) for name in names], dtype=float)
    return table.assign(published=published).drop(columns=["sd", "not_finite"])


def numbers(variance: Array, weight_profile: Array, gradient_variance: Array) -> dict[str, float]:
    """The measures of `slopes`, as its caption says, of the stream [N + 1], of weights [N], of the gradient [N + 1]."""
    n = np.arange(1, len(weight_profile) + 1)
    log = np.log(weight_profile)
    return {
        "variance_slope": float(np.polyfit(n, variance[1:], 1)[0]),
        "variance_min": float(variance[1:].min()),
        "variance_max": float(variance[1:].max()),
        "norm_exponent": float(np.polyfit(np.log(n), log, 1)[0]),
        "norm_factor": float(np.exp(np.polyfit(n, log, 1)[0])),
        "norm_range": float(weight_profile.max() / weight_profile.min()),
        "bottom_gradient": float(gradient_variance[0] / gradient_variance[-1]),
    }


def runs_by_line(runs: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds of what is one number a network, of those with a finite loss."""
    finite = np.isfinite(runs["loss"].to_numpy(dtype=float))
    by = runs.assign(finite=finite).groupby(LINE, as_index=False)
    counts = by.agg(seeds=("seed", "count"), finite=("finite", "sum"))
    return counts.merge(runs.loc[finite].groupby(LINE, as_index=False)[list(RUN)].mean(), on=LINE, how="left")


def notes(tables: dict[str, pd.DataFrame], rows: pd.DataFrame, runs: pd.DataFrame, config: Config) -> list[str]:
    """What came out, what is missing, and what is not finite."""
    told = [text for measure, variants in TOLD.items() for text in _slopes_told(tables["slopes"], measure, variants)]
    for (layers, source), here in of(tables["errors"], form="theory").groupby(["layers", "source"]):
        parts = [
            f"{quantity.replace('_', ' ')} {part['median'].median():.{digits}f}{unit}"
            for quantity, digits, unit in (
                ("variance", 1, " %"),
                ("correlation", 3, ""),
                ("gradient_correlation", 3, ""),
                ("weight_profile", 1, " %"),
            )
            if len(part := of(here, quantity=quantity))
        ]
        told.append(
            f"{layers} layers, {source}: theory against measurement, median over layers, seeds and networks: "
            f"{', '.join(parts)}."
        )
    told += _rule_told(tables["depth_rule_grid"])
    planned = len(config.sources) * len(config.depths) * len(config.norms) * len(config.schemes) * len(config.seeds)
    told += missing(runs["job_id"].nunique(), planned, "networks")
    told.append(not_finite(rows["measured"], "measured values"))
    if len(runs):
        seconds, theory = runs["signal_seconds"].sum(), runs["theory_seconds"].sum()
        told.append(
            f"{len(runs)} passes forward and backward in {seconds:,.0f} seconds, their theory in {theory:,.1f} seconds."
        )
    return told


def _slopes_told(table: pd.DataFrame, measure: str, variants: tuple[tuple[str, str], ...]) -> list[str]:
    texts = []
    for norm, scheme in variants:
        for row in of(table, measure=measure, norm=norm, scheme=scheme).itertuples():
            published = "" if np.isnan(row.published) else f"; published figure: {row.published:g}"
            texts.append(
                f"{norm}-LN {scheme}, {row.layers} layers, {row.source}: {measure.replace('_', ' ')} {row.mean:.4g} "
                f"({interval(row.low, row.high, '.4g')}), theory {row.theory:.4g}{published}."
            )
    return texts


def _rule_told(rule: pd.DataFrame) -> list[str]:
    """How far the gradient is from the top's at the greatest depth, by alpha, where there is dropout."""
    if not len(rule):
        return []
    layers = rule["layers"].max()
    here = of(rule, layers=layers, norm="pre", top_rg=rule["top_rg"].min(), k=rule["k"].max())
    dropout = here["dropout"].max()
    here = of(here, dropout=dropout).sort_values("alpha").drop_duplicates("alpha")
    parts = [f"{row.gradient_gain:.3g} at alpha {row.alpha:g}" for row in here.itertuples()]
    if not parts:
        return []
    return [
        f"Theory, pre-LN DeepScaleLM of {layers} layers with dropout {dropout:g}: the gradient's variance at the input "
        f"over that at the top is {', '.join(parts)}."
    ]
