"""What came out, in sentences: the claimed inequalities, the held-out variant, what is missing or undefined."""

import numpy as np
import pandas as pd

from tasks.analysis.panels import of
from tasks.attention.learning.labels import Labels

METRICS = {"top5": "top-5 % match", "kendall": "Kendall's tau"}
SPLITS = {"val": "evaluation split", "train": "sample of the training split"}


def notes(tables: dict[str, pd.DataFrame], rows: pd.DataFrame, performance: pd.DataFrame, labels: Labels) -> list[str]:
    """Sentences for the head of the report."""
    told = []
    for (dataset, name, split, metric), mine in tables["dictionary"].groupby(
        ["dataset", "performance", "split", "metric"]
    ):
        lead = f"{dataset}, {SPLITS[split]}, {METRICS[metric]}, checkpoint by {name}"
        values = mine.set_index("key")
        counts = of(tables["undefined"], dataset=dataset, split=split, metric=metric)
        told.append(f"{lead}: {_inequalities(values)} ({_items(counts, metric, labels)}).")
        if split == "val":
            told += _details(lead, values, labels.unit.get(name, ""))
    held_out = _held_out(tables["dictionary"])
    return [*told, *held_out, *_missing(performance, rows, labels), *_undefined(tables["undefined"], rows, labels)]


def _inequalities(values: pd.DataFrame) -> str:
    px, unif, baseline = (float(values["value"].get(key, np.nan)) for key in ("agr_px", "agr_unif", "baseline"))
    holds = "as the text expects" if px > unif > baseline else "not in the order agr_px > agr_unif > baseline"
    return f"agr_px {px:.3f}, agr_unif {unif:.3f}, baseline {baseline:.3f}: {holds}"


def _items(counts: pd.DataFrame, metric: str, labels: Labels) -> str:
    """How many items the means are over, and for shares how sure that makes them."""
    items = round(counts["items"].sum() / max(1, counts["comparisons"].sum()))
    said = f"{items:,} {labels.item}s"
    if metric == "top5" and items:
        said += f", each share with a standard error of {0.5 / np.sqrt(items):.3f} at most if they are independent"
    return said


def _details(lead: str, values: pd.DataFrame, unit: str) -> list[str]:
    best = values.loc["best_perf"]
    reached = []
    for key in [key for key in values.index if key.startswith("xi_")]:
        value, step = values.loc[key, ["value", "step"]]
        name = key.removeprefix("xi_")
        reached.append(f"{name} never" if pd.isna(step) else f"{name} {value:.4g}{unit} (step {int(step)})")
    told = [
        f"{lead}: alpha agrees with the final one better than each agr_* from xi on: {', '.join(reached)}; the best "
        f"performance is {best['value']:.4g}{unit} at step {int(best['step'])}."
    ]
    grad = values["value"].get("agr_grad", np.nan)
    legacy = values["legacy_sign"].get("agr_grad", np.nan)
    if not pd.isna(legacy):
        told.append(
            f"{lead}: agr_grad is {grad:.3f} with the correct sign of Delta, {legacy:.3f} with the published one."
        )
    return told


def _held_out(dictionary: pd.DataFrame) -> list[str]:
    """How much choosing checkpoints on the judged items adds."""
    told = []
    known = dictionary[dictionary["key"].str.startswith("agr_")]
    for metric, mine in known.groupby("metric"):
        gain = (mine["value"] - mine["held_out"]).astype(float).dropna()
        if len(gain):
            told.append(
                f"{METRICS[metric]}: agreements whose checkpoints are chosen on the judged items are higher than those "
                f"chosen on one half and judged on the other by {gain.mean():+.3f} on average ({gain.min():+.3f} to "
                f"{gain.max():+.3f}, {len(gain)} agreements)."
            )
    return told


def _missing(performance: pd.DataFrame, rows: pd.DataFrame, labels: Labels) -> list[str]:
    """Which planned checkpoints and statistics are not there."""
    told = []
    have = set(performance[["dataset", "kind", "seed", "step"]].drop_duplicates().itertuples(index=False, name=None))
    for dataset in labels.datasets:
        lacking = []
        for run in labels.runs.all:
            steps = labels.steps[dataset]
            gone = sum((dataset, run.kind, run.seed, step) not in have for step in steps)
            if gone:
                lacking.append(f"{run.name} ({gone} of {len(steps)} checkpoints)")
        if lacking:
            told.append(f"{dataset}: evaluations are missing of {', '.join(lacking)}.")
        if dataset not in set(rows["dataset"]):
            told.append(f"{dataset}: no statistics yet.")
    return told


def _undefined(counts: pd.DataFrame, rows: pd.DataFrame, labels: Labels) -> list[str]:
    """What had no value, and what was done about it."""
    told = []
    for metric, mine in counts.groupby("metric"):
        total, bad = int(mine["items"].sum()), int(mine["undefined"].sum())
        rule = (
            "a side has NaN; they count as published"
            if metric == "top5"
            else "a side is constant or has NaN; they are in no mean"
        )
        told.append(f"{METRICS[metric]}: {bad:,} of {total:,} comparisons of a {labels.item} are undefined ({rule}).")
    reachable = rows[~rows["key"].str.startswith("xi_")]
    bad = int((~np.isfinite(reachable["value"].to_numpy(dtype=float))).sum())
    told.append(f"{bad:,} of {len(reachable):,} statistics other than xi are not finite.")
    return told
