"""Score rows as reduce works with them, and which configuration a probe should have had.

A line is an encoder as a figure shows it: model, fine-tuned checkpoint (empty unless one was given), encoder and mode.
Configurations are chosen on one half of the dev articles and scored on the other, so none is chosen on the questions
that it is scored on.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tasks.analysis import runs as means
from tasks.analysis.panels import of
from tasks.analysis.runs import COMMON, best_on_each_half, paired
from tasks.squad.scores import HALVES, METRICS, shown_in

LINE = ["model", "checkpoint", "encoder", "mode"]
"""The columns that tell one line from another."""
PROBE = ["solver", "learning_rate", "l2", "epoch"]
"""The columns that tell one configuration of a probe from another."""
LAYERS = [*LINE, *PROBE, "configuration", "decoder", "level", "metric"]
INTERVAL = ["mean", "low", "high", "runs", "nan", "over"]
GROUP = [*LINE, "encoder_seed", "decoder", "level"]
"""What a configuration is chosen for: the probe of one level of one encoder, for one decoder."""
CHOICE = [*GROUP, "chosen_on", *PROBE, "f1_there", "f1_elsewhere"]
WORDS = {"finetuned": "fine-tuned", "pretrained": "pretrained", "random": "random"}
RUNS = (
    "Mean over runs, 95 % interval (Student): runs are encoder seeds where there are several, else the seeds of the "
    "probes, whose interval tells of initial weights and dropout only, not of other fine-tunings or questions."
)
SELECTED = (
    "Configuration (solver, learning rate or L2, epoch) chosen by F1 on one half of the dev articles, scored on the "
    "other, both ways."
)
CAPTIONS = {
    "layers": f"Every configuration after its last epoch, on all dev questions. {RUNS}",
    "by_epoch": f"F1 and dev cross entropy (nats) of every configuration after each epoch. {RUNS}",
    "selected": f"{SELECTED} The halves are weighted by their numbers of questions. {RUNS}",
    "choices": "The configuration chosen for each encoder, level, decoder and half. f1_there: F1 that it was chosen by "
    "(optimistic); f1_elsewhere: F1 on the other half.",
}


def prepared(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of any table with checkpoint and encoder_seed filled in, lbfgs under the seed COMMON, and configurations.

    A table that no job of the plan writes has the declared columns alone; it gets those of LINE, empty.
    """
    rows = rows.reindex(columns=list(dict.fromkeys([*rows.columns, *LINE, "encoder_seed"])))
    rows = rows.assign(
        **{name: rows[name].astype("str").fillna("") for name in LINE},
        encoder_seed=pd.to_numeric(rows["encoder_seed"]).fillna(COMMON).astype(int),
    )
    if "solver" not in rows:
        return rows
    seed = pd.to_numeric(rows["seed"]).where(rows["solver"] != "lbfgs", COMMON).astype(int)
    return rows.assign(seed=seed, configuration=configuration(rows))


def configuration(rows: pd.DataFrame) -> pd.Series:
    """What a reader calls each row's probe: `adam 0.0003`, `lbfgs 0.01`."""
    adam = rows["solver"] == "adam"
    strength = pd.to_numeric(rows["learning_rate"]).where(adam, pd.to_numeric(rows["l2"]))
    text = {value: f"{value:g}" for value in strength.unique()}
    return rows["solver"].astype(str) + " " + strength.map(text).astype(str)


def last_epochs(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of each line's last epoch; all rows of probes that have none."""
    last = rows.groupby([*LINE, "solver", "learning_rate", "l2"])["epoch"].transform("max")
    return rows[rows["epoch"] == last]


def over_runs(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """One row a key: mean of `value` over runs (see `run_values`), Student's 95 % interval, counts of runs and of NaN.

    Args:
        rows: with LINE, encoder_seed, seed, the keys and value.
        keys: columns, LINE among them.

    Returns:
        The keys, and INTERVAL: mean, low, high, runs, nan (runs that are NaN and left out), over (see `run_values`).
    """
    table = means.over_runs(run_values(rows, keys), [*keys, "over"], count="known")
    table = table.rename(columns={"not_finite": "nan"})
    return table.assign(runs=table["known"] + table["nan"])[[*keys, *INTERVAL]]


def run_values(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """One row a key and independent run: the keys, over, run, value.

    Runs are the encoders of a line (over: encoder seeds), each with the mean over its probes' seeds; where a line has
    one encoder alone, the seeds of its probes are the runs (over: probe seeds), and an interval over them tells of
    initial weights and dropout only. A value that is NaN makes its run's value NaN.
    """
    several = rows.groupby(LINE)["encoder_seed"].transform("nunique").to_numpy() > 1
    rows = rows.assign(
        over=np.where(several, "encoder seeds", "probe seeds"),
        run=np.where(several, rows["encoder_seed"], rows["seed"]).astype(int),
    )
    by = [*keys, "over", "run"]
    return rows.groupby(by, sort=True)["value"].mean(skipna=False).reset_index()


def counts(baselines: pd.DataFrame) -> pd.DataFrame:
    """Numbers of dev questions, and the score of never answering: a row a part, a column a metric.

    All encoders are asked the same questions, so the first value of each is everyone's.
    """
    table = baselines.pivot_table(index="part", columns="metric", values="value", aggfunc="first")
    table = table.reindex(columns=["questions", "answerable", "always_null"])
    return table.assign(unanswerable=table["questions"] - table["answerable"])


def always_null(table: pd.DataFrame) -> float:
    """The score in percent of never answering, of a table as `counts` makes it; NaN where it is not known."""
    return float(table["always_null"].get("all", np.nan)) if len(table) else np.nan


def choices(scores: pd.DataFrame) -> pd.DataFrame:
    """For each encoder, level, decoder and half the configuration with the best mean F1 over seeds there."""
    found = best_on_each_half(of(scores, metric="f1"), GROUP, PROBE, HALVES)
    return found.rename(columns={"there": "f1_there", "elsewhere": "f1_elsewhere"})[CHOICE]


def selected_runs(scores: pd.DataFrame, chosen: pd.DataFrame, asked: pd.DataFrame) -> pd.DataFrame:
    """The scores of the chosen configurations, each half's judged on the other: GROUP, seed, metric, value.

    The halves are weighted by their numbers of questions of the kind. Seeds are those of the chosen probes; one that
    was solved to convergence has none and stands beside each seed of the other half's. The seed is COMMON where
    neither half's choice has any.

    Args:
        scores: prepared score rows.
        chosen: as `choices` makes them.
        asked: as `counts` makes them, with both halves.
    """
    if not len(chosen) or not set(HALVES) <= set(asked.index):
        return pd.DataFrame(columns=[*GROUP, "seed", "metric", "value"])
    rows = scores[scores["part"].isin(HALVES) & scores["metric"].isin(shown_in("selected"))]
    choice = chosen.assign(part=chosen["chosen_on"].map(dict(zip(HALVES, HALVES[::-1], strict=True))))
    rows = rows.merge(choice[[*GROUP, *PROBE, "part"]], on=[*GROUP, *PROBE, "part"])
    first, second = (rows.loc[rows["part"] == half, [*GROUP, "metric", "seed", "value"]] for half in HALVES)
    both = paired(first, second, [*GROUP, "metric"], ("_first", "_second"))
    kinds = both["metric"].map({name: metric.kind for name, metric in METRICS.items()})
    total, weight = np.zeros(len(both)), np.zeros(len(both))
    for half, column in zip(HALVES, ("value_first", "value_second"), strict=True):
        n = kinds.map(asked.loc[half]).to_numpy(dtype=float)
        # A half without questions of the kind has no score (NaN) and no weight.
        total += np.where(n > 0, n * both[column].to_numpy(dtype=float), 0.0)
        weight += n
    both["value"] = np.divide(total, weight, out=np.full(len(both), np.nan), where=weight > 0)
    return both[[*GROUP, "seed", "metric", "value"]]


def line_name(model: str, checkpoint: str, encoder: str, mode: str = "proper") -> str:
    """What a reader calls a line: `bert-base-uncased, fine-tuned (twmkn9/…)`."""
    given = f" ({checkpoint})" if checkpoint else ""
    return f"{model}, {WORDS.get(encoder, encoder)}{given}" + (", legacy mode" if mode == "legacy" else "")


def shown(table: pd.DataFrame, modes: bool = True) -> pd.DataFrame:
    """The rows of the decoder that figures and sentences tell of, and of one mode: proper, if there is such."""
    for column in ("decoder", "mode") if modes else ("decoder",):
        names = sorted(table[column].astype(str).unique(), key=lambda name: (name != "proper", name))
        table = of(table, **{column: names[0]}) if names else table
    return table


def listed(levels: pd.Series) -> str:
    """The levels that occur, in words."""
    return ", ".join(str(level) for level in sorted(levels.astype(int).unique()))
