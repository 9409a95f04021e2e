"""From the rows of `dynamical_isometry` to tables, figures and sentences, whatever part of the sweep is done."""

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from orchestrator.experiment import Results, Summary
from tasks.analysis.palette import ENCODERS, GREY
from tasks.analysis.panels import curve, legend, line_handle, of, outer_labels
from tasks.analysis.runs import costs_by_line
from tasks.transfer.diagnostics.reporting import (
    LINE,
    REFERENCE,
    SEEDS,
    SIDES,
    encoder_handles,
    grid,
    named,
    over_seeds,
    places,
    pretrained_vs_random,
    report,
)
from tasks.transfer.dynamical_isometry.config import Config
from tasks.transfer.dynamical_isometry.stages import COSTS, SPECTRA

BLOCKS = (
    "Singular values of the blocks d h_j[t] / d h_i[w]: diagonal the block of the output position (w = t), which the "
    "residual stream carries, off-diagonal those of the other words."
)
NULLS = (
    "Structurally null values, two per block where level j is the output of a LayerNorm, are left out; null_max is the "
    "largest of them."
)
LEVELS = ["input_level", "output_level"]
KEYS = [*LEVELS, "kind", "metric"]
METRICS = [field.name for field in SPECTRA.schema if pa.types.is_floating(field.type)]
CAPTIONS = {
    "spectra": (
        f"{BLOCKS} whole: position 0 with respect to all words together. Mean over sentences of each sentence's "
        f"statistic, in each seed. {SEEDS} {NULLS}"
    ),
    "log_singular_values": (
        f"{BLOCKS} Density of the natural logarithm over all sentences, positions and seeds, in bins of 0.1; dashed: "
        f"an isometry (sigma = 1). {NULLS} Values of 0 and NaN are left out."
    ),
    "published": (
        "As published: natural logarithms of the singular values of all blocks, structurally null ones too (the bump "
        "far to the left, which is rounding). The weight of the diagonal block depends on the length of the sentences."
    ),
    "levels": (
        f"{BLOCKS} Mean of ln sigma from the lowest input level to each higher level; band: 95 % interval (Student) "
        "over seeds; dashed: an isometry."
    ),
    "level_pairs": "Mean of ln sigma of the diagonal blocks for all pairs of levels; mean over seeds.",
}
NAMES = {
    "diagonal": "own position",
    "off_diagonal": "other words",
    "whole": "all words together",
    "published": "all blocks, as published",
}
APART = ["diagonal", "off_diagonal"]
"""The kinds of blocks whose spectra are drawn beside each other."""


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep."""
    rows = results.table("spectra")
    spectra = over_sentences(rows)
    tables = {
        "pretrained_vs_random": pretrained_vs_random(spectra, KEYS),
        "spectra": spectra,
        "costs": costs_by_line(results.table("costs"), LINE, COSTS.schema.names),
    }
    drawn = draw(densities(results.table("histogram")), of(spectra, metric="mean_log"))
    return report(results, config, tables, drawn, CAPTIONS, notes(tables, rows), dropout="random encoders alone")


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


def draw(found: pd.DataFrame, means: pd.DataFrame) -> dict[str, Figure]:
    """Histograms of the widest pair of levels, and lines and maps where there are several; one figure a shift.

    Args:
        found: as `reduce.densities` makes them.
        means: of the metric mean_log, as `reduce.over_sentences` makes them.
    """
    figures = {}
    for shift in sorted(found["shift"].unique()):
        here, name = of(found, shift=shift), f"shift_{shift}"
        low, high = here["input_level"].min(), here["output_level"].max()
        # Models of different depths have different last levels: each model's own widest pair.
        last = here.groupby("model")["output_level"].transform("max")
        widest = here[(here["input_level"] == low) & (here["output_level"] == last)]
        where = f"{name}-level_{high}_by_level_{low}" if (last == high).all() else f"{name}-last_level_by_level_{low}"
        kinds = [*APART, *(["whole"] if (widest["kind"] == "whole").any() else [])]
        figures[f"log_singular_values-{where}"] = histogram_figure(widest, kinds)
        figures[f"published-{where}"] = histogram_figure(widest, ["published"])
        lines = of(means, shift=shift)
        if of(lines, input_level=low)["output_level"].nunique() > lines["model"].nunique():
            figures[f"levels-{name}"] = level_figure(of(lines, input_level=low))
        if len(lines["input_level"].unique()) > 1:
            figures[f"level_pairs-{name}"] = pair_figure(lines)
    return figures


def histogram_figure(densities: pd.DataFrame, kinds: list[str]) -> Figure:
    """One pair of levels and one shift: a row a kind of block, a column a model and task, step lines the encoders."""
    rows, columns = [{"kind": kind} for kind in kinds], places(densities, "model", "task")
    shape = {"width": 3.3, "height": 2.3, "sharex": "row", "sharey": "row"}
    figure, axes, cells = grid(densities, rows, columns, "density", **shape)
    for axis, here in cells:
        for encoder in SIDES:
            _steps(axis, of(here, encoder=encoder).sort_values("low"), ENCODERS[encoder])
        axis.axvline(0, **REFERENCE)
        axis.set_ylim(bottom=0)
        axis.tick_params(labelbottom=True)
    outer_labels(axes, "ln σ (natural log of a singular value)", [f"density\n({NAMES[kind]})" for kind in kinds])
    legend(figure, [*encoder_handles(), line_handle("isometry, σ = 1", GREY, linestyle="--")])
    return figure


def _steps(axis: Axes, line: pd.DataFrame, colour: str) -> None:
    """Step lines; bins without values lie on 0."""
    if not len(line):
        return
    width = float((line["high"] - line["low"]).iloc[0])
    bins = np.round((line["low"] - line["low"].min()) / width).astype(int).to_numpy()
    heights = np.zeros(bins.max() + 1)
    heights[bins] = line["density"].to_numpy(dtype=float)
    edges = float(line["low"].min()) + width * np.arange(len(heights) + 1)
    axis.stairs(heights, edges, color=colour, linewidth=1.4)


def level_figure(means: pd.DataFrame) -> Figure:
    """One input level and one shift: mean ln sigma against the output level; a row a kind of block."""
    rows, columns = [{"kind": kind} for kind in APART], places(means, "model", "task")
    shape = {"width": 3.3, "height": 2.3, "sharex": True, "sharey": "row"}
    figure, axes, cells = grid(means, rows, columns, "mean", **shape)
    for axis, here in cells:
        for encoder in SIDES:
            curve(axis, of(here, encoder=encoder), "output_level", ENCODERS[encoder], marker="o")
        axis.axhline(0, **REFERENCE)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    outer_labels(axes, "output level", [f"mean ln σ\n({NAMES[kind]})" for kind in APART])
    legend(figure, [*encoder_handles(), line_handle("isometry, σ = 1", GREY, linestyle="--")])
    return figure


def pair_figure(means: pd.DataFrame) -> Figure:
    """One shift: maps of mean ln sigma of the diagonal blocks over input and output levels; a row an encoder."""
    means = of(means, kind="diagonal")
    rows, columns = places(means, "encoder"), places(means, "model", "task")
    title = ("model", "task", "encoder")
    figure, axes, cells = grid(means, rows, columns, "mean", title, width=3.0, height=2.6)
    limit, image = float(means["mean"].abs().max()), None
    for axis, here in cells:
        axis.grid(False)
        table = here.pivot_table(index="input_level", columns="output_level", values="mean")
        if table.size:
            colours = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
            image = axis.imshow(table.to_numpy(dtype=float), origin="lower", aspect="auto", **colours)
            axis.set_xticks(range(table.shape[1]), [str(level) for level in table.columns])
            axis.set_yticks(range(table.shape[0]), [str(level) for level in table.index])
    outer_labels(axes, "output level", "input level")
    if image is not None:
        figure.colorbar(image, ax=list(axes.flat), label="mean ln σ of the own position's block")
    return figure
