"""What came out of `sequence_copying` in sentences, every number from the rows."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import fisher_exact

from tasks.analysis.panels import of
from tasks.attention.copying.outcomes import FAILED, LEARNED, reached_text, share_text
from tasks.attention.sequence_copying.config import Config
from tasks.attention.sequence_copying.published import (
    ALL_BY_STEP,
    FAILING,
    FAILING_ATTENTION,
    RUNS_LEARNED,
    is_published_setting,
)


def notes(tables: dict[str, pd.DataFrame], rows: pd.DataFrame, config: Config) -> list[str]:
    """What came out, beside what was expected and published, what is missing, and what is not finite."""
    told = [_line(row, config) for row in tables["shares"].itertuples()]
    told += _contrasts(tables["shares"])
    if is_published_setting(config):
        told += _expected(tables["outcomes"], config)
    planned = len(config.settings) * len(config.attentions) * len(config.seeds)
    done = len(tables["outcomes"])
    if done < planned:
        told.append(f"{planned - done} of {planned} runs are missing.")
    bad = int((~np.isfinite(rows["loss"].to_numpy(dtype=float))).sum())
    told.append(f"{bad:,} of {len(rows):,} losses are not finite.")
    if len(tables["costs"]):
        told.append(f"{done} runs trained in {tables['costs']['train_seconds'].sum():,.0f} seconds.")
    return told


def _line(row: Any, config: Config) -> str:
    text = f"{_name(row.setting, row.attention)}: {share_text(row)} reached accuracy {config.learned_from:g}"
    text += reached_text(row)
    text += "."
    if row.attends + row.failed:
        text += (
            f" The others stood at {row.unlearned_accuracy_least:.3f} to {row.unlearned_accuracy_most:.3f} at the last "
            "evaluation"
        )
        if np.isfinite(row.unlearned_attention_most):
            text += f", their attention right in {row.unlearned_attention_most:.3f} of positions at most"
        text += "."
    return text


def _name(setting: str, attention: str) -> str:
    return setting if attention == "learned" else f"{setting} with attention {attention}"


def _contrasts(table: pd.DataFrame) -> list[str]:
    """Permutations against the other settings, with the same attention."""
    told = []
    for here in table.itertuples():
        if not here.setting.startswith("permutation"):
            continue
        for other in of(table, attention=here.attention).itertuples():
            if other.setting.startswith("permutation"):
                continue
            counts = [[row.learned, row.runs - row.learned] for row in (here, other)]
            p = float(fisher_exact(counts)[1])  # pyright: ignore[reportArgumentType]
            less = "less often than" if here.share < other.share else "no less often than"
            told.append(
                f"{_name(here.setting, here.attention)} was learned {less} {other.setting}: {here.learned} of "
                f"{here.runs} runs against {other.learned} of {other.runs} (Fisher's exact test, two-sided: "
                f"p = {p:.2g})."
            )
    return told


def _expected(found: pd.DataFrame, config: Config) -> list[str]:
    """The two expectations at the published size (attention_dynamics 9), and the published code's counts."""
    told = []
    every = of(found, setting="distinct-60", attention="learned")
    if len(every) and config.learned_from >= 0.99:
        by = int((every["reached"] <= ALL_BY_STEP).sum())
        told.append(
            f"Expected of distinct-60: every run at {config.learned_from:g} by step {ALL_BY_STEP}. Found: {by} of "
            f"{len(every)}."
        )
    runs = of(found, setting="permutation-40", attention="learned")
    if len(runs):
        failed = runs[runs["outcome"] == FAILED]
        learned = int((runs["outcome"] == LEARNED).sum())
        within = failed["accuracy"].between(*FAILING) & (failed["attention_accuracy"] < FAILING_ATTENTION)
        told.append(
            f"Expected of permutation-40: both outcomes, and of failing runs accuracy {FAILING[0]:.2f} to "
            f"{FAILING[1]:.2f} at step 190 with attention below {FAILING_ATTENTION:g}. Found: {learned} learned, "
            f"{len(failed)} failed, {int(within.sum())} of these as expected."
        )
    for setting, (learned, of_runs) in RUNS_LEARNED.items():
        here = of(found, setting=setting, attention="learned")
        if len(here):
            ours = int((here["outcome"] == LEARNED).sum())
            told.append(
                f"{setting}, runs of the published code: {learned} of {of_runs} learned; here {ours} of {len(here)}."
            )
    return told
