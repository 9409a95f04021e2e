"""From costs of heads to lines: means over proteins, then over seeds; what a matching saves against shuffled heads."""

from collections.abc import Mapping

import pandas as pd

from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import of, short
from tasks.analysis.runs import costs_by_line, over_runs
from tasks.analysis.summary import interval, summary
from tasks.transfer.attention_matching import figures
from tasks.transfer.attention_matching.config import Config
from tasks.transfer.comparison.reporting import LINE, SEEDS, missing_pairs, named, one_more, pair_name

SAVED = {"saved_matched": "matched_mean", "saved_one_matching": "one_matching", "saved_crossfit": "crossfit"}
"""1 - cost / unmatched cost, by the metric whose cost it is."""
CLOSENESS = ["matched_mean", "unmatched_mean", "crossfit", "crossfit_z", "agreement"]
CAPTIONS = {
    "closeness": f"{figures.COST}Means over proteins and layers, then over seeds with Student's 95 % interval (low, "
    "high; none for one seed). saved_...: 1 - cost / cost of shuffled heads: of the best matching for each protein "
    "(matched, more than 0 for any two encoders), of one matching for all proteins, and of the matching by the other "
    "half of the proteins (crossfit). Compare a pair with that of the random twin: heads that look at few tokens cost "
    "less with one another than with others in any two encoders, and where all proteins are variants of one "
    "(fluorescence), the other half is nearly the same protein.",
    "by_layer": "Every metric of each layer, described with the table layers: mean over seeds, 95 % interval.",
    "partners": "The one matching that is best for all proteins, with the share of proteins whose own best matching "
    "has the pair; lowest seeds. Heads count from 0, layers from 1.",
    "costs": "Seconds, layer applications to one protein as counted while running, and the most bytes of attention "
    "maps held together; sum_bytes is all that is kept between batches but for the rows.",
}


def savings(layers: pd.DataFrame) -> pd.DataFrame:
    """What a matching saves of the cost of shuffled heads, a row a line, seed, tokens, layer and metric of `SAVED`."""
    keys = ["job_id", *LINE, *SEEDS, "tokens", "layer"]
    costs = {cost: of(layers, metric=cost)[[*keys, "value"]] for cost in (*SAVED.values(), "unmatched_mean")}
    parts = []
    for name, cost in SAVED.items():
        both = costs[cost].merge(costs["unmatched_mean"], on=keys, suffixes=("", "_unmatched"))
        parts.append(both[keys].assign(metric=name, value=1 - both["value"] / both["value_unmatched"]))
    return pd.concat(parts, ignore_index=True)


def closeness(layers: pd.DataFrame) -> pd.DataFrame:
    """Mean over layers, within each seed first, of costs, savings, agreement and z; then over seeds."""
    return over_runs(layers[layers["metric"].isin([*CLOSENESS, *SAVED])], [*LINE, "tokens", "metric"], runs=SEEDS)


def one_seed(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of each line's lowest seeds: heads of different random encoders are different heads."""
    lowest = table.groupby(LINE, observed=True)[SEEDS].transform("min")
    return table[(table[SEEDS] == lowest).all(axis=1)]


def partners(heads: pd.DataFrame) -> pd.DataFrame:
    """The pairs of each layer's one matching, of the lowest seeds."""
    pairs = one_seed(heads[heads["in_matching"].astype(bool)])
    order = [*LINE, *SEEDS, "tokens", "layer", "head_second"]
    return pairs[[*order, "head_first", "share", "cost"]].sort_values(order, ignore_index=True)


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep, whatever part of it is done."""
    layers, heads, costs = (named(results.table(name)) for name in ("layers", "heads", "costs"))
    layers = pd.concat([layers, savings(layers)], ignore_index=True) if len(layers) else layers
    spent = ["encoder_seconds", "matching_seconds", "layer_passes", "not_finite"]
    largest = {"proteins": "n_proteins", "longest": "longest", "map_bytes": "map_bytes", "sum_bytes": "sum_bytes"}
    tables = {
        "closeness": closeness(layers),
        "by_layer": over_runs(layers, [*LINE, "tokens", "layer", "metric"]),
        "partners": partners(heads),
        "costs": costs_by_line(costs, LINE, sums=spent, largest=largest),
    }
    unit = "over all rows, padding too" if config.legacy_padding else "a query token"
    drawn = figures.draw(tables["by_layer"], one_seed(heads), unit)
    return summary(tables, drawn, CAPTIONS | figures.CAPTIONS, notes_of(tables, config))


def notes_of(tables: Mapping[str, pd.DataFrame], config: Config) -> list[str]:
    """What came out, what is missing, how many values were not finite."""
    close, notes = tables["closeness"], []
    for (model, task, tokens), table in close.groupby(["model", "protein_task", "tokens"], sort=True):
        notes += _closer(table, f"{task}, {short(str(model))}, {figures.TOKENS[str(tokens)]}")
    if (bad := int(tables["costs"]["not_finite"].sum())) > 0:
        notes.append(f"{bad:,} costs of a protein and layer are not finite, and left out of all means.")
    return notes + missing_pairs(close, config)


def _closer(close: pd.DataFrame, what: str) -> list[str]:
    """Whether the pretrained encoder is closer to PLUS than its random twin is, against shuffled heads."""
    said, saved = [], {}
    for pair in ("pretrained-plus", "random-plus", "pretrained-random"):
        values = of(close, pair=pair).set_index("metric")
        if len(values):
            saved[pair], mean = values.loc["saved_crossfit"], values["mean"]
            said.append(
                f"{pair_name(pair)}: matched {mean['matched_mean']:.3f}, matched by the other half "
                f"{mean['crossfit']:.3f}, shuffled {mean['unmatched_mean']:.3f}, so that {saved[pair]['mean']:.1%} of "
                f"the shuffled cost is saved ({interval(saved[pair]['low'], saved[pair]['high'], '.1%')})"
            )
    notes = [f"{what}. {'; '.join(said)}."]
    if {"pretrained-plus", "random-plus"} <= set(saved):
        own, twin = saved["pretrained-plus"], saved["random-plus"]
        clear = abs(own["mean"] - twin["mean"]) > one_more(twin["mean"], twin["high"], twin["seeds"])
        closer = "more" if own["mean"] > twin["mean"] else "less"
        notes.append(
            f"{what}: the pretrained encoder's heads correspond {closer} to PLUS's than a random twin's do "
            f"({own['mean']:.1%} against {twin['mean']:.1%} saved"
            + ("" if clear else "; not clear of what another random twin may have")
            + ")."
        )
    return notes
