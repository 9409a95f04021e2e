"""From the rows of either experiment to tables, figures and sentences, whatever part of the sweep is done."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from metrics.intervals import mean_interval
from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import file_name, of
from tasks.attention.learning.captions import captions
from tasks.attention.learning.figures import agreement_figure, crossing_figure, learning_figure
from tasks.attention.learning.labels import Labels
from tasks.attention.learning.notes import notes
from tasks.attention.learning.published import published

SET = ["dataset", "performance", "split", "metric"]
"""The columns that tell one dictionary of statistics from another."""
OVER_STEPS = ("alpha_corrs", "alpha_perfs")


def summarise(results: Results, labels: Labels) -> Summary:
    """Tables, figures and sentences; an empty table stays away, and the notes say what is missing."""
    rows, agreement, performance = (results.table(name) for name in ("statistics", "agreement", "performance"))
    tables = {
        "dictionary": dictionary(rows, labels),
        "curves": curves(rows, agreement),
        "runs": runs(performance),
        "undefined": undefined(agreement),
    }
    figures = draw(tables, agreement, labels)
    told = notes(tables, rows, performance, labels)
    tables = {name: table for name, table in tables.items() if len(table)}
    said = captions(labels)
    chosen = {name: said[name] for name in tables}
    chosen |= {
        name: said[name.partition("-")[0]] for name in figures
    }  # one figure a data set: the caption is the kind's
    return Summary(tables=tables, figures=figures, captions=chosen, notes=told)


def draw(tables: dict[str, pd.DataFrame], agreement: pd.DataFrame, labels: Labels) -> dict[str, Figure]:
    """Learning of each data set, and what all of them agree on."""
    figures: dict[str, Figure] = {}
    for dataset in dict.fromkeys(tables["curves"]["dataset"]):
        mine = of(tables["curves"], dataset=dataset)
        figures[f"learning-{file_name(str(dataset))}"] = learning_figure(mine, of(agreement, dataset=dataset), labels)
    if len(tables["dictionary"]):
        figures["agreement"] = agreement_figure(tables["dictionary"], labels)
        figures["crossing"] = crossing_figure(tables["dictionary"], labels)
    return figures


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


def _printed(row: dict, labels: Labels) -> float:
    found = published(labels.task, row["dataset"], row["split"], row["performance"])
    value = found.numbers.get(row["key"]) if found and row["metric"] == "top5" else None
    return np.nan if value is None else value


def curves(rows: pd.DataFrame, agreement: pd.DataFrame) -> pd.DataFrame:
    """A row a checkpoint: agreement of alpha with the gold run's, and performance, means over comparison runs.

    `low` and `high` are Student's 95 % interval of the agreement over these runs (NaN for one).
    """
    columns = [*SET, "step", "agreement", "low", "high", "baseline", "performance_value", "gold_step"]
    known = of(rows, selection="same", sign="correct")
    parts = [of(known, key=name)[[*SET, "step", "value"]] for name in OVER_STEPS]
    table = parts[0].merge(parts[1], on=[*SET, "step"], suffixes=("", "_performance"))
    if not len(table):
        return pd.DataFrame(columns=columns)
    best = of(known, key="best_perf").set_index(SET)["step"]
    alpha = of(agreement, part="all", u="alpha", v="alpha")
    found = []
    for row in table.to_dict("records"):
        names = tuple(row[name] for name in SET)
        over = of(
            alpha,
            dataset=row["dataset"],
            split=row["split"],
            metric=row["metric"],
            u_step=best[names],
            v_step=row["step"],
        )
        _, low, high = mean_interval(over["mean"].tolist())
        found.append({"low": low, "high": high, "baseline": over["baseline"].mean(), "gold_step": int(best[names])})
    table = table.rename(columns={"value": "agreement", "value_performance": "performance_value"})
    extra = pd.DataFrame(found, index=table.index)
    return pd.concat([table, extra], axis=1).sort_values([*SET, "step"], ignore_index=True)[columns]


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
    if not len(known):
        return pd.DataFrame(columns=columns)
    # top5 keeps undefined items in its mean, kendall does not: what was compared is counted in different columns.
    compared = known["items"] + known["undefined"].where(known["metric"] == "kendall", 0)
    table = known.assign(items=compared).groupby(columns[:5], as_index=False)
    table = table.agg(comparisons=("mean", "size"), items=("items", "sum"), undefined=("undefined", "sum"))
    return table.assign(share=table["undefined"] / table["items"])[columns]
