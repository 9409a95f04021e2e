"""From the rows of `dynamical_isometry` to tables, figures and sentences, whatever part of the sweep is done."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import of, short
from tasks.transfer.diagnostics.lines import INTERVAL, LINE, beside, over_seeds, shift_label
from tasks.transfer.dynamical_isometry.captions import CAPTIONS
from tasks.transfer.dynamical_isometry.config import Config
from tasks.transfer.dynamical_isometry.figures import histogram_figure, level_figure, pair_figure

LEVELS = ["input_level", "output_level"]
KEYS = [*LEVELS, "kind", "metric"]
METRICS = ["sigma_max", "mean", "sd", "median", "min", "mean_log", "sd_log", "isometry", "null_max"]
DRAWN = ["diagonal", "off_diagonal"]


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences; an empty table stays away, and the notes say what is missing."""
    rows, costs = results.table("spectra"), results.table("costs")
    spectra = over_sentences(rows)
    pretraining = results.table("pretraining")
    tables = {
        "beside": beside(spectra, KEYS),
        "spectra": spectra,
        "costs": costs_by_line(costs),
        "pretraining": pretraining[~pretraining["metric"].isin(["loss", "learning_rate"])],
    }
    figures = draw(densities(results.table("histogram")), of(spectra, metric="mean_log"))
    told = notes(tables, rows, costs, config)
    tables = {name: table for name, table in tables.items() if len(table)}
    captions = {name: text for name, text in CAPTIONS.items() if name in tables}
    for name in figures:  # one figure a shift: the caption is the kind's, with the shift and the levels said
        kind, _, where = name.partition("-")
        captions[name] = f"{where.replace('-', ', ').replace('_', ' ').capitalize()}. {CAPTIONS[kind]}"
    return Summary(tables=tables, figures=figures, captions=captions, notes=told)


def over_sentences(rows: pd.DataFrame) -> pd.DataFrame:
    """Each statistic's mean over sentences in each seed, `over_seeds`.

    null_max is NaN where nothing is null, which is no missing value: such rows stay away.
    """
    if not len(rows):
        return pd.DataFrame(columns=[*LINE, *KEYS, *INTERVAL])
    long = rows.melt(id_vars=[*LINE, "seed", *LEVELS, "kind", "nulls"], value_vars=METRICS, var_name="metric")
    none = (long["metric"] == "null_max") & (long["nulls"] == 0)
    return over_seeds(long[~none], KEYS)


def densities(counts: pd.DataFrame) -> pd.DataFrame:
    """Counts of all seeds together over their sum and the width of a bin; the unbounded bins are left out."""
    keys = [*LINE, *LEVELS, "kind"]
    known = counts[np.isfinite(counts["low"].to_numpy(dtype=float)) & np.isfinite(counts["high"].to_numpy(dtype=float))]
    table = known.groupby([*keys, "low", "high"], as_index=False)["count"].sum()
    total = table.groupby(keys)["count"].transform("sum")
    return table.assign(density=table["count"] / (total * (table["high"] - table["low"])))


def draw(found: pd.DataFrame, means: pd.DataFrame) -> dict[str, Figure]:
    """Histograms of the widest pair of levels, and lines and maps where there are several; one figure a shift."""
    figures = {}
    for shift in sorted(found["shift"].unique()):
        here, name = of(found, shift=shift), f"shift_{shift}"
        low, high = here["input_level"].min(), here["output_level"].max()
        # Models of different depths have different last levels: each model's own widest pair.
        last = here.groupby("model")["output_level"].transform("max")
        widest = here[(here["input_level"] == low) & (here["output_level"] == last)]
        where = f"{name}-level_{high}_by_level_{low}" if (last == high).all() else f"{name}-last_level_by_level_{low}"
        kinds = [*DRAWN, *(["whole"] if (widest["kind"] == "whole").any() else [])]
        figures[f"log_singular_values-{where}"] = histogram_figure(widest, kinds)
        figures[f"published-{where}"] = histogram_figure(widest, ["published"])
        lines = of(means, shift=shift)
        if of(lines, input_level=low)["output_level"].nunique() > lines["model"].nunique():
            figures[f"levels-{name}"] = level_figure(of(lines, input_level=low))
        if len(lines["input_level"].unique()) > 1:
            figures[f"level_pairs-{name}"] = pair_figure(lines)
    return figures


def costs_by_line(costs: pd.DataFrame) -> pd.DataFrame:
    """What the jobs of each line cost, added up."""
    sums = ("n_sentences", "n_tokens", "n_blocks", "layer_passes", "products", "jacobian_seconds", "svd_seconds")
    return costs.groupby(LINE, as_index=False).agg(jobs=("job_id", "nunique"), **{name: (name, "sum") for name in sums})


def notes(tables: dict[str, pd.DataFrame], rows: pd.DataFrame, costs: pd.DataFrame, config: Config) -> list[str]:
    """What came out, what is missing, and what is not finite."""
    told = []
    for row in of(tables["beside"], metric="mean_log").itertuples():
        if row.kind in DRAWN:
            told.append(
                f"{short(row.model)}, {row.task}, {shift_label(row.shift)}, level {row.output_level} by level "
                f"{row.input_level}, {row.kind.replace('_', '-')} blocks: mean ln sigma {row.mean_pretrained:.3f} "
                f"pretrained, {row.mean_random:.3f} random (0 is an isometry)."
            )
    if config.legacy_dropout:
        told.append("Dropout was on for random encoders and off for pretrained ones, as published.")
    planned = len(config.models) * len(config.tasks) * len(config.encoders) * len(config.seeds) * len(config.shifts)
    done = costs["job_id"].nunique()
    if done < planned:
        told.append(f"{planned - done} of {planned} networks and tasks are missing.")
    both = of(rows, kind="pooled")
    zero, bad = int(both["n_zero"].sum()), int(both["n_not_finite"].sum())
    told.append(f"{zero:,} singular values are exactly 0 and have no logarithm, {bad:,} are not finite.")
    if len(costs):
        seconds = costs["jacobian_seconds"].sum() + costs["svd_seconds"].sum()
        told.append(
            f"{costs['n_blocks'].sum():,} blocks from {costs['products'].sum():,} vector-Jacobian products in "
            f"{seconds:,.0f} seconds of work, {costs['svd_seconds'].sum() / seconds:.0%} of them in singular values."
        )
    return told
