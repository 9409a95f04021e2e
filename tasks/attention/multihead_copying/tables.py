"""The summary tables of `multihead_copying`, from its rows."""

import numpy as np
import pandas as pd

from metrics.intervals import mean_interval, share_interval
from tasks.attention.copying.outcomes import LEARNED, outcomes, shares

RUN = ("combined", "combination")
VERDICTS = ("good", "bad", "neither")
OUTCOMES_ALONE = ("good", "bad", "undecided")


def head_verdicts(heads: pd.DataFrame) -> pd.DataFrame:
    """How many candidates are good, bad or neither, and their share with Wilson's interval."""
    if not len(heads):
        return pd.DataFrame(columns=["verdict", "heads", "share", "low", "high"])
    each = heads.drop_duplicates("head")["verdict"]
    rows = []
    for verdict in VERDICTS:
        count = int((each == verdict).sum())
        rows.append((verdict, count, *share_interval(count, len(each))))
    return pd.DataFrame(rows, columns=["verdict", "heads", "share", "low", "high"])


def alone(heads: pd.DataFrame) -> pd.DataFrame:
    """How many trainings of a head alone were good, bad or undecided, by data seed; steps and accuracies of them."""
    table = heads.groupby(["data_seed", "outcome"], as_index=False).agg(
        trainings=("head", "count"),
        decided_median=("decided", "median"),
        accuracy_least=("accuracy", "min"),
        accuracy_most=("accuracy", "max"),
    )
    return table.sort_values(["data_seed", "outcome"], ignore_index=True)


def combination_outcomes(curves: pd.DataFrame, attention: pd.DataFrame, learned_from: float) -> pd.DataFrame:
    """A row a combination: its outcome, its heads, and which of them points best at the last evaluation.

    best_place, best_head: the first head with the greatest attention accuracy; `attention_accuracy` is its.
    """
    columns = ["heads", "best_place", "best_head"]
    if not len(curves) or not len(attention):
        return pd.DataFrame(
            columns=[*RUN, "outcome", "reached", "last_step", "accuracy", "attention_accuracy", *columns]
        )
    key = [*RUN, "step"]
    best = attention.groupby(key, as_index=False)["attention_accuracy"].max()
    table = outcomes(curves.merge(best, on=key, how="left"), RUN, learned_from)
    last = attention[attention["step"] == attention.groupby(list(RUN))["step"].transform("max")]
    last = last.sort_values([*RUN, "place"])
    told = []
    for run, group in last.groupby(list(RUN)):
        top = group.loc[group["attention_accuracy"].idxmax()]
        told.append((*run, " ".join(str(head) for head in group["head"]), int(top["place"]), int(top["head"])))
    return table.merge(pd.DataFrame(told, columns=[*RUN, *columns]), on=list(RUN), how="left")


def shares_by_kind(found: pd.DataFrame) -> pd.DataFrame:
    """`shares` of each kind, and the mean accuracy at the last evaluation with Student's interval."""
    table = shares(found, ["combined"])
    if not len(table):
        return table
    means = [mean_interval(found.loc[found["combined"] == kind, "accuracy"]) for kind in table["combined"]]
    ends = np.array(means, dtype=float)
    return table.assign(accuracy_mean=ends[:, 0], accuracy_low=ends[:, 1], accuracy_high=ends[:, 2])


def shares_by_step(curves: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """For each kind and step, the share of combinations that have learned up to it, with Wilson's interval."""
    rows = []
    for combined, group in found.groupby("combined"):
        reached = group.loc[group["outcome"] == LEARNED, "reached"]
        for step in sorted(curves.loc[curves["combined"] == combined, "step"].unique()):
            learned = int((reached <= step).sum())
            rows.append((combined, int(step), len(group), learned, *share_interval(learned, len(group))))
    return pd.DataFrame(rows, columns=["combined", "step", "runs", "learned", "share", "low", "high"])


def costs(blocks: pd.DataFrame, stock: pd.DataFrame) -> pd.DataFrame:
    """Jobs of each stage, how many of them trained something, and their seconds."""
    rows = []
    for stage, table, flag, seconds in (
        ("screen_heads", blocks, "needed", "screen_seconds"),
        ("combine_heads", stock, "enough", "combine_seconds"),
    ):
        if len(table):
            rows.append((stage, len(table), int(table[flag].sum()), float(table[seconds].sum())))
    return pd.DataFrame(rows, columns=["stage", "jobs", "trained", "seconds"])
