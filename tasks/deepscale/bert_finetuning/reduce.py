"""From scores to tables: the best learning rate, median and mean over seeds, each epoch, what the runs cost."""

import pandas as pd

from orchestrator.experiment import Results, Summary
from tasks.deepscale.bert_finetuning.captions import CAPTIONS
from tasks.deepscale.bert_finetuning.config import Config
from tasks.deepscale.bert_finetuning.figures import curve_figure, epoch_figure, rate_figure, score_figure
from tasks.deepscale.bert_finetuning.notes import notes
from tasks.deepscale.bert_finetuning.params import DIVERGED, main_split
from tasks.deepscale.bert_finetuning.selection import (
    LINE,
    SPREAD,
    best_rates,
    best_table,
    final_accuracy,
    rate_table,
    spread,
)

GUESSES = ("majority_accuracy", "random_accuracy")


def at_best(rows: pd.DataFrame, best: dict[tuple[str, str], float]) -> pd.DataFrame:
    """The rows of runs with the learning rate that was chosen for their task and model."""
    keep = [best.get((task, model)) == rate for task, model, rate in rows[[*LINE, "learning_rate"]].to_numpy()]
    return rows.loc[keep]


def on_main(scores: pd.DataFrame) -> pd.DataFrame:
    """The accuracies on all of each task's main split."""
    main = scores["task"].map(main_split)
    return scores[(scores["metric"] == "accuracy") & (scores["part"] == "all") & (scores["split"] == main)]


def guess_table(data: pd.DataFrame) -> pd.DataFrame:
    """One row a task and split: what naming the most frequent class and drawing lots score, whatever the tokenizer."""
    own = data[data["metric"].isin(GUESSES) & (data["split"] != "train")]
    wide = own.pivot_table(index=["task", "split"], columns="metric", values="value").reset_index()
    wide.columns.name = None
    return wide.reindex(columns=["task", "split", *GUESSES])


def with_guesses(best: pd.DataFrame, final: pd.DataFrame, guesses: pd.DataFrame) -> pd.DataFrame:
    """The table of the best with the two baselines and `not_better`: runs whose accuracy is no higher than guessing."""
    table = best.merge(guesses, on=["task", "split"], how="left")
    counts = []
    for row in table.itertuples(index=False):
        own = final[
            (final["task"] == row.task)
            & (final["model"] == row.model)
            & (final["split"] == row.split)
            & (final["part"] == "all")
            & (final["learning_rate"] == row.learning_rate)
        ]
        counts.append(int((own["value"] <= max(row.majority_accuracy, row.random_accuracy)).sum()))
    return table.assign(not_better=pd.array(counts, dtype="int64"))


def epoch_table(scores: pd.DataFrame, best: dict[tuple[str, str], float]) -> pd.DataFrame:
    """One row a task, model, split and epoch: `spread` of the accuracy over the runs with the best learning rate."""
    keys = [*LINE, "split", "learning_rate", "epoch"]
    own = at_best(scores[(scores["metric"] == "accuracy") & (scores["part"] == "all")], best)
    rows = [
        dict(zip(keys, key, strict=True)) | spread(group["value"].to_numpy(dtype=float))
        for key, group in own.groupby(keys, sort=True)
    ]
    return pd.DataFrame(rows, columns=[*keys, *SPREAD])


def cost_table(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a task and model: runs, how many diverged, seconds, tokens a second of training, padding."""
    columns = [*LINE, "runs", "diverged", "train_seconds", "dev_seconds", "tokens_per_second", "padding"]
    if not len(runs):
        return pd.DataFrame(columns=columns)
    counted = runs.assign(diverged=(runs["status"] == DIVERGED).astype(int))
    table = counted.groupby(LINE, as_index=False).agg(
        runs=("status", "size"),
        diverged=("diverged", "sum"),
        train_seconds=("train_seconds", "sum"),
        dev_seconds=("dev_seconds", "sum"),
        tokens=("tokens", "sum"),
        padding=("padding", "mean"),
    )
    return table.assign(tokens_per_second=table["tokens"] / table["train_seconds"])[columns]


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep, whatever part of it is done."""
    scores, curves, runs = (results.table(name) for name in ("scores", "curves", "finetunings"))
    data, outcomes = results.table("data"), results.table("outcomes")
    final = final_accuracy(scores)
    rates = rate_table(final)
    chosen = best_rates(rates)
    guesses = guess_table(data)
    best = with_guesses(best_table(rates), final, guesses)
    epochs = epoch_table(scores, chosen)
    tables = {
        "best": best,
        "learning_rates": rates[rates["part"] == "all"].drop(columns="part").reset_index(drop=True),
        "epochs": epochs,
        "pretraining": _pretraining(outcomes),
        "data": data[[name for name in ("task", "tokenizer", "split", "metric", "value") if name in data]],
        "costs": cost_table(runs),
    }
    figures = {}
    main = on_main(final)
    if len(main):
        figures["accuracy_by_model"] = score_figure(at_best(main, chosen), guesses, config.tasks)
        figures["accuracy_by_rate"] = rate_figure(main, guesses, config.tasks)
        figures["accuracy_by_epoch"] = epoch_figure(at_best(on_main(scores), chosen), guesses, config.tasks)
    if len(curves):
        figures["training_loss"] = curve_figure(at_best(curves, chosen), at_best(runs, chosen), config.tasks)
    captions = {name: text for name, text in CAPTIONS.items() if name in tables or name in figures}
    return Summary(tables=tables, figures=figures, captions=captions, notes=notes(best, rates, runs, outcomes, config))


def _pretraining(outcomes: pd.DataFrame) -> pd.DataFrame:
    columns = ("norm", "scheme", "layers", "seed", "steps", "status", "test_mlm_loss", "unigram_loss")
    return outcomes[[name for name in (*columns, "test_mlm_accuracy", "test_order_accuracy") if name in outcomes]]
