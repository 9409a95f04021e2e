"""What is said and drawn of `attention_classification`: the shared statistics, training curves, choice of proxies."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from orchestrator.experiment import Results, Summary
from tasks.analysis.palette import THEORY
from tasks.analysis.panels import legend, line_handle, of, outer_labels, panels
from tasks.analysis.summary import not_finite
from tasks.attention.attention_classification.config import Config
from tasks.attention.learning.figures import run_handles, run_lines
from tasks.attention.learning.labels import Labels
from tasks.attention.learning.reduce import summarise as summarise_statistics
from tasks.attention.texts.catalogue import canonical

NAMES = {"px": "averaged embeddings", "logistic": "logistic regression"}
UNITS = {"loss": " nats a document", "accuracy": ""}
CAPTIONS = {
    "training": (
        "Training loss of each run: mean binary cross entropy of the documents since the point before, before each "
        "update. Single runs, so no interval is shown; the line at ln 2 is chance level."
    ),
    "proxies": (
        "Which epoch (px) or C (logistic) of each word-level model was chosen, and how it does on the documents that "
        "chose it (part all: all test documents, as published; part a: one half) and on the half b that chose "
        "nothing: others_value, of the model that half a chose."
    ),
}


def summarise(results: Results, config: Config) -> Summary:
    """The shared tables, figures and sentences, with those of trainings and proxies."""
    training, chosen = results.table("training"), proxy_table(results.table("proxies"))
    told = [*proxy_notes(chosen), *data_notes(results.table("data"))]
    return summarise_statistics(
        results,
        labels(config),
        tables={"proxies": chosen},
        drawn={"training": training_figure(training, config)} if len(training) else {},
        captions=CAPTIONS,
        told=[*told, not_finite(training["loss"], "training losses")] if len(training) else told,
    )


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
    for row in rows[rows["chosen"].astype(bool)].to_dict("records"):
        told = {name: row[name] for name in columns[:-1]} | {"others_value": np.nan}
        if row["part"] == "a":
            other = of(rows, job_id=row["job_id"], part="b", at=row["at"], metric=row["metric"])
            told["others_value"] = float(other["value"].iloc[0])
        found.append(told)
    return pd.DataFrame(found, columns=columns).sort_values(columns[:3], ignore_index=True)


def training_figure(rows: pd.DataFrame, config: Config) -> Figure:
    """A panel a data set, a line a run."""
    datasets = list(rows.groupby("dataset", sort=False))
    wide = min(3, len(datasets))
    figure, axes = panels(-(-len(datasets) // wide), wide, sharex=True)
    for axis, (dataset, mine) in zip(axes.flat, datasets, strict=False):
        run_lines(axis, mine, "loss", config.runs)
        axis.axhline(np.log(2), color=THEORY, linewidth=0.8, linestyle=":")
        axis.set_title(str(dataset))
    for axis in axes.flat[len(datasets) :]:
        axis.set_visible(False)
    outer_labels(axes, "training steps", "training loss (nats a document)")
    legend(figure, [*run_handles(), line_handle("ln 2, chance level", THEORY, linestyle=":", linewidth=0.8)])
    return figure


def proxy_notes(chosen: pd.DataFrame) -> list[str]:
    """How good the proxies are, and what choosing them on half of the documents would change."""
    told = []
    for row in of(chosen, part="all").to_dict("records"):
        unit = UNITS[row["metric"]]
        note = f"{row['dataset']}: the {NAMES[row['proxy']]} of {_at(row)} has the best test {row['metric']}, "
        note += f"{row['value']:.4g}{unit}, on the documents that chose it"
        for half in of(chosen, dataset=row["dataset"], proxy=row["proxy"], part="a").to_dict("records"):
            note += f"; half a alone chooses {_at(half)}, which has {half['others_value']:.4g}{unit} on half b"
        told.append(f"{note}.")
    return told


def _at(row: dict) -> str:
    return f"epoch {row['at']:.0f}" if row["proxy"] == "px" else f"C = {row['at']:g}"


def data_notes(data: pd.DataFrame) -> list[str]:
    """What the documents are, and what was cut."""
    told = []
    for dataset, mine in data.groupby("dataset"):
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
