"""From rows to summary tables: errors of the windows over seeds, the best windows, and what was left out."""

import pandas as pd

from orchestrator.experiment import Results, Summary
from tasks.transient_chaos.handwriting_readout.config import Config
from tasks.transient_chaos.handwriting_readout.figures import drawing_figure, error_figure, heat_figure

LINE = ["task", "network"]
"""The columns that tell one panel from another."""


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
    columns = ["start", "length", "error_mean", "error_sd", "error_median", "error_blind", "samples", "solver", "rank"]
    rows = []
    for key, own in windows.groupby([*LINE, "encoder_seed"], dropna=False, sort=True):
        own = own.dropna(subset="error_mean").sort_values(["start", "length"])
        own = own[own["length"] >= best_from] if (own["length"] >= best_from).any() else own
        if len(own):
            best = own.loc[own["error_mean"].idxmin()]
            rows.append(dict(zip([*LINE, "encoder_seed"], key, strict=True)) | best[columns].to_dict())
    return pd.DataFrame(rows, columns=[*LINE, "encoder_seed", *columns])


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep, whatever part of it is done."""
    windows, samples, drawings, faults, costs = (
        with_network(results.table(name)) for name in ("windows", "samples", "drawings", "faults", "costs")
    )
    errors = window_errors(windows)
    best = best_windows(windows, config.best_from)
    left_out = faults.groupby([*LINE, "split"], as_index=False).agg(
        samples=("sample", "size"), first_layer=("layer", "min")
    )
    tables = {
        "best_windows": best,
        "left_out": left_out,
        "costs": costs.drop(columns=["network"])
        .groupby(["task", "encoder"], as_index=False)[
            [
                "windows",
                "deflated",
                "eigen",
                "layer_passes",
                "encoder_seconds",
                "sum_seconds",
                "solve_seconds",
                "error_seconds",
            ]
        ]
        .sum(),
        "window_errors": errors,
    }
    captions = {
        "error_by_window": "Mean reconstruction error on the dev samples (squared error over squared target, no unit) "
        f"of all windows of at least {config.best_from} layers, mean over encoder seeds; star: the smallest.",
        "letters": "What the readout of the best window writes for the dev samples of the two extreme labels with the "
        "smallest errors (first encoder seed); dotted: the target.",
        "sample_errors": "Errors of the dev samples in the best window (first encoder seed); dashed: their mean.",
        "best_windows": "The best window of every encoder. error_blind is what a readout reaches that knows only the "
        "mean label; errors have no unit.",
        "left_out": "Samples that were left out since their states are NaN or infinite.",
        "window_errors": "Mean, smallest and largest over encoder seeds of the mean error; windows that needed the "
        "min-norm solution.",
        "costs": "Layer applications to one sequence and seconds on the workers.",
    }
    figures = {}
    if len(drawn := heat_rows(errors, config.best_from)):
        figures["error_by_window"] = heat_figure(drawn)
    own = samples[samples["best"].astype(bool)] if len(samples) else samples
    if len(own := first_seed(own)):
        figures["sample_errors"] = error_figure(own)
    if len(curves := of_windows(first_seed(drawings), own)):
        figures["letters"] = drawing_figure(curves, config.write_mode)
    return Summary(
        tables=tables, figures=figures, captions=captions, notes=_notes(windows, best, left_out, drawings, own)
    )


def heat_rows(errors: pd.DataFrame, best_from: int) -> pd.DataFrame:
    """The windows of the heat map: the long enough, or all where none is, with an error."""
    long = errors[errors["length"] >= best_from]
    return (long if len(long) else errors).dropna(subset="error")


def first_seed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the first encoder seed of every task and network."""
    seed = rows["encoder_seed"].fillna(-1)
    return rows[seed == seed.groupby([rows[name] for name in LINE]).transform("min")]


def of_windows(rows: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """The rows of the windows that `samples` are of."""
    keys = [*LINE, "start", "length"]
    return rows.merge(samples[keys].drop_duplicates(), on=keys)


def _notes(
    windows: pd.DataFrame, best: pd.DataFrame, left_out: pd.DataFrame, drawings: pd.DataFrame, samples: pd.DataFrame
) -> list[str]:
    notes = []
    for row in best.itertuples():
        seed = "" if pd.isna(row.encoder_seed) else f" (seed {int(row.encoder_seed)})"
        notes.append(
            f"{row.task}, {row.network}{seed}: the error is smallest, {row.error_mean:.4f}, in the window of "
            f"{row.length} layers from layer {row.start}; without any information it would be {row.error_blind:.4f}."
        )
    solved = windows["solver"].value_counts()
    notes.append(
        f"Of {len(windows)} windows {solved.get('deflated', 0)} have constant directions, which play no part "
        f"in the solution, and {solved.get('eigen', 0)} needed an eigendecomposition."
    )
    few = int((windows["rows"] < windows["features"]).sum())
    if few:
        notes.append(f"{few} windows have fewer equations than unknowns: they fit any target of the training set.")
    undefined = int(windows["undefined"].sum())
    if undefined:
        notes.append(f"{undefined} errors are undefined, since the target is zero throughout; means leave them out.")
    for row in left_out.itertuples():
        notes.append(
            f"{row.task}, {row.network}: {row.samples} samples of {row.split} were left out, their states are NaN "
            f"or infinite, from layer {row.first_layer} on."
        )
    for key in samples[LINE].drop_duplicates().itertuples(index=False, name=None):
        written = drawings[(drawings[LINE] == list(key)).all(axis=1)]
        for share, letter in ((0.0, "U"), (1.0, "S")):
            if not (written["share"] == share).any():
                notes.append(
                    f"{key[0]}, {key[1]}: no dev sample has the label that writes {letter} alone; none is drawn."
                )
    return notes
