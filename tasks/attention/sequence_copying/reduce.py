"""From the rows of `sequence_copying` to tables, figures and sentences, whatever part of the sweep is done."""

from dataclasses import asdict

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from metrics.copying import bag_statistics
from orchestrator.experiment import Results, Summary
from tasks.attention.copying.outcomes import outcomes, shares
from tasks.attention.sequence_copying.captions import CAPTIONS
from tasks.attention.sequence_copying.config import Config
from tasks.attention.sequence_copying.figures import LINES, curves_figure
from tasks.attention.sequence_copying.notes import notes
from tasks.attention.sequence_copying.published import is_published_setting

RUN = (*LINES, "seed")
MEASURES = ("accuracy", "attention_accuracy", "attention_late", "attention_early", "loss")


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences; an empty table stays away, and the notes say what is missing."""
    rows, costs = (with_setting(results.table(name)) for name in ("copying", "trainings"))
    found = outcomes(rows, RUN, config.learned_from)
    tables = {
        "shares": shares(found, LINES),
        "outcomes": found,
        "curves": curves(rows),
        "bags": bags(config),
        "costs": costs.groupby(list(LINES), as_index=False)[["runs", "train_seconds"]].sum(),
    }
    figures = draw(rows, found, config)
    told = notes(tables, rows, config)
    tables = {name: table for name, table in tables.items() if len(table)}
    captions = {name: text for name, text in CAPTIONS.items() if name in tables or name in figures}
    return Summary(tables=tables, figures=figures, captions=captions, notes=told)


def with_setting(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the setting's name; an empty one has the columns that tell lines apart all the same."""
    if not len(table):
        return table.reindex(columns=[*dict.fromkeys([*table.columns, *LINES])])
    return table.assign(setting=table["kind"] + "-" + table["symbols"].astype(str))


def draw(rows: pd.DataFrame, found: pd.DataFrame, config: Config) -> dict[str, Figure]:
    """The learning curves, where there are any."""
    if not len(rows):
        return {}
    published = is_published_setting(config)
    return {"learning_curves": curves_figure(rows, found, config.settings, config.length + 1, published=published)}


def curves(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean, least and greatest of each measure over runs, a row a line, step and measure."""
    long = rows.melt([*LINES, "step"], list(MEASURES), "measure", "value")
    long["value"] = long["value"].astype(float).where(np.isfinite(long["value"].to_numpy(dtype=float)))
    return (
        long.groupby([*LINES, "measure", "step"], as_index=False)["value"]
        .agg(["count", "mean", "min", "max"])
        .rename(columns={"count": "runs", "min": "least", "max": "most"})
    )


def bags(config: Config) -> pd.DataFrame:
    """What bags know of each setting, in closed form."""
    return pd.DataFrame(
        [
            {"setting": setting.name, **asdict(bag_statistics(setting.kind, setting.symbols, config.length))}
            for setting in config.parsed
        ]
    )
