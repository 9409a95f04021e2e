"""From the rows of `signal_propagation` to tables, figures and sentences, whatever part of the sweep is done."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import of
from tasks.deepscale.signal_propagation.captions import CAPTIONS
from tasks.deepscale.signal_propagation.config import Config
from tasks.deepscale.signal_propagation.curves import LINE, errors, over_seeds, slopes
from tasks.deepscale.signal_propagation.figures import depth_rule_figure, published_figure, signals_figure
from tasks.deepscale.signal_propagation.published import SETTING

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


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences; an empty table stays away, and the notes say what is missing."""
    rows, runs, rule = (results.table(name) for name in ("layers", "runs", "depth_rule"))
    curves = over_seeds(rows)
    tables = {
        "slopes": slopes(rows),
        "errors": errors(rows),
        "runs": runs_by_line(runs),
        "curves": curves,
        "depth_rule_grid": rule,
    }
    figures = draw(curves, rule, config)
    told = notes(tables, rows, runs, config)
    tables = {name: table for name, table in tables.items() if len(table)}
    captions = {name: text for name, text in CAPTIONS.items() if name in tables or name in figures}
    for name in figures:  # one figure a depth and source: the caption is the kind's
        captions.setdefault(name, CAPTIONS[name.partition("-")[0]])
    return Summary(tables=tables, figures=figures, captions=captions, notes=told)


def draw(curves: pd.DataFrame, rule: pd.DataFrame, config: Config) -> dict[str, Figure]:
    """Two figures a depth and source, and the rule of depth."""
    figures: dict[str, Figure] = {}
    for (layers, source), group in curves.groupby(["layers", "source"]):
        at_setting = layers == SETTING["layers"] and all(
            getattr(config, name) == value for name, value in SETTING.items() if name != "layers"
        )
        figures[f"signals-{layers}-{source}"] = signals_figure(group)
        if {"xavier", "dslm"} & set(group["scheme"]):
            figures[f"published-{layers}-{source}"] = published_figure(group, at_setting=at_setting)
    if len(rule):
        figures["depth_rule"] = depth_rule_figure(rule)
    return figures


def runs_by_line(runs: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds of what is one number a network, of those with a finite loss."""
    if not len(runs):
        return pd.DataFrame(columns=[*LINE, "seeds", "finite", *RUN])
    finite = np.isfinite(runs["loss"].to_numpy(dtype=float))
    counts = (
        runs.assign(finite=finite).groupby(LINE, as_index=False).agg(seeds=("seed", "count"), finite=("finite", "sum"))
    )
    means = runs.loc[finite].groupby(LINE, as_index=False)[list(RUN)].mean()
    return counts.merge(means, on=LINE, how="left")


def notes(tables: dict[str, pd.DataFrame], rows: pd.DataFrame, runs: pd.DataFrame, config: Config) -> list[str]:
    """What came out, what is missing, and what is not finite."""
    told = [text for measure, variants in TOLD.items() for text in _told(tables["slopes"], measure, variants)]
    found = tables["errors"]
    for layers, source in found[["layers", "source"]].drop_duplicates().itertuples(index=False):
        here = of(found, layers=layers, source=source, form="theory")
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
            + ", ".join(parts)
            + "."
        )
    rule = tables["depth_rule_grid"]
    if len(rule):
        told += _rule_told(rule)
    planned = len(config.sources) * len(config.depths) * len(config.norms) * len(config.schemes) * len(config.seeds)
    done = runs["job_id"].nunique()
    if done < planned:
        told.append(f"{planned - done} of {planned} networks are missing.")
    bad = int((~np.isfinite(rows["measured"].to_numpy(dtype=float))).sum())
    told.append(f"{bad:,} of {len(rows):,} measured values are not finite" + (", and left out." if bad else "."))
    if len(runs):
        seconds, theory = runs["signal_seconds"].sum(), runs["theory_seconds"].sum()
        told.append(
            f"{len(runs)} passes forward and backward in {seconds:,.0f} seconds, their theory in {theory:,.1f} seconds."
        )
    return told


def _told(table: pd.DataFrame, measure: str, variants: tuple[tuple[str, str], ...]) -> list[str]:
    texts = []
    for norm, scheme in variants:
        for row in of(table, measure=measure, norm=norm, scheme=scheme).itertuples():
            published = (
                "" if np.isnan(row.published) else f"; published figure, 192 layers of width 1,024: {row.published:g}"
            )
            spread = "" if np.isnan(row.low) else f" ({row.low:.4g} to {row.high:.4g})"
            texts.append(
                f"{norm}-LN {scheme}, {row.layers} layers, {row.source}: {measure.replace('_', ' ')} "
                f"{row.mean:.4g}{spread}, theory {row.theory:.4g}{published}."
            )
    return texts


def _rule_told(rule: pd.DataFrame) -> list[str]:
    """How far the gradient is from the top's at the greatest depth, by alpha, where there is dropout."""
    here = of(rule, layers=rule["layers"].max(), norm="pre", top_rg=rule["top_rg"].min(), k=rule["k"].max())
    here = of(here, dropout=here["dropout"].max()).sort_values("alpha").drop_duplicates("alpha")
    parts = [f"{row.gradient_gain:.3g} at alpha {row.alpha:g}" for row in here.itertuples()]
    if not parts:
        return []
    first = here.iloc[0]
    return [
        f"Theory, pre-LN DeepScaleLM of {first['layers']} layers with dropout {first['dropout']:g}: the gradient's "
        f"variance at the input over that at the top is {', '.join(parts)}."
    ]
