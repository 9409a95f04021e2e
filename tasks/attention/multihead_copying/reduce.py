"""From the rows of `multihead_copying` to tables, figures and sentences, whatever part of the sweep is done."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from orchestrator.experiment import Results, Summary
from tasks.attention.multihead_copying.captions import CAPTIONS
from tasks.attention.multihead_copying.config import Config
from tasks.attention.multihead_copying.figures import attention_figure, combinations_figure, heads_figure
from tasks.attention.multihead_copying.notes import notes
from tasks.attention.multihead_copying.tables import (
    alone,
    combination_outcomes,
    costs,
    head_verdicts,
    shares_by_kind,
    shares_by_step,
)


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences; an empty table stays away, and the notes say what is missing."""
    heads, curves, attention = (results.table(name) for name in ("heads", "combinations", "attention"))
    blocks, stock = results.table("head_blocks"), results.table("combination_blocks")
    found = combination_outcomes(curves, attention, config.learned_from)
    tables = {
        "shares": shares_by_kind(found),
        "head_verdicts": head_verdicts(heads),
        "alone": alone(heads),
        "combination_outcomes": found,
        "shares_by_step": shares_by_step(curves, found),
        "costs": costs(blocks, stock),
    }
    figures = draw(tables, results.table("screening"), heads, curves, attention, config)
    told = notes(tables, heads, blocks, stock, config)
    tables = {name: table for name, table in tables.items() if len(table)}
    captions = {name: text for name, text in CAPTIONS.items() if name in tables or name in figures}
    return Summary(tables=tables, figures=figures, captions=captions, notes=told)


def draw(
    tables: Mapping[str, pd.DataFrame],
    screening: pd.DataFrame,
    heads: pd.DataFrame,
    curves: pd.DataFrame,
    attention: pd.DataFrame,
    config: Config,
) -> dict[str, Figure]:
    """Combinations, heads alone, and where heads point, as far as there are rows."""
    figures: dict[str, Figure] = {}
    found = tables["combination_outcomes"]
    if len(found):
        figures["combinations"] = combinations_figure(curves, found, tables["shares_by_step"], config.combined)
        figures["attention"] = attention_figure(attention, config.combined)
    if len(heads):
        figures["heads"] = heads_figure(screening, heads, tables["head_verdicts"])
    return figures
