"""What is said and drawn of `attention_classification`: the shared statistics, training curves, choice of proxies."""

import dataclasses

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import GREY, legend, line_handle, of, outer_labels, panels
from tasks.attention.attention_classification.config import Config
from tasks.attention.learning.labels import Labels
from tasks.attention.learning.reduce import summarise as summarise_statistics
from tasks.attention.texts.catalogue import canonical

NAMES = {"px": "averaged embeddings", "logistic": "logistic regression"}
UNITS = {"loss": " nats a document", "accuracy": ""}
GOLD, COMPARISON, UNIFORM = "#b3263c", "#1f5fa8", GREY

CAPTIONS = {
    "training": (
        "Training loss of each run, mean binary cross entropy of the documents since the point before, before each "
        "update. Red: the gold run; blue: comparison runs; grey: the run with attention frozen to uniform. Single "
        "runs, so no interval is shown; the line at ln 2 is guessing."
    ),
    "proxies": (
        "Which epoch (px) or C (logistic) of each word-level model was chosen, and how it does on the documents that "
        "chose it (part all: all test documents, as published; part a: one half) and on the half b that chose "
        "nothing: others_value, of the model that half a chose."
    ),
}


def summarise(results: Results, config: Config) -> Summary:
    """The shared tables, figures and sentences, with those of trainings and proxies."""
    shared = summarise_statistics(results, labels(config))
    training, data = results.table("training"), results.table("data")
    chosen = proxy_table(results.table("proxies"))
    tables, figures = dict(shared.tables), dict(shared.figures)
    if len(chosen):
        tables["proxies"] = chosen
    if len(training):
        figures["training"] = training_figure(training, config)
    captions = {**shared.captions, **{name: CAPTIONS[name] for name in CAPTIONS if name in {*tables, *figures}}}
    notes = [*shared.notes, *proxy_notes(chosen), *data_notes(data), *training_notes(training)]
    return dataclasses.replace(shared, tables=tables, figures=figures, captions=captions, notes=notes)


def labels(config: Config) -> Labels:
    """What the shared reduce says of this experiment."""
    datasets = tuple(canonical(dataset) for dataset in config.datasets)
    return Labels(
        task="classification",
        item="document",
        performance={"accuracy": "accuracy (fraction)"},
        unit={"accuracy": ""},
        datasets=datasets,
        runs=config.runs,
        steps=dict.fromkeys(datasets, config.saves),
    )


def proxy_table(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a data set, proxy and part that chose."""
    columns = ["dataset", "proxy", "part", "metric", "at", "value", "others_value"]
    found = []
    for row in rows[rows["chosen"].astype(bool)].to_dict("records") if len(rows) else []:
        told = {name: row[name] for name in columns[:-1]} | {"others_value": np.nan}
        if row["part"] == "a":
            other = of(rows, job_id=row["job_id"], part="b", at=row["at"], metric=row["metric"])
            told["others_value"] = float(other["value"].iloc[0])
        found.append(told)
    return pd.DataFrame(found, columns=columns).sort_values(columns[:3], ignore_index=True)


def training_figure(rows: pd.DataFrame, config: Config) -> Figure:
    """A panel a data set, a line a run."""
    datasets = list(dict.fromkeys(rows["dataset"]))
    wide = min(3, len(datasets))
    figure, axes = panels(-(-len(datasets) // wide), wide, sharex=True)
    gold = config.runs.gold
    for axis, dataset in zip(axes.flat, datasets, strict=False):
        for (kind, seed), run in of(rows, dataset=dataset).groupby(["kind", "seed"]):
            colour = UNIFORM if kind == "uniform" else GOLD if seed == gold.seed else COMPARISON
            run = run.sort_values("step")
            axis.plot(run["step"], run["loss"], color=colour, linewidth=1.2, zorder=3 if colour == GOLD else 2)
        axis.axhline(np.log(2), color="black", linewidth=0.8, linestyle=":")
        axis.set_title(str(dataset), fontsize=10)
        axis.set_ylim(bottom=0)
    for axis in axes.flat[len(datasets) :]:
        axis.set_visible(False)
    outer_labels(axes, "updates", "training loss (nats a document)")
    legend(
        figure,
        [
            line_handle("gold run", GOLD),
            line_handle("comparison runs", COMPARISON),
            line_handle("uniform run", UNIFORM),
            line_handle("ln 2", "black", linestyle=":", linewidth=0.8),
        ],
    )
    return figure


def proxy_notes(chosen: pd.DataFrame) -> list[str]:
    """How good the proxies are, and what choosing them on half of the documents would change."""
    told = []
    for row in of(chosen, part="all").to_dict("records"):
        unit = UNITS[row["metric"]]
        at = f"epoch {row['at']:.0f}" if row["proxy"] == "px" else f"C = {row['at']:g}"
        note = f"{row['dataset']}: the {NAMES[row['proxy']]} of {at} has the best test {row['metric']}, "
        note += f"{row['value']:.4g}{unit}, on the documents that chose it"
        for half in of(chosen, dataset=row["dataset"], proxy=row["proxy"], part="a").to_dict("records"):
            where = f"epoch {half['at']:.0f}" if half["proxy"] == "px" else f"C = {half['at']:g}"
            note += f"; half a alone chooses {where}, which has {half['others_value']:.4g}{unit} on half b"
        told.append(f"{note}.")
    return told


def data_notes(data: pd.DataFrame) -> list[str]:
    """What the documents are, and what was cut."""
    told = []
    for dataset, mine in data.groupby("dataset") if len(data) else []:
        sizes = {row["split"]: row for row in mine.to_dict("records")}
        if {"train", "test"} <= sizes.keys():
            train, test = sizes["train"], sizes["test"]
            note = (
                f"{dataset}: {train['documents']:,} training and {test['documents']:,} test documents, vocabulary "
                f"{train['vocabulary']:,}; {test['unknown_share']:.1%} of the test tokens are unknown"
            )
            if cut := train["cut"] + test["cut"]:
                note += f"; {cut:,} documents were cut"
            told.append(f"{note}.")
    return told


def training_notes(training: pd.DataFrame) -> list[str]:
    """Losses that are no numbers."""
    bad = training[~np.isfinite(training["loss"].astype(float))] if len(training) else training
    if not len(bad):
        return []
    runs = bad[["dataset", "kind", "seed"]].drop_duplicates()
    named = ", ".join(f"{row.dataset} {row.kind}-{row.seed}" for row in runs.itertuples())
    return [f"The training loss is not finite at {len(bad)} points, of {named}; their scores are kept as they are."]
