"""Tables, figures and sentences of `attention_translation`: those shared with classification, and how runs trained."""

import pandas as pd
from matplotlib.figure import Figure

from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import file_name, legend, of, outer_labels, panels
from tasks.analysis.summary import not_finite
from tasks.attention.attention_translation.config import Config
from tasks.attention.attention_translation.plan import planned_grids
from tasks.attention.learning.figures import run_handles, run_lines
from tasks.attention.learning.labels import Labels
from tasks.attention.learning.reduce import summarise as summarise_attention
from tasks.attention.learning.runs import Runs

RUN = ["dataset", "kind", "seed"]
PANELS = {"loss": "training loss (nats a target position)", "val_accuracy": "accuracy of the next word on val (%)"}
CAPTIONS = {
    "trainings": "Each run after its best epoch by token accuracy on all of val, with BLEU by beam search where it was "
    "asked for (not of the uniform run, whose performance enters no statistic); one training a row, so no interval.",
    "proxies": "The epoch of the bag-of-words proxy with the lowest loss on val, and the one that half a alone would "
    "choose.",
    "data": "Sentence pairs that each translator was trained and evaluated on.",
    "training": "Training loss (mean since the point before) and token accuracy on val after each epoch; a line a run. "
    "Nothing is averaged.",
}


def summarise(results: Results, config: Config) -> Summary:
    """What came out, whatever part of the sweep is done."""
    training, proxies = results.table("training"), results.table("proxies")
    table = trainings(training)
    told = [not_finite(training["value"], "values of the training curves")] if len(training) else []
    return summarise_attention(
        results,
        labels_of(config),
        tables={
            "trainings": table,
            "proxies": proxies.loc[proxies["chosen"].astype(bool), ["dataset", "part", "epoch", "loss"]],
            "data": results.table("data"),
        },
        drawn=draw(training, config.runs),
        captions=CAPTIONS,
        told=[*notes(table), *told],
    )


def labels_of(config: Config) -> Labels:
    """What the shared tables and figures say about translation."""
    steps = planned_grids(config)
    return Labels(
        task="translation",
        item="target position",
        performance={"accuracy": "accuracy of the next word (%)", "bleu": "BLEU (0-100)"},
        unit={"accuracy": " %", "bleu": " BLEU"},
        datasets=tuple(steps),
        runs=config.runs,
        steps=steps,
    )


def trainings(training: pd.DataFrame) -> pd.DataFrame:
    """One row a run: its best epoch, the accuracy there, and BLEU where there is one."""
    rows = []
    for key, own in training.groupby(RUN, sort=True):
        accuracy = of(own, metric="val_accuracy").dropna(subset="value").sort_values("step")
        if not len(accuracy):
            continue
        best = accuracy.loc[accuracy["value"].idxmax()]
        bleu = of(own, metric="best_bleu")["value"]
        loss = of(own, metric="loss").sort_values("step")["value"]
        rows.append(
            dict(zip(RUN, key, strict=True))
            | {"best_step": int(best["step"]), "val_accuracy": float(best["value"])}
            | {"best_bleu": float(bleu.iloc[0]) if len(bleu) else float("nan"), "last_loss": float(loss.iloc[-1])}
        )
    return pd.DataFrame(rows, columns=[*RUN, "best_step", "val_accuracy", "best_bleu", "last_loss"])


def draw(training: pd.DataFrame, runs: Runs) -> dict[str, Figure]:
    """How the runs of each data set trained."""
    return {
        f"training-{file_name(str(dataset))}": training_figure(mine, runs)
        for dataset, mine in training.groupby("dataset", sort=False)
    }


def training_figure(rows: pd.DataFrame, runs: Runs) -> Figure:
    """A panel a metric, a line a run, of one data set."""
    figure, axes = panels(1, len(PANELS))
    for axis, (metric, label) in zip(axes.flat, PANELS.items(), strict=True):
        run_lines(axis, of(rows, metric=metric), "value", runs)
        axis.set_ylabel(label)
    outer_labels(axes, "training steps", PANELS["loss"])
    legend(figure, run_handles())
    return figure


def notes(table: pd.DataFrame) -> list[str]:
    """A sentence a data set on the trainings."""
    told = []
    for dataset, own in table.groupby("dataset", sort=False):
        normal, uniform = of(own, kind="normal")["val_accuracy"], of(own, kind="uniform")["val_accuracy"]
        if len(normal) and len(uniform):
            told.append(
                f"{dataset}: the best epochs reach {normal.min():.1f} to {normal.max():.1f} % of next words on val "
                f"with learned attention, {uniform.max():.1f} % with attention frozen to uniform."
            )
    return told
