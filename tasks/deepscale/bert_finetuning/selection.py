"""Which learning rate is the best: by the median over seeds, on the dev set or on one half of it (dslm 5, quirk 17)."""

import numpy as np
import pandas as pd

from metrics.intervals import mean_interval
from tasks.deepscale.bert_finetuning.params import main_split

LINE = ["task", "model"]
SPREAD = ["median", "mean", "ci_low", "ci_high", "sd", "lowest", "highest", "runs", "diverged"]


def median_of_runs(values: np.ndarray) -> float:
    """The median, in which runs that diverged (NaN) are the worst; NaN where it falls on one of them."""
    if not len(values):
        return np.nan
    median = float(np.median(np.where(np.isnan(values), -np.inf, values)))
    return median if np.isfinite(median) else np.nan


def spread(values: np.ndarray) -> dict[str, float]:
    """Median of all runs; mean, Student's 95 % interval for it, standard deviation and range of those that ended."""
    good = values[~np.isnan(values)]
    mean, low, high = mean_interval(values)
    return {
        "median": median_of_runs(values),
        "mean": mean,
        "ci_low": low,
        "ci_high": high,
        "sd": float(good.std(ddof=1)) if len(good) > 1 else np.nan,
        "lowest": float(good.min()) if len(good) else np.nan,
        "highest": float(good.max()) if len(good) else np.nan,
        "runs": len(values),
        "diverged": len(values) - len(good),
    }


def final_accuracy(scores: pd.DataFrame) -> pd.DataFrame:
    """The accuracies after the last epoch, a row a run, split and part."""
    return scores[(scores["metric"] == "accuracy") & (scores["epoch"] == scores["epochs"])]


def rate_table(final: pd.DataFrame) -> pd.DataFrame:
    """One row a task, model, split, part and learning rate: `spread` over its runs."""
    keys = [*LINE, "split", "part", "learning_rate"]
    rows = [
        dict(zip(keys, key, strict=True)) | spread(group["value"].to_numpy(dtype=float))
        for key, group in final.groupby(keys, sort=True)
    ]
    return pd.DataFrame(rows, columns=[*keys, *SPREAD])


def best_rates(rates: pd.DataFrame, part: str = "all") -> dict[tuple[str, str], float]:
    """(task, model) to the learning rate whose median on the main split's `part` is highest.

    Of equal medians that with the higher mean, then the smaller rate. Where each median falls on a diverged run, the
    one with the fewest of these.
    """
    found = {}
    for key, group in rates[rates["part"] == part].groupby(LINE, sort=True):
        own = group[group["split"] == main_split(key[0])]
        if not len(own):
            continue
        order = own.fillna({"median": -np.inf, "mean": -np.inf}).sort_values(
            ["median", "diverged", "mean", "learning_rate"], ascending=[False, True, False, True], kind="stable"
        )
        found[key] = float(order["learning_rate"].iloc[0])
    return found


def best_table(rates: pd.DataFrame) -> pd.DataFrame:
    """One row a task, model and split: the best learning rate, `spread` over its runs, and the cross-chosen median.

    `cross_median`: the rate is chosen on one half of the dev set and its median taken on the other; mean of both ways.
    The dev set does not flatter it, as it flatters `median`, which is chosen and measured on the same examples.
    """
    chosen = best_rates(rates)
    halves = {half: best_rates(rates, half) for half in ("half_a", "half_b")}
    values = rates.set_index([*LINE, "split", "part", "learning_rate"])["median"]
    rows = []
    for row in rates[rates["part"] == "all"].itertuples(index=False):
        key = (row.task, row.model)
        if chosen.get(key) != row.learning_rate:
            continue
        crossed = [
            values.get((*key, row.split, other, halves[half][key]), np.nan) if key in halves[half] else np.nan
            for half, other in (("half_a", "half_b"), ("half_b", "half_a"))
        ]
        own = {name: getattr(row, name) for name in (*LINE, "split", "learning_rate", *SPREAD)}
        rows.append(own | {"cross_median": float(np.mean(crossed))})
    return pd.DataFrame(rows, columns=[*LINE, "split", "learning_rate", *SPREAD, "cross_median"])
