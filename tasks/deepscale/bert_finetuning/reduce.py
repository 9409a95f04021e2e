"""Tables and sentences of `bert_finetuning`: the best learning rate, median and mean over seeds, what the runs cost.

A learning rate is chosen by the median over seeds, in which runs that diverged are the worst, on the whole dev set or
on one half of it (README 5).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from orchestrator.experiment import Results, Summary
from tasks.analysis.runs import over_runs
from tasks.analysis.summary import interval, missing, summary
from tasks.deepscale.bert_finetuning import figures
from tasks.deepscale.bert_finetuning.config import PRETRAINED, Config
from tasks.deepscale.bert_finetuning.stages import DIVERGED, main_split

LINE = ["task", "model"]
SPREAD = ["median", "mean", "ci_low", "ci_high", "sd", "lowest", "highest", "runs", "diverged"]
GUESSES = [*figures.GUESSES]
PRETRAINING = ["norm", "scheme", "layers", "seed", "steps", "status", "test_mlm_loss", "unigram_loss"]
DATA = ["task", "tokenizer", "split", "metric", "value"]
CAPTIONS = {
    "best": "The learning rate with the highest median over seeds on the dev set (MNLI: matched; RACE: both levels), "
    "and its accuracy on every split: median; mean, 95 % interval (Student), standard deviation and range over the "
    "runs that finished. The dev set serves to choose and to measure, which flatters these; cross_median is chosen on "
    "one half of it and measured on the other, mean of both ways. not_better: runs no better than guessing.",
    "learning_rates": "Every learning rate after the last epoch: median over seeds (diverged runs count as the worst); "
    "mean, 95 % interval (Student), standard deviation and range over the runs that finished.",
    "epochs": "Accuracy after each epoch with the chosen learning rate; columns as in learning_rates.",
    "pretraining": "What became of the networks that the sweep pretrained; columns as in bert_pretraining.",
    "data": "Examples, their tokens, the share that the maximum length cuts, and what guessing scores.",
    "costs": "Runs, how many diverged, seconds on the workers, tokens a second of training without padding.",
}


def spread(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """One row for each value of `by`: median of all runs; mean, its interval, deviation and range of those that ended.

    Median and mean differ in what they do with a run that diverged (NaN): see `figures.median_of_runs`.
    """
    median: Any = ("value", figures.median_of_runs)
    low, high, of = (("value", how) for how in ("min", "max", "size"))
    table = over_runs(rows, by, count="finished", median=median, lowest=low, highest=high, of=of)
    names = {"low": "ci_low", "high": "ci_high", "of": "runs", "not_finite": "diverged"}
    return table.rename(columns=names)[[*by, *SPREAD]]


def final_accuracy(scores: pd.DataFrame) -> pd.DataFrame:
    """The accuracies after the last epoch, a row a run, split and part."""
    return scores[(scores["metric"] == "accuracy") & (scores["epoch"] == scores["epochs"])]


def rate_table(final: pd.DataFrame) -> pd.DataFrame:
    """One row a task, model, split, part and learning rate: `spread` over its runs."""
    return spread(final, [*LINE, "split", "part", "learning_rate"])


def on_main(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows on each task's main split."""
    return rows[rows["split"] == rows["task"].map(main_split)]


def best_rates(rates: pd.DataFrame, part: str = "all") -> pd.Series:
    """The learning rate whose median on the main split's `part` is highest, by task and model.

    Of equal medians that with the higher mean, then the smaller rate. Where each median falls on a diverged run, the
    one with the fewest of these.
    """
    own = on_main(rates[rates["part"] == part]).fillna({"median": -np.inf, "mean": -np.inf})
    order = own.sort_values(
        ["median", "diverged", "mean", "learning_rate"], ascending=[False, True, False, True], kind="stable"
    )
    return order.groupby(LINE)["learning_rate"].first()


def at_best(rows: pd.DataFrame, best: pd.Series) -> pd.DataFrame:
    """The rows of runs with the learning rate that was chosen for their task and model."""
    return rows.merge(best.reset_index(), on=[*LINE, "learning_rate"])


def best_table(rates: pd.DataFrame) -> pd.DataFrame:
    """One row a task, model and split: the best learning rate, `spread` over its runs, and the cross-chosen median.

    `cross_median`: the rate is chosen on one half of the dev set and its median taken on the other; mean of both ways.
    The dev set does not flatter it, as it flatters `median`, which is chosen and measured on the same examples.
    """
    place = [*LINE, "split"]
    crossed = [
        at_best(rates[rates["part"] == judged], best_rates(rates, chosen)).set_index(place)["median"]
        for chosen, judged in (("half_a", "half_b"), ("half_b", "half_a"))
    ]
    table = at_best(rates[rates["part"] == "all"], best_rates(rates))
    table = table.join(((crossed[0] + crossed[1]) / 2).rename("cross_median"), on=place)
    return table[[*place, "learning_rate", *SPREAD, "cross_median"]]


def guess_table(data: pd.DataFrame) -> pd.DataFrame:
    """One row a task and split: what naming the most frequent class and drawing lots score, whatever the tokenizer."""
    own = data[data["metric"].isin(GUESSES) & (data["split"] != "train")]
    wide = own.pivot_table(index=["task", "split"], columns="metric", values="value").reset_index()
    return wide.rename_axis(columns=None).reindex(columns=["task", "split", *GUESSES])


def with_guesses(best: pd.DataFrame, final: pd.DataFrame, guesses: pd.DataFrame) -> pd.DataFrame:
    """The table of the best with the two baselines and `not_better`: runs whose accuracy is no higher than guessing."""
    table = best.merge(guesses, on=["task", "split"], how="left")
    place = [*LINE, "split", "learning_rate"]
    runs = final[final["part"] == "all"].merge(table[[*place, *GUESSES]], on=place)
    runs["not_better"] = runs["value"] <= runs[GUESSES].max(axis=1, skipna=False)
    return table.join(runs.groupby(place)["not_better"].sum(), on=place)


def cost_table(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a task and model: runs, how many diverged, seconds, tokens a second of training, padding."""
    sums = {name: (name, "sum") for name in ("diverged", "train_seconds", "dev_seconds", "tokens")}
    counted = runs.assign(diverged=runs["status"] == DIVERGED)
    table = counted.groupby(LINE, as_index=False).agg(runs=("status", "size"), **sums, padding=("padding", "mean"))
    table["tokens_per_second"] = table["tokens"] / table["train_seconds"]
    return table[[*LINE, "runs", "diverged", "train_seconds", "dev_seconds", "tokens_per_second", "padding"]]


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep, whatever part of it is done."""
    scores, curves, runs = (results.table(name) for name in ("scores", "curves", "finetunings"))
    data, outcomes = results.table("data"), results.table("outcomes")
    accuracy = scores[(scores["metric"] == "accuracy") & (scores["part"] == "all")]
    final = final_accuracy(scores)
    rates = rate_table(final)
    tables, drawn, told = {}, {}, []
    if len(rates):
        chosen, guesses = best_rates(rates), guess_table(data)
        tables["best"] = with_guesses(best_table(rates), final, guesses)
        tables["learning_rates"] = rates[rates["part"] == "all"].drop(columns="part").reset_index(drop=True)
        tables["epochs"] = spread(at_best(accuracy, chosen), [*LINE, "split", "learning_rate", "epoch"])
        told = list(_results(on_main(tables["best"]), config))
        drawn = figures.draw(
            final=on_main(final[final["part"] == "all"]),
            accuracy=at_best(on_main(accuracy), chosen),
            curves=at_best(curves, chosen),
            runs=at_best(runs, chosen),
            guesses=guesses,
            tasks=config.tasks,
        )
    measures = ["test_mlm_accuracy", "test_order_accuracy"]
    tables["pretraining"] = outcomes.reindex(columns=[*PRETRAINING, *measures])
    tables["data"] = data.reindex(columns=DATA)
    tables["costs"] = cost_table(runs)
    notes = [*told, *_pretrained(outcomes), *_ended(rates, runs, config)]
    return summary(tables, drawn, CAPTIONS | figures.CAPTIONS, notes)


def _results(best: pd.DataFrame, config: Config) -> Iterator[str]:
    """A sentence a task and model, and comparisons of models."""
    for row in best.itertuples(index=False):
        more = f", and {row.not_better} of the runs are no better than guessing" if row.not_better else ""
        yield (
            f"{row.task}, {row.model}: median accuracy {row.median:.3f} over {row.runs} runs with learning rate "
            f"{row.learning_rate:g} (mean {row.mean:.3f}, {interval(row.ci_low, row.ci_high)}; cross-chosen median "
            f"{row.cross_median:.3f}); naming the most frequent class gives {row.majority_accuracy:.3f}{more}."
        )
    for task in config.tasks:
        own = best[best["task"] == task].sort_values("median", ascending=False)
        if len(own) > 1:
            yield _comparison(task, own.iloc[0], own.iloc[-1])
    yield "The dev set serves to choose the learning rate and to measure; cross-chosen medians use half of it for each."


def _comparison(task: str, first: Any, last: Any) -> str:
    """Highest against lowest median, and whether the intervals of the means lie apart."""
    if first["median"] == last["median"]:
        return f"{task}: all models have the same median, {first['median']:.3f}."
    ends = first["ci_low"], last["ci_high"]
    tail = "; their intervals lie apart" if ends[0] > ends[1] else "; their intervals overlap"
    return (
        f"{task}: the highest median is that of {first['model']}, {first['median'] - last['median']:.3f} above the "
        f"lowest, that of {last['model']}{tail if np.isfinite(ends).all() else ''}."
    )


def _pretrained(outcomes: pd.DataFrame) -> list[str]:
    bad = outcomes[outcomes["status"] != "trained"]
    texts = [f"{r.norm}-LN {r.scheme}, {r.layers} layers: {r.status}" for r in bad.itertuples(index=False)]
    return [f"Of {len(outcomes)} pretrainings {len(bad)} did not train ({'; '.join(texts)})."] if texts else []


def _ended(rates: pd.DataFrame, runs: pd.DataFrame, config: Config) -> list[str]:
    networks = len(list(config.networks())) * len(config.pretrain_seeds) if PRETRAINED in config.models else 0
    models = networks + sum(model != PRETRAINED for model in config.models)
    planned = len(config.tasks) * models * len(config.finetune_learning_rates) * len(config.finetune_seeds)
    found = missing(len(runs), planned, "runs")
    if len(runs):
        lost = int(((rates["part"] == "all") & rates["median"].isna()).sum())
        tail = f"; for {lost} rows of learning_rates even the median run did" if lost else ""
        found.append(f"{(runs['status'] == DIVERGED).sum()} of {len(runs)} runs diverged{tail}.")
    return found
