"""What came out, in words, for the head of the report."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tasks.analysis.panels import of, short
from tasks.transfer.representation_similarity.config import Config

ENOUGH = 10
"""Rows for each feature, below which a similarity is mostly that of independent data (transfer_analysis 8)."""
ALIKE = 0.8
"""Part of a value that shuffled positions reach, above which that is said."""
SHOWN = ("pwcca_mean", "svcca", "cka")
NAMES = {"pwcca_mean": "PWCCA", "svcca": "SVCCA", "cka": "CKA"}


def notes_of(tables: Mapping[str, pd.DataFrame], config: Config) -> list[str]:
    """Sentences: pretrained against random, how far above the nulls, too few rows, values that are not finite."""
    last, levels = tables["last_levels"], tables["levels"]
    if not len(levels):
        return ["No pair of encoders has been compared yet."]
    notes = [note for row in tables["closer_to_plus"].itertuples() if row.metric in SHOWN for note in _closer(row)]
    for row in of(last, metric="pwcca_mean").itertuples():
        interval = f" (95 % interval {row.low:.3f} to {row.high:.3f}, {row.seeds} seeds)" if row.seeds > 1 else ""
        notes.append(
            f"{row.protein_task}, {short(row.model)}, {row.pair}: PWCCA of the last levels is {row.mean:.3f}{interval}"
            f", of independent data {row.null_mean:.3f}, of shuffled positions {row.shuffled:.3f}, {row.n_rows:,} rows."
        )
    notes += _few_rows(last) + _alike(last)
    planned = len(config.pairs) * len(config.models) * len(config.protein_tasks)
    found = len(last[["model", "protein_task", "pair"]].drop_duplicates())
    if found < planned:
        notes.append(f"{planned - found} of {planned} pairs of encoders and protein tasks are missing.")
    bad, all_values = int(levels["not_finite"].sum()), int((levels["seeds"] + levels["not_finite"]).sum())
    notes.append(f"{bad} of {all_values} values are not finite.")
    cost = tables["costs"]
    seconds = cost[["encoder_seconds", "moment_seconds", "compare_seconds"]].to_numpy().sum()
    notes.append(f"{cost['layer_passes'].sum():,} layer passes in {seconds:,.0f} seconds of work.")
    return notes


def _closer(row: Any) -> list[str]:
    gap = abs(row.difference)
    relation = "closer to PLUS than" if row.difference > 0 else "farther from PLUS than"
    if row.seeds_random > 1:
        doubt = "" if row.clear else "; not clear of what another random twin may have"
    else:
        doubt = "; one random twin, so no interval"
    return [
        f"{row.protein_task}, {short(row.model)}: by {NAMES[row.metric]} of the last levels the pretrained encoder is "
        f"{relation} its random twin is, by {gap:.3f} ({row.mean_pretrained:.3f} against {row.mean_random:.3f}; "
        f"shuffled positions {row.shuffled_pretrained:.3f} and {row.shuffled_random:.3f}{doubt})."
    ]


def _alike(last: pd.DataFrame) -> list[str]:
    """Where proteins are so alike that rows repeat, the independent null is far too low."""
    rows = of(last, metric="pwcca_mean")
    notes = []
    for task, group in rows[rows["shuffled"] > ALIKE * rows["mean"]].groupby("protein_task", observed=True):
        notes.append(
            f"{task}: shuffled positions come to {group['shuffled'].mean():.3f} on average where the PWCCA is "
            f"{group['mean'].mean():.3f}: many rows repeat each other, as in proteins of one family, so that the "
            "number of rows says too much and the independent null is too low; compare with the shuffled one."
        )
    return notes


def _few_rows(last: pd.DataFrame) -> list[str]:
    """What the null is where there are few rows for the features."""
    notes = []
    for (task, rows), group in of(last, metric="pwcca_mean").groupby(["protein_task", "n_rows"], observed=True):
        width = int(group[["dim_first", "dim_second"]].max().max())
        if rows < ENOUGH * width:
            extent = f"fewer than the {width} features" if rows <= width else f"{rows / width:.1f} for each feature"
            null, highest = group["null_mean"].mean(), group["null_max"].max()
            notes.append(
                f"{task}: {rows:,} rows, {extent}, are few: PWCCA of independent data is {null:.3f} there (at most "
                f"{highest:.3f}), so only what is above it means anything; give more --proteins or --rows."
            )
    return notes
