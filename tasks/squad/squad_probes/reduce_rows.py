"""Score rows as reduce works with them: which columns tell encoders and probes apart, what the independent runs are.

A line is an encoder as a figure shows it: model, fine-tuned checkpoint (empty unless one was given), encoder and mode.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from metrics.intervals import student_half

LINE = ["model", "checkpoint", "encoder", "mode"]
"""The columns that tell one line from another."""
PROBE = ["solver", "learning_rate", "l2", "epoch"]
"""The columns that tell one configuration of a probe from another."""
INTERVAL = ["mean", "low", "high", "runs", "nan", "over"]
GIVEN = -1
"""The encoder_seed of weights that were given, and the seed of a probe without randomness."""
ENCODERS = ("finetuned", "pretrained", "random")


def prepared(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of any table with checkpoint and encoder_seed filled in, and lbfgs under the seed GIVEN.

    A table that no job of the plan writes has the declared columns alone; it gets those of LINE, empty.
    """
    rows = rows.reindex(columns=list(dict.fromkeys([*rows.columns, *LINE, "encoder_seed"])))
    rows = rows.assign(
        **{name: rows[name].astype("str").fillna("") for name in LINE},
        encoder_seed=pd.to_numeric(rows["encoder_seed"]).fillna(GIVEN).astype(int),
    )
    if "solver" in rows and "seed" in rows:
        rows["seed"] = pd.to_numeric(rows["seed"]).where(rows["solver"] != "lbfgs", GIVEN).astype(int)
    return rows


def last_epochs(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of each line's last epoch; all rows of probes that have none."""
    last = rows.groupby([*LINE, "solver", "learning_rate", "l2"])["epoch"].transform("max")
    return rows[rows["epoch"] == last]


def over_runs(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """One row a key: mean of `value` over runs, Student's 95 % interval for it, counts of runs and of NaN.

    Runs are the encoders of a line (encoder seeds), each with the mean over its probes' seeds; where a line has one
    encoder alone, the seeds of its probes are the runs, and the interval then tells of their first weights and dropout
    only. A value that is NaN makes its run's value NaN; NaN runs are counted and left out.

    Args:
        rows: with LINE, encoder_seed, seed, the keys and value.
        keys: columns, LINE among them.

    Returns:
        The keys, and INTERVAL: mean, low, high, runs, nan, over (encoder seeds, or probe seeds).
    """
    values = run_values(rows, keys)
    groups = values.groupby([*keys, "over"], sort=True)["value"]
    table = groups.agg(mean="mean", sd="std", known="count", runs="size").reset_index()
    half = student_half(table["sd"].to_numpy(dtype=float), table["known"].to_numpy(dtype=float))
    table["low"], table["high"] = table["mean"] - half, table["mean"] + half
    table["nan"] = table["runs"] - table["known"]
    return table[[*keys, *INTERVAL]]


def run_values(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """One row a key and independent run (see `over_runs`): the keys, over, run, value."""
    encoders = rows.groupby(LINE)["encoder_seed"].transform("nunique")
    several = encoders.to_numpy() > 1
    rows = rows.assign(
        over=np.where(several, "encoder seeds", "probe seeds"),
        run=np.where(several, rows["encoder_seed"], rows["seed"]).astype(int),
    )
    by = [*keys, "over", "run"]
    return rows.groupby(by, sort=True)["value"].mean(skipna=False).reset_index()


def configuration(rows: pd.DataFrame) -> pd.Series:
    """What a reader calls each row's probe: `adam 0.0003`, `lbfgs 0.01`."""
    adam = rows["solver"] == "adam"
    strength = pd.to_numeric(rows["learning_rate"]).where(adam, pd.to_numeric(rows["l2"]))
    text = {value: f"{value:g}" for value in strength.unique()}
    return rows["solver"].astype(str) + " " + strength.map(text).astype(str)


def counts(baselines: pd.DataFrame) -> pd.DataFrame:
    """Numbers of dev questions, and the score of never answering: a row a part, a column a metric.

    All encoders are asked the same questions, so the first value of each is everyone's.
    """
    table = baselines.pivot_table(index="part", columns="metric", values="value", aggfunc="first")
    return table.reindex(columns=["questions", "answerable", "always_null"])


def always_null(table: pd.DataFrame) -> float:
    """The score in percent of never answering, of a table as `counts` makes it; NaN where it is not known."""
    return float(table["always_null"].get("all", np.nan)) if len(table) else np.nan
