"""Tables, figures and sentences of `attention_translation`: those shared with classification, and how runs trained."""

import dataclasses

import pandas as pd

from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import file_name, of
from tasks.attention.attention_translation.config import Config
from tasks.attention.attention_translation.figures import training_figure
from tasks.attention.attention_translation.plan import planned_grids
from tasks.attention.learning.labels import Labels
from tasks.attention.learning.reduce import summarise as summarise_attention

RUN = ["dataset", "kind", "seed"]
CAPTIONS = {
    "trainings": "Each run after its best epoch by token accuracy on all of val, with BLEU by beam search where it was "
    "asked for (not of the uniform run, whose performance enters no statistic); one training a row, so no interval.",
    "proxies": "The epoch of the bag-of-words proxy with the lowest loss on val, and the one that half a alone would "
    "choose; what else was trained is left out.",
    "data": "What each translation was trained and evaluated on.",
    "training": "Training loss (mean since the point before) and token accuracy on val after each epoch against "
    "updates; a line a run, dashed with uniform attention. Nothing is averaged.",
}


def summarise(results: Results, config: Config) -> Summary:
    """What came out, whatever part of the sweep is done."""
    shared = summarise_attention(results, labels_of(config))
    training = results.table("training")
    own = {
        "trainings": trainings(training),
        "proxies": results.table("proxies").query("chosen")[["dataset", "part", "epoch", "loss"]],
        "data": results.table("data"),
    }
    own = {name: table for name, table in own.items() if len(table)}
    figures = draw(training)
    captions = {name: CAPTIONS[name.partition("-")[0]] for name in (*own, *figures)}
    return dataclasses.replace(
        shared,
        tables={**shared.tables, **own},
        figures={**shared.figures, **figures},
        captions={**shared.captions, **captions},
        notes=[*shared.notes, *notes(own.get("trainings"), training)],
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


def draw(training: pd.DataFrame) -> dict[str, object]:
    """How the runs of each data set trained."""
    return {
        f"training-{file_name(str(dataset))}": training_figure(of(training, dataset=dataset))
        for dataset in dict.fromkeys(training["dataset"])
    }


def notes(table: pd.DataFrame | None, training: pd.DataFrame) -> list[str]:
    """A sentence a data set on the trainings, and how many values are not finite."""
    told = []
    for dataset, own in () if table is None else table.groupby("dataset", sort=False):
        normal, uniform = of(own, kind="normal")["val_accuracy"], of(own, kind="uniform")["val_accuracy"]
        if len(normal) and len(uniform):
            told.append(
                f"{dataset}: the best epochs reach {normal.min():.1f} to {normal.max():.1f} % of next words on val "
                f"with learned attention, {uniform.max():.1f} % with attention frozen to uniform."
            )
    lost = int(training["value"].isna().sum())
    if lost:
        told.append(f"{lost} of {len(training)} values of the training curves are not finite.")
    return told
