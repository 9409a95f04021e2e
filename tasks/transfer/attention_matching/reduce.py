"""From costs of heads to lines: means over proteins, then over seeds; what a matching saves against shuffled heads."""

import pandas as pd

from orchestrator.experiment import Results, Summary
from tasks.transfer.attention_matching.captions import CAPTIONS
from tasks.transfer.attention_matching.config import Config
from tasks.transfer.attention_matching.figures import draw
from tasks.transfer.attention_matching.notes import notes_of
from tasks.transfer.comparison.lines import LINE, SEEDS, named, over_seeds

SAVED = {"saved_matched": "matched_mean", "saved_one_matching": "one_matching", "saved_crossfit": "crossfit"}
"""1 - cost / unmatched cost, by the metric whose cost it is."""


def savings(layers: pd.DataFrame) -> pd.DataFrame:
    """What a matching saves of the cost of shuffled heads, a row a line, seed, tokens, layer and metric of `SAVED`."""
    keys = ["job_id", *LINE, *SEEDS, "tokens", "layer"]
    of_metric = {metric: layers.loc[layers["metric"] == metric, [*keys, "value"]] for metric in set(layers["metric"])}
    parts = []
    for name, cost in SAVED.items():
        if cost in of_metric:
            both = of_metric[cost].merge(of_metric["unmatched_mean"], on=keys, suffixes=("", "_unmatched"))
            parts.append(both[keys].assign(metric=name, value=1 - both["value"] / both["value_unmatched"]))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*keys, "metric", "value"])


def closeness(layers: pd.DataFrame) -> pd.DataFrame:
    """Mean over layers, within each seed first, of costs, savings, agreement and z; then over seeds."""
    kept = layers[layers["metric"].isin(["matched_mean", "unmatched_mean", "crossfit", "crossfit_z", "agreement"])]
    rows = pd.concat([kept[[*LINE, *SEEDS, "tokens", "metric", "value"]], savings(layers)], ignore_index=True)
    inner = rows.groupby([*LINE, *SEEDS, "tokens", "metric"], observed=True)["value"].mean().reset_index()
    return over_seeds(inner, ["tokens", "metric"])


def one_seed(table: pd.DataFrame) -> pd.DataFrame:
    """Of each line the rows of the lowest seeds: heads of different random encoders are different heads."""
    lowest = table.groupby(LINE, observed=True)[SEEDS].transform("min")
    return table[(table[SEEDS] == lowest).all(axis=1)]


def partners(heads: pd.DataFrame) -> pd.DataFrame:
    """The pairs of each layer's one matching, of the lowest seeds."""
    pairs = one_seed(heads[heads["in_matching"].astype(bool)])
    columns = [*LINE, *SEEDS, "tokens", "layer", "head_second", "head_first", "share", "cost"]
    return pairs[columns].sort_values(columns[:8], ignore_index=True)


def costs_by_line(costs: pd.DataFrame) -> pd.DataFrame:
    """Jobs, seconds, layer passes and memory of each line."""
    return costs.groupby(LINE, as_index=False, observed=True).agg(
        jobs=("job_id", "nunique"),
        proteins=("n_proteins", "max"),
        longest=("longest", "max"),
        encoder_seconds=("encoder_seconds", "sum"),
        matching_seconds=("matching_seconds", "sum"),
        layer_passes=("layer_passes", "sum"),
        map_bytes=("map_bytes", "max"),
        sum_bytes=("sum_bytes", "max"),
        not_finite=("not_finite", "sum"),
    )


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep, whatever part of it is done."""
    layers, heads, costs = (named(results.table(name)) for name in ("layers", "heads", "costs"))
    by_layer = over_seeds(pd.concat([layers, savings(layers)], ignore_index=True), ["tokens", "layer", "metric"])
    tables = {
        "closeness": closeness(layers),
        "by_layer": by_layer,
        "partners": partners(heads),
        "costs": costs_by_line(costs),
    }
    unit = "over all rows, padding too" if config.legacy_padding else "a query token"
    figures = draw(by_layer, one_seed(heads), unit)
    captions = {name: text for name, text in CAPTIONS.items() if name in tables} | {
        name: CAPTIONS[name.split("-")[0]] for name in figures
    }
    return Summary(tables=tables, figures=figures, captions=captions, notes=notes_of(tables, config))
