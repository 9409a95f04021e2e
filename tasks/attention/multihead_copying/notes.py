"""What came out of `multihead_copying` in sentences, every number from the rows."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from scipy.stats import fisher_exact

from tasks.analysis.panels import of
from tasks.attention.copying.outcomes import reached_text, share_text
from tasks.attention.multihead_copying.config import Config


def notes(
    tables: Mapping[str, pd.DataFrame], heads: pd.DataFrame, blocks: pd.DataFrame, stock: pd.DataFrame, config: Config
) -> list[str]:
    """What came out, from how many heads, what is missing."""
    told = _heads(tables["head_verdicts"], heads, config)
    by_kind = {row.combined: row for row in tables["shares"].itertuples()}
    for kind in config.combined:
        if kind in by_kind:
            told.append(_kind(by_kind[kind], config))
    told += _answers(by_kind, tables["combination_outcomes"], config)
    told += _missing(tables, blocks, stock, config)
    if len(tables["costs"]):
        told.append(f"{tables['costs']['seconds'].sum():,.0f} seconds of training.")
    return told


def _heads(verdicts: pd.DataFrame, heads: pd.DataFrame, config: Config) -> list[str]:
    if not len(verdicts):
        return []
    counts = dict(zip(verdicts["verdict"], verdicts["heads"], strict=True))
    trainings = heads["outcome"].value_counts()
    return [
        f"Of {heads['head'].nunique()} heads tried alone with {heads['data_seed'].nunique()} data seeds each "
        f"{counts['good']} are good (above {config.good_above:g} with every seed), {counts['bad']} bad (below "
        f"{config.bad_below:g} at the last evaluation) and {counts['neither']} neither; of {len(heads)} trainings "
        f"{trainings.get('good', 0)} were good, {trainings.get('bad', 0)} bad and {trainings.get('undecided', 0)} "
        "undecided."
    ]


def _kind(row: Any, config: Config) -> str:
    heads = {
        "bad": f"{config.size} heads that each fail alone",
        "good": f"{config.size} heads, of which one succeeds alone and the others fail",
        "random": f"{config.size} heads drawn at random",
    }
    text = f"Combinations of {heads[row.combined]}: {share_text(row)} reached accuracy {config.learned_from:g}"
    text += reached_text(row)
    text += f"; mean accuracy at the last evaluation {row.accuracy_mean:.3f}."
    if row.attends:
        text += f" Of the others {row.attends} have a head that points at the right position by then, if late."
    return text


def _answers(by_kind: Mapping[str, Any], found: pd.DataFrame, config: Config) -> list[str]:
    told = []
    if bad := by_kind.get("bad"):
        how = "all" if bad.learned == bad.runs else "some" if bad.learned else "none"
        told.append(
            f"Do heads that fail alone learn together? {bad.learned} of {bad.runs} combinations did: {how} of them."
        )
    if (bad := by_kind.get("bad")) and (good := by_kind.get("good")):
        counts = [[row.learned, row.runs - row.learned] for row in (bad, good)]
        p = float(fisher_exact(counts)[1])  # pyright: ignore[reportArgumentType]
        difference = good.share - bad.share
        way = "more often" if difference > 0 else "less often" if difference < 0 else "as often"
        told.append(
            f"Does a good one help? With it combinations learned {way}: {good.learned} of {good.runs} against "
            f"{bad.learned} of {bad.runs} (Fisher's exact test, two-sided, as if combinations were independent: "
            f"p = {p:.2g}); their mean accuracy at the last evaluation is {good.accuracy_mean:.3f} against "
            f"{bad.accuracy_mean:.3f}."
        )
        own = of(found, combined="good")
        itself = int((own["best_place"] == config.size - 1).sum())
        told.append(
            f"In {itself} of {len(own)} combinations with a good head it is that head which points at the right "
            "position most often at the last evaluation."
        )
    return told


def _missing(
    tables: Mapping[str, pd.DataFrame], blocks: pd.DataFrame, stock: pd.DataFrame, config: Config
) -> list[str]:
    told = []
    idle = int((~blocks["needed"].astype(bool)).sum())
    if idle:
        told.append(
            f"{idle} of {len(blocks)} blocks of candidates were not needed: those before held {config.wanted} good and "
            f"{config.wanted} bad heads."
        )
    for kind, group in stock.groupby("combined") if len(stock) else ():
        good, bad = int(group["good_found"].min()), int(group["bad_found"].min())
        if not group["enough"].all():
            needed = f"{config.size} bad" if kind == "bad" else f"{config.size - 1} bad and 1 good"
            told.append(
                f"No combinations of kind {kind}: {needed} heads are needed, {bad} bad and {good} good were found "
                f"among {config.candidates} candidates; give more --candidates."
            )
        elif kind != "random" and (bad < config.wanted or (kind == "good" and good < config.wanted)):
            told.append(
                f"Combinations of kind {kind} draw from {bad} bad and {good} good heads, fewer than the "
                f"{config.wanted} wanted of each; more --candidates give more."
            )
    planned, done = len(config.combined) * config.combinations, len(tables["combination_outcomes"])
    if done < planned:
        told.append(f"{planned - done} of {planned} combinations are missing.")
    return told
