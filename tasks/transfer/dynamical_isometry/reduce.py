"""From the rows of `dynamical_isometry` to tables, figures and sentences, whatever part of the sweep is done."""

import numpy as np
import pandas as pd
import pyarrow as pa

from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import of
from tasks.analysis.runs import costs_by_line
from tasks.transfer.diagnostics.reporting import LINE, SEEDS, named, over_seeds, pretrained_vs_random, report
from tasks.transfer.dynamical_isometry import figures
from tasks.transfer.dynamical_isometry.config import Config
from tasks.transfer.dynamical_isometry.figures import APART, BLOCKS, NULLS
from tasks.transfer.dynamical_isometry.stages import COSTS, SPECTRA

LEVELS = ["input_level", "output_level"]
KEYS = [*LEVELS, "kind", "metric"]
METRICS = [field.name for field in SPECTRA.schema if pa.types.is_floating(field.type)]
CAPTIONS = {
    "spectra": (
        f"{BLOCKS} whole: position 0 with respect to all words together. Mean over sentences of each sentence's "
        f"statistic, in each seed. {SEEDS} {NULLS}"
    ),
}


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep."""
    rows = results.table("spectra")
    spectra = over_sentences(rows)
    tables = {
        "pretrained_vs_random": pretrained_vs_random(spectra, KEYS),
        "spectra": spectra,
        "costs": costs_by_line(results.table("costs"), LINE, COSTS.schema.names),
    }
    drawn = figures.draw(densities(results.table("histogram")), of(spectra, metric="mean_log"))
    captions = CAPTIONS | figures.CAPTIONS
    return report(results, config, tables, drawn, captions, notes(tables, rows), dropout="random encoders alone")


def over_sentences(rows: pd.DataFrame) -> pd.DataFrame:
    """Each statistic's mean over sentences in each seed, `over_seeds`.

    null_max is NaN where nothing is null, which is no missing value: such rows stay away.
    """
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


def notes(tables: dict[str, pd.DataFrame], rows: pd.DataFrame) -> list[str]:
    """What came out of the blocks that are drawn, and what has no logarithm or is not finite."""
    both = of(tables["pretrained_vs_random"], metric="mean_log")
    told = [
        f"{named(row.model, row.task, row.shift)}, level {row.output_level} by level {row.input_level}, "
        f"{row.kind.replace('_', '-')} blocks: mean ln sigma {row.mean_pretrained:.3f} pretrained, "
        f"{row.mean_random:.3f} random (0 is an isometry)."
        for row in both[both["kind"].isin(APART)].itertuples()
    ]
    pooled = of(rows, kind="pooled")
    zero, bad = int(pooled["n_zero"].sum()), int(pooled["n_not_finite"].sum())
    return [*told, f"{zero:,} singular values are exactly 0 and have no logarithm, {bad:,} are not finite."]
