"""The sentences at the head of the report of `attention_matching`."""

import math
from collections.abc import Mapping

import pandas as pd

from tasks.analysis.panels import of, short
from tasks.transfer.attention_matching.config import Config
from tasks.transfer.comparison.lines import NAMES, one_more

TOKENS = {"all": "all tokens", "residues": "residues alone"}


def notes_of(tables: Mapping[str, pd.DataFrame], config: Config) -> list[str]:
    """What came out, what is missing, how many values were not finite."""
    close, notes = tables["closeness"], []
    for (model, task, tokens), _ in close.groupby(["model", "protein_task", "tokens"], sort=True):
        notes += _closer(of(close, model=model, protein_task=task, tokens=tokens), str(model), str(task), str(tokens))
    notes += _published(tables["by_layer"])
    done = set(close["pair"])
    missing = [pair for pair in config.pairs if pair not in done]
    if missing:
        notes.append(f"No values yet of {', '.join(missing)}.")
    cost = tables["costs"]
    if len(cost):
        notes.append(
            "The best matching of each protein costs less than shuffled heads for any two encoders, since it is the "
            "smallest of all totals; whether heads correspond is told by the matching of the other half (crossfit)."
        )
        bad = int(cost["not_finite"].sum())
        notes.append(
            f"{bad} costs of a protein and layer were not finite"
            + (" and are left out of all means." if bad else ".")
            + f" {cost['layer_passes'].sum():,} layer passes; {cost['encoder_seconds'].sum():,.0f} seconds in the "
            f"encoders, {cost['matching_seconds'].sum():,.0f} in costs and matchings; at most "
            f"{cost['map_bytes'].max() / 2**20:,.1f} MiB of attention maps held together."
        )
    return notes


def _closer(close: pd.DataFrame, model: str, task: str, tokens: str) -> list[str]:
    """Whether the pretrained encoder is closer to PLUS than its random twin is, against shuffled heads."""
    said, saved = [], {}
    for pair in ("pretrained-plus", "random-plus", "pretrained-random"):
        values = of(close, pair=pair).set_index("metric")
        if not len(values):
            continue
        saved[pair] = values.loc["saved_crossfit"]
        first, second = (NAMES[side] for side in pair.split("-"))
        said.append(
            f"{first} and {second}: matched {values.loc['matched_mean', 'mean']:.3f}, matched by the other half "
            f"{values.loc['crossfit', 'mean']:.3f}, shuffled {values.loc['unmatched_mean', 'mean']:.3f}, so that "
            f"{saved[pair]['mean']:.1%} of the shuffled cost is saved{_interval(saved[pair])}"
        )
    notes = [f"{task}, {short(model)}, {TOKENS[tokens]}. {'; '.join(said)}."] if said else []
    if {"pretrained-plus", "random-plus"} <= set(saved):
        own, twin = saved["pretrained-plus"], saved["random-plus"]
        clear = abs(own["mean"] - twin["mean"]) > one_more(twin["mean"], twin["high"], twin["seeds"])
        closer = "more" if own["mean"] > twin["mean"] else "less"
        notes.append(
            f"{task}, {short(model)}, {TOKENS[tokens]}: the pretrained encoder's heads correspond {closer} to PLUS's "
            f"than a random twin's do ({own['mean']:.1%} against {twin['mean']:.1%} saved"
            + ("" if clear else "; not clear of what another random twin may have")
            + ")."
        )
    return notes


def _published(by_layer: pd.DataFrame) -> list[str]:
    """What the missing index makes of the totals, with --legacy-totals."""
    notes = []
    for (task, pair), table in of(by_layer, metric="bug_mean").groupby(["protein_task", "pair"], sort=True):
        first, second = (NAMES[side] for side in str(pair).split("-"))
        right = of(by_layer, protein_task=task, pair=pair, tokens="all", metric="matched_mean")
        notes.append(
            f"{task}, {first} and {second}: published totals with their missing index {table['mean'].mean():,.1f} "
            f"(mean over layers), where one matched pair of heads costs {right['mean'].mean():,.1f}."
        )
    return notes


def _interval(row: pd.Series) -> str:
    return "" if math.isnan(row["low"]) else f" (95 % interval over seeds {row['low']:.1%} to {row['high']:.1%})"
