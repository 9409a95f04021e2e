"""The sentences at the head of the report of `bert_pretraining`: which runs diverged, which train, how fast."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tasks.deepscale.bert_pretraining.config import Config


def notes(
    training: pd.DataFrame, outcomes: pd.DataFrame, tables: Mapping[str, pd.DataFrame], config: Config
) -> list[str]:
    """All sentences."""
    found = [_variant(row) for row in tables["variants"].itertuples()]
    found += _against_vanilla(tables["variants"])
    fast = tables["throughput"].dropna(subset="tokens_per_second")
    if len(fast):
        low, high = fast["tokens_per_second"].min(), fast["tokens_per_second"].max()
        share = fast["flops_utilisation"].median()
        used = f", {share:.0%} of the devices' peak in the middle" if np.isfinite(share) else ""
        found.append(f"{low:,.0f} to {high:,.0f} tokens a second{used}; {fast['padding'].mean():.1%} was padding.")
    values = training["value"]
    bad = int((~np.isfinite(values)).sum())
    found.append(f"{bad} of {len(values)} points are not finite.")
    planned = len(config.norms) * len(config.schemes) * len(config.layers) * len(config.seeds)
    if len(outcomes) < planned:
        found.append(f"{planned - len(outcomes)} of {planned} runs have not ended yet.")
    return found


def _variant(row: Any) -> str:
    name = f"{row.norm}-LN {row.scheme}, {row.layers} layers"
    runs = f"{row.runs} run{'s' * (row.runs > 1)}"
    if row.diverged == row.runs:
        return f"{name}: all of {runs} diverged, the first at step {row.first_diverged_step}."
    became = [
        f"{count} {words}"
        for count, words in (
            (row.trained, "trained"),
            (row.not_training, "did not get below token frequencies"),
            (row.diverged, f"diverged (the first at step {row.first_diverged_step})"),
        )
        if count
    ]
    return (
        f"{name}: of {runs} {', '.join(became)}; masked pieces of the test part cost {row.test_mlm_loss:.3f} nats "
        f"({row.test_mlm_accuracy:.1%} named), their frequencies alone {row.unigram_loss:.3f}."
    )


def _against_vanilla(variants: pd.DataFrame) -> list[str]:
    """For each depth and norm what the scaled variant gains on the ordinary one."""
    found = []
    for (norm, layers, _), group in variants.groupby(["norm", "layers", "width"], sort=True):
        loss = dict(zip(group["scheme"], group["test_mlm_loss"], strict=True))
        gain = loss.get("vanilla", np.nan) - loss.get("dslm", np.nan)
        if np.isfinite(gain):
            word = "less" if gain > 0 else "more"
            found.append(
                f"{norm}-LN, {layers} layers: masked pieces cost dslm {abs(gain):.3f} nats {word} than vanilla."
            )
    return found
