"""What came out, in sentences."""

import numpy as np
import pandas as pd

from tasks.deepscale.bert_finetuning.config import PRETRAINED, Config
from tasks.deepscale.bert_finetuning.params import DIVERGED, main_split


def notes(
    best: pd.DataFrame, rates: pd.DataFrame, runs: pd.DataFrame, outcomes: pd.DataFrame, config: Config
) -> list[str]:
    """A sentence a task and model, comparisons of models, what is missing, what is not finite."""
    found = []
    main = best[best["split"] == best["task"].map(main_split)] if len(best) else best
    for row in main.itertuples(index=False):
        found.append(_result(row))
    for task in config.tasks:
        own = main[main["task"] == task]
        if len(own) > 1:
            found.append(_comparison(task, own))
    if len(main):
        found.append(
            "The dev set serves to choose the learning rate and to measure; the cross-chosen medians use one half of "
            "it for each."
        )
    if len(outcomes):
        bad = outcomes[outcomes["status"] != "trained"]
        texts = [f"{r.norm}-LN {r.scheme}, {r.layers} layers: {r.status}" for r in bad.itertuples(index=False)]
        found += [f"Of {len(outcomes)} pretrainings {len(bad)} did not train ({'; '.join(texts)})."] if texts else []
    return [*found, *_missing(rates, runs, config)]


def _result(row: pd.Series) -> str:
    interval = "" if np.isnan(row.ci_low) else f", 95 % interval {row.ci_low:.3f} to {row.ci_high:.3f}"
    text = (
        f"{row.task}, {row.model}: median accuracy {row.median:.3f} over {row.runs} runs with the learning rate "
        f"{row.learning_rate:g} (mean {row.mean:.3f}{interval}; cross-chosen median {row.cross_median:.3f}); naming "
        f"the most frequent class gives {row.majority_accuracy:.3f}"
    )
    if row.not_better:
        text += f", and {row.not_better} of the runs are no better than guessing"
    return text + "."


def _comparison(task: str, own: pd.DataFrame) -> str:
    """Highest against lowest median, and whether the intervals of the means lie apart."""
    order = own.sort_values("median", ascending=False)
    first, last = order.iloc[0], order.iloc[-1]
    if first["median"] == last["median"]:
        return f"{task}: all {len(own)} models have the same median, {first['median']:.3f}."
    apart = first["ci_low"] > last["ci_high"]
    unknown = np.isnan(first["ci_low"]) or np.isnan(last["ci_high"])
    tail = "" if unknown else ("; their intervals lie apart" if apart else "; their intervals overlap")
    return (
        f"{task}: the highest median is that of {first['model']}, {first['median'] - last['median']:.3f} above the "
        f"lowest, that of {last['model']}{tail}."
    )


def _missing(rates: pd.DataFrame, runs: pd.DataFrame, config: Config) -> list[str]:
    networks = len(config.norms) * len(config.schemes) * len(config.layers) * len(config.pretrain_seeds)
    models = sum(networks if model == PRETRAINED else 1 for model in config.models)
    planned = len(config.tasks) * models * len(config.finetune_learning_rates) * len(config.finetune_seeds)
    done, diverged = len(runs), int((runs["status"] == DIVERGED).sum())
    found = [f"{planned - done} of {planned} runs are missing."] if done < planned else []
    some = f"{diverged} of {done} runs diverged" if diverged else f"None of {done} runs diverged"
    lost = rates[(rates["part"] == "all") & rates["median"].isna()]
    tail = f"; for {len(lost)} rows of learning_rates even the median run did" if len(lost) else ""
    return [*found, f"{some}{tail}."] if done else found
