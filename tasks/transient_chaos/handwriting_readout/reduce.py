"""From rows to summary tables: errors of the windows over seeds, the best windows, and what was left out."""

import pandas as pd

from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import of
from tasks.analysis.runs import costs_by_line
from tasks.analysis.summary import summary
from tasks.transient_chaos.handwriting_readout import figures
from tasks.transient_chaos.handwriting_readout.config import Config

LINE = ["task", "network"]
"""The columns that tell one panel from another."""
BEST = ["start", "length", "error_mean", "error_sd", "error_median", "error_blind", "samples", "solver", "rank"]
CAPTIONS = {
    "best_windows": "The best window of every encoder. error_blind is the error of a readout that knows only the mean "
    "label; errors have no unit.",
    "left_out": "Examples left out because their states are NaN or infinite.",
    "window_errors": "Mean, smallest and largest over encoder seeds of the mean error; min_norm: encoders that needed "
    "the min-norm solution.",
    "costs": "Layer applications to one sequence, and seconds on the workers.",
}


def with_network(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with a column `network`: pretrained, or random and how its weights are drawn."""
    drawn = "random (" + rows["init_style"].astype("object").fillna("").astype(str) + ")"
    return rows.assign(network=drawn.where(rows["encoder"] == "random", "pretrained").astype("object"))


def window_errors(windows: pd.DataFrame) -> pd.DataFrame:
    """One row a task, network and window: the mean error over encoder seeds, its extremes, the fallbacks."""
    table = windows.assign(min_norm=windows["solver"] != "cholesky").groupby([*LINE, "start", "length"], as_index=False)
    return table.agg(
        error=("error_mean", "mean"),
        lowest=("error_mean", "min"),
        highest=("error_mean", "max"),
        blind=("error_blind", "mean"),
        seeds=("error_mean", "size"),
        min_norm=("min_norm", "sum"),
    )


def best_windows(windows: pd.DataFrame, best_from: int) -> pd.DataFrame:
    """The window with the smallest mean error of every encoder, of those with `best_from` layers if there are any."""
    key = [*LINE, "encoder_seed"]
    known = windows.dropna(subset="error_mean").sort_values(["start", "length"])
    groups = [_long(own, best_from) for _, own in known.groupby(key, dropna=False, sort=True)]
    best = [own.loc[own["error_mean"].idxmin(), [*key, *BEST]] for own in groups]
    return pd.DataFrame([row.to_dict() for row in best], columns=[*key, *BEST])


def heat_rows(errors: pd.DataFrame, best_from: int) -> pd.DataFrame:
    """The windows of the heat map: the long enough, or all where none is, with an error."""
    return _long(errors, best_from).dropna(subset="error")


def _long(windows: pd.DataFrame, best_from: int) -> pd.DataFrame:
    long = windows[windows["length"] >= best_from]
    return long if len(long) else windows


def first_seed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the first encoder seed of every task and network."""
    seed = rows["encoder_seed"].fillna(-1)
    return rows[seed == seed.groupby([rows[name] for name in LINE]).transform("min")]


def of_windows(rows: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """The rows of the windows that `samples` are of."""
    keys = [*LINE, "start", "length"]
    return rows.merge(samples[keys].drop_duplicates(), on=keys)


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep, whatever part of it is done."""
    windows, samples, drawings, faults, costs = (
        with_network(results.table(name)) for name in ("windows", "samples", "drawings", "faults", "costs")
    )
    errors = window_errors(windows)
    sums = [name for name in costs if name.endswith("_seconds")]
    tables = {
        "best_windows": best_windows(windows, config.best_from),
        "left_out": faults.groupby([*LINE, "split"], as_index=False).agg(
            samples=("sample", "size"), first_layer=("layer", "min")
        ),
        "costs": costs_by_line(
            costs, ["task", "encoder"], ["windows", "deflated", "eigen", "layer_passes", *sums]
        ).drop(columns="jobs"),
        "window_errors": errors,
    }
    best = first_seed(samples[samples["best"].astype(bool)])
    drawn = figures.draw(heat_rows(errors, config.best_from), best, of_windows(first_seed(drawings), best), config)
    return summary(tables, drawn, CAPTIONS | figures.CAPTIONS, notes(windows, tables, drawings, best))


def notes(
    windows: pd.DataFrame, tables: dict[str, pd.DataFrame], drawings: pd.DataFrame, samples: pd.DataFrame
) -> list[str]:
    """Where each encoder reads out best, how windows were solved, what is undefined or was left out."""
    told = [
        f"{row.task}, {row.network}{'' if pd.isna(row.encoder_seed) else f' (seed {int(row.encoder_seed)})'}: smallest "
        f"error {row.error_mean:.4f}, in the window of {row.length} layers from layer {row.start}; without any "
        f"information it would be {row.error_blind:.4f}."
        for row in tables["best_windows"].itertuples()
    ]
    solved = windows["solver"].value_counts()
    told.append(
        f"Of {len(windows)} windows {solved.get('deflated', 0)} have constant directions, which play no part "
        f"in the solution, and {solved.get('eigen', 0)} needed an eigendecomposition."
    )
    if few := int((windows["rows"] < windows["features"]).sum()):
        told.append(f"{few} windows have fewer equations than unknowns: they fit any target of the training set.")
    if undefined := int(windows["undefined"].sum()):
        told.append(f"{undefined} errors are undefined because the target is zero throughout; means leave them out.")
    told += [
        f"{row.task}, {row.network}: {row.samples} examples of {row.split} were left out, their states are NaN or "
        f"infinite, from layer {row.first_layer} on."
        for row in tables["left_out"].itertuples()
    ]
    for task, network in samples[LINE].drop_duplicates().itertuples(index=False, name=None):
        written = set(of(drawings, task=task, network=network)["share"])
        told += [
            f"{task}, {network}: no dev example has the label that writes {letter} alone; none is drawn."
            for letter, share in figures.LETTERS.items()
            if share not in written
        ]
    return told
