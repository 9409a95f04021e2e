"""From the rows of either experiment to tables, figures and sentences, whatever part of the sweep is done."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import of
from tasks.analysis.runs import over_runs
from tasks.analysis.summary import missing, not_finite, summary
from tasks.attention.learning import figures
from tasks.attention.learning.labels import METRICS, SPLITS, Labels, published

SET = ["dataset", "performance", "split", "metric"]
"""The columns that tell one dictionary of statistics from another."""
OVER_STEPS = ("alpha_corrs", "alpha_perfs")
CAPTIONS = {
    "dictionary": (
        "The published dictionary of statistics. value, step: as published, with the correct sign of Delta. held_out: "
        "checkpoints chosen on half a, values of half b. legacy_sign: the published sign of Delta, where it changes "
        "anything. published: printed by the authors for this data set (top-5 % match, early runs). A xi without value "
        "and step is never reached."
    ),
    "curves": (
        "Agreement of alpha with the gold run's best (at gold_step) at each checkpoint, and performance: means over "
        "comparison runs, with Student's 95 % interval of the agreement over them (none for one) and its expectation "
        "for shuffled scores."
    ),
    "runs": "Each run's best checkpoint (the first of equals; the lowest for perplexity) and its last, all items.",
    "undefined": (
        "Comparisons of a {item}, added up over checkpoints and runs, and how many are undefined: NaN on a side, for "
        "Kendall's tau also constant scores."
    ),
}


def summarise(
    results: Results,
    labels: Labels,
    *,
    tables: Mapping[str, pd.DataFrame],
    drawn: Mapping[str, Figure],
    captions: Mapping[str, str],
    told: Sequence[str],
) -> Summary:
    """The summary of an experiment: the statistics, and behind them what the experiment has of its own."""
    rows, agreement, performance = (results.table(name) for name in ("statistics", "agreement", "performance"))
    found = {
        "dictionary": dictionary(rows, labels),
        "curves": curves(rows, agreement),
        "runs": runs(performance),
        "undefined": undefined(agreement),
    }
    said = {name: text.format(item=labels.item) for name, text in (CAPTIONS | figures.CAPTIONS).items()}
    return summary(
        {**found, **tables},
        {**figures.draw(found, agreement, labels), **drawn},
        {**said, **captions},
        [*notes(found, rows, performance, labels), *told],
    )


def dictionary(rows: pd.DataFrame, labels: Labels) -> pd.DataFrame:
    """A row a key: as published, chosen on one half and judged on the other, with the other sign, and what was printed.

    `value` and `step` are those of the correct sign.
    """
    columns = [*SET, "key", "value", "step", "held_out", "held_out_step", "legacy_sign", "published"]
    known = rows[~rows["key"].isin(OVER_STEPS)]
    if not len(known):
        return pd.DataFrame(columns=columns)
    key = [*SET, "key"]

    def side(selection: str, sign: str, names: dict[str, str]) -> pd.DataFrame:
        return of(known, selection=selection, sign=sign)[[*key, *names]].rename(columns=names)

    table = side("same", "correct", {"value": "value", "step": "step"})
    table = table.merge(side("held_out", "correct", {"value": "held_out", "step": "held_out_step"}), on=key, how="left")
    table = table.merge(side("same", "legacy", {"value": "legacy_sign"}), on=key, how="left")
    return table.assign(published=[_printed(row, labels) for row in table.to_dict("records")])[columns]


def _printed(row: dict[Any, Any], labels: Labels) -> float:
    found = published(labels.task, row["dataset"], row["split"], row["performance"])
    value = found.numbers.get(row["key"]) if found and row["metric"] == "top5" else None
    return np.nan if value is None else value


def curves(rows: pd.DataFrame, agreement: pd.DataFrame) -> pd.DataFrame:
    """A row a checkpoint: agreement of alpha with the gold run's, and performance, means over comparison runs.

    `low` and `high` are Student's 95 % interval of the agreement over these runs (NaN for one).
    """
    columns = [*SET, "step", "agreement", "low", "high", "baseline", "performance_value", "gold_step"]
    known = of(rows, selection="same", sign="correct")
    parts = [of(known, key=name)[[*SET, "step", "value"]] for name in (*OVER_STEPS, "best_perf")]
    table = parts[0].rename(columns={"value": "agreement"})
    table = table.merge(parts[1].rename(columns={"value": "performance_value"}), on=[*SET, "step"])
    table = table.merge(parts[2].rename(columns={"step": "gold_step"}).drop(columns="value"), on=SET)
    alpha = of(agreement, part="all", u="alpha", v="alpha").rename(columns={"u_step": "gold_step", "v_step": "step"})
    key = ["dataset", "split", "metric", "gold_step", "step"]
    spread = over_runs(alpha, key, value="mean", baseline=("baseline", "mean"))
    table = table.merge(spread[[*key, "low", "high", "baseline"]], on=key, how="left")
    return table.sort_values([*SET, "step"], ignore_index=True)[columns]


def runs(performance: pd.DataFrame) -> pd.DataFrame:
    """A row a run, split and performance: its best checkpoint (first of equals) and its last."""
    columns = ["dataset", "kind", "seed", "split", "metric", "checkpoints", "best", "best_step", "last", "last_step"]
    known, found = of(performance, part="all"), []
    for names, mine in known.groupby(columns[:5]):
        ordered = mine.sort_values("step", ignore_index=True)
        values = ordered["value"].to_numpy(dtype=float)
        told = dict(zip(columns[:5], names, strict=True)) | {"checkpoints": len(ordered), "last": values[-1]}
        told |= {"last_step": int(ordered["step"].iloc[-1]), "best": np.nan, "best_step": None}
        if not np.isnan(values).all():
            at = int(np.nanargmin(values) if names[-1] == "perplexity" else np.nanargmax(values))
            told |= {"best": values[at], "best_step": int(ordered["step"].iloc[at])}
        found.append(told)
    return pd.DataFrame(found, columns=columns)


def undefined(agreement: pd.DataFrame) -> pd.DataFrame:
    """A row a kind of comparison: how many items were compared, over all checkpoints, and how many were undefined."""
    columns = ["dataset", "split", "metric", "u", "v", "comparisons", "items", "undefined", "share"]
    known = of(agreement, part="all")
    # top5 keeps undefined items in its mean, kendall does not: what was compared is counted in different columns.
    compared = known["items"] + known["undefined"].where(known["metric"] == "kendall", 0)
    table = known.assign(items=compared).groupby(columns[:5], as_index=False)
    table = table.agg(comparisons=("mean", "size"), items=("items", "sum"), undefined=("undefined", "sum"))
    return table.assign(share=table["undefined"] / table["items"])[columns]


def notes(
    tables: Mapping[str, pd.DataFrame], rows: pd.DataFrame, performance: pd.DataFrame, labels: Labels
) -> list[str]:
    """The claimed inequalities, the held-out variant, what is missing or undefined."""
    told = []
    for (dataset, name, split, metric), mine in tables["dictionary"].groupby(SET):
        lead = f"{dataset}, {SPLITS[split]}, {METRICS[metric]}, checkpoint by {name}"
        values = mine.set_index("key")
        counts = of(tables["undefined"], dataset=dataset, split=split, metric=metric)
        told.append(f"{lead}: {_inequalities(values)} ({_items(counts, metric, labels)}).")
        if split == "val":
            told += _details(lead, values, labels.unit.get(name, ""))
    return [
        *told,
        *_held_out(tables["dictionary"]),
        *_missing(performance, rows, labels),
        *_undefined(tables["undefined"], labels),
        not_finite(rows.loc[~rows["key"].str.startswith("xi_"), "value"], "statistics other than xi"),
    ]


def _inequalities(values: pd.DataFrame) -> str:
    px, unif, baseline = (float(values["value"].get(key, np.nan)) for key in ("agr_px", "agr_unif", "baseline"))
    holds = "as the claims have it" if px > unif > baseline else "not in the order agr_px > agr_unif > baseline"
    return f"agr_px {px:.3f}, agr_unif {unif:.3f}, baseline {baseline:.3f}: {holds}"


def _items(counts: pd.DataFrame, metric: str, labels: Labels) -> str:
    """How many items the means are over, and for shares how sure that makes them."""
    items = round(counts["items"].sum() / max(1, counts["comparisons"].sum()))
    said = f"{items:,} {labels.item}s"
    if metric == "top5" and items:
        said += f", each share with a standard error of {0.5 / np.sqrt(items):.3f} at most if they are independent"
    return said


def _details(lead: str, values: pd.DataFrame, unit: str) -> list[str]:
    """When attention agrees better than each agreement, and what the sign of Delta changes."""
    best = values.loc["best_perf"]
    reached = []
    for key, entry in values[values.index.str.startswith("xi_")].iterrows():
        name = str(key).removeprefix("xi_")
        never = pd.isna(entry["step"])
        reached.append(f"{name} never" if never else f"{name} {entry['value']:.4g}{unit} (step {int(entry['step'])})")
    told = [
        f"{lead}: alpha agrees with the final one better than each agr_* from xi on: {', '.join(reached)}; the best "
        f"performance is {best['value']:.4g}{unit} at step {int(best['step'])}."
    ]
    if "agr_grad" in values.index and not pd.isna(values.loc["agr_grad", "legacy_sign"]):
        grad = values.loc["agr_grad"]
        told.append(
            f"{lead}: agr_grad is {grad['value']:.3f} with the correct sign of Delta, {grad['legacy_sign']:.3f} with "
            "the published one."
        )
    return told


def _held_out(dictionary: pd.DataFrame) -> list[str]:
    """How much choosing checkpoints on the judged items adds."""
    told = []
    for metric, mine in dictionary[dictionary["key"].str.startswith("agr_")].groupby("metric"):
        gain = (mine["value"] - mine["held_out"]).astype(float).dropna()
        if len(gain):
            told.append(
                f"{METRICS[metric]}: agreements whose checkpoints are chosen on the judged items are higher than those "
                f"chosen on one half and judged on the other by {gain.mean():+.3f} on average ({gain.min():+.3f} to "
                f"{gain.max():+.3f}, {len(gain)} agreements)."
            )
    return told


def _missing(performance: pd.DataFrame, rows: pd.DataFrame, labels: Labels) -> list[str]:
    """How many of the planned checkpoints have no evaluation, and of which data sets there are no statistics."""
    have = performance[["dataset", "kind", "seed", "step"]].drop_duplicates()["dataset"].value_counts()
    told = []
    for dataset in labels.datasets:
        planned = len(labels.runs.all) * len(labels.steps[dataset])
        told += missing(int(have.get(dataset, 0)), planned, f"evaluated checkpoints of {dataset}")
    return told + missing(rows["dataset"].nunique(), len(labels.datasets), "data sets' statistics")


def _undefined(counts: pd.DataFrame, labels: Labels) -> list[str]:
    """What had no value, and what was done about it."""
    rules = {
        "top5": "a side has NaN; they count as published",
        "kendall": "a side is constant or has NaN; they are in no mean",
    }
    return [
        f"{METRICS[metric]}: {int(mine['undefined'].sum()):,} of {int(mine['items'].sum()):,} comparisons of a "
        f"{labels.item} are undefined ({rules[str(metric)]})."
        for metric, mine in counts.groupby("metric")
    ]
