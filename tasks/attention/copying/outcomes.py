"""Whether a run learned to copy, from its evaluations; shares of runs with intervals; their sentences and curves."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from scipy.stats import fisher_exact

from metrics.intervals import share_interval
from tasks.analysis.palette import CYCLE, SKY
from tasks.analysis.panels import line_handle

LEARNED, ATTENDS, FAILED, NOT_FINITE = "learned", "attends", "failed", "not finite"
COLOURS = {LEARNED: CYCLE[0], ATTENDS: SKY, FAILED: CYCLE[1], NOT_FINITE: CYCLE[7]}
"""By outcome, the same in the figures of both experiments."""
ATTENDING = 0.5
"""Attention accuracy at the last evaluation from which a run that has not learned at least knows where to look."""
SHARES = (
    "reached: first, median and last of the steps at which they reached the accuracy. unlearned: lowest and "
    "highest accuracy, and highest attention accuracy, at the last evaluation of the others that are finite."
)
"""The columns of `shares`, for captions."""
OUTCOME_COLUMNS = ("outcome", "reached", "last_step", "accuracy", "attention_accuracy")


def outcomes(rows: pd.DataFrame, run: Sequence[str], learned_from: float) -> pd.DataFrame:
    """A row a run: its outcome, and the numbers that it follows from.

    outcome: learned where an evaluation reaches `learned_from`; attends where none does but attention stands on the
    right position in half of the positions at the end; not finite where a loss was NaN or infinite; else failed.
    reached: the first step with that accuracy, NaN for none. accuracy, attention_accuracy: at the last step.

    Args:
        rows: Columns of `run`, step, accuracy, attention_accuracy and, where there is one, loss.
        run: Columns that tell runs apart.
    """
    found = []
    for key, group in rows.groupby(list(run), sort=True, dropna=False):
        group = group.sort_values("step")
        last = group.iloc[-1]
        good = group.loc[group["accuracy"] >= learned_from, "step"]
        finite = "loss" not in group or np.isfinite(group["loss"].to_numpy(dtype=float)).all()
        attention = float(last["attention_accuracy"])
        if not finite:
            outcome = NOT_FINITE
        elif len(good):
            outcome = LEARNED
        else:
            outcome = ATTENDS if attention >= ATTENDING else FAILED
        reached = float(good.iloc[0]) if len(good) else np.nan
        found.append((*key, outcome, reached, int(last["step"]), float(last["accuracy"]), attention))
    return pd.DataFrame(found, columns=[*run, *OUTCOME_COLUMNS])


def outcome_handles(found: pd.Series, colours: Mapping[str, str] = COLOURS) -> list[Line2D]:
    """Entries of a legend for the outcomes that there are."""
    return [line_handle(name, colour) for name, colour in colours.items() if found.eq(name).any()]


def learned_of(found: pd.Series) -> str:
    """`4 of 8 learned`, of outcomes."""
    return f"{int(np.sum(found == LEARNED))} of {len(found)} learned"


def shares(table: pd.DataFrame, line: Sequence[str]) -> pd.DataFrame:
    """A row a line: how many of its runs learned, with Wilson's 95 % interval; the accuracies of those that did not.

    Args:
        table: What `outcomes` returns.
        line: Columns that runs to be counted together share.
    """
    found = []
    for key, group in table.groupby(list(line), sort=True):
        learned = group[group["outcome"] == LEARNED]
        rest = group[group["outcome"].isin([FAILED, ATTENDS])]
        share, low, high = share_interval(len(learned), len(group))
        found.append(
            {
                **dict(zip(line, key, strict=True)),
                "runs": len(group),
                **{name.replace(" ", "_"): int((group["outcome"] == name).sum()) for name in COLOURS},
                "share": share,
                "low": low,
                "high": high,
                "reached_first": learned["reached"].min(),
                "reached_median": learned["reached"].median(),
                "reached_last": learned["reached"].max(),
                "unlearned_accuracy_least": rest["accuracy"].min(),
                "unlearned_accuracy_most": rest["accuracy"].max(),
                "unlearned_attention_most": rest["attention_accuracy"].max(),
            }
        )
    return pd.DataFrame(found)


def fisher_p(one: Any, other: Any) -> float:
    """Fisher's exact test, two-sided, of two rows of `shares`: p of shares at least as different by chance."""
    p = fisher_exact([[row.learned, row.runs - row.learned] for row in (one, other)])[1]
    return float(p)  # pyright: ignore[reportArgumentType]


def learned_text(row: Any, learned_from: float) -> str:
    """How many runs of a row of `shares` learned: `12 of 20 runs (60 %, …) reached accuracy 0.99, first at …`."""
    share, low, high = (f"{100 * end:.0f}" for end in (row.share, row.low, row.high))
    text = f"{row.learned} of {row.runs} runs ({share} %, 95 % interval {low} to {high} %)"
    text += f" reached accuracy {learned_from:g}"
    if not row.learned:
        return text
    if row.reached_first == row.reached_last:
        return f"{text}, first at step {row.reached_first:.0f}"
    first, median, last = (f"{step:.0f}" for step in (row.reached_first, row.reached_median, row.reached_last))
    return f"{text}, first at steps {first} to {last} (median {median})"


def plot_runs(axis: Axes, rows: pd.DataFrame, y: str, run: str | list[str], colours: Mapping[Hashable, str]) -> None:
    """A thin line of `y` against the step for each run.

    Args:
        run: Columns that tell runs apart.
        colours: By run.
    """
    for key, line in rows.groupby(run):
        line = line.sort_values("step")
        axis.plot(line["step"], line[y], color=colours[key], linewidth=1.0, alpha=0.75)
