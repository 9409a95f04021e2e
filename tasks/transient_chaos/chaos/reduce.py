"""From the rows of `chaos` to its summary: tables, figures and sentences, whatever part of the sweep is done."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import of
from tasks.analysis.summary import interval, not_finite, summary
from tasks.transient_chaos.chaos import figures, figures_states, reduce_tables
from tasks.transient_chaos.chaos.config import Config
from tasks.transient_chaos.chaos.figures import MASKS
from tasks.transient_chaos.chaos.reduce_survival import (
    chaos_length_survivals,
    compare,
    long_survivals,
    network_values,
    offset_survivals,
)
from tasks.transient_chaos.chaos.reduce_tables import LINE

CAPTIONS = {
    "comparison": "Pretrained against random networks, one value a network. beyond: not reached within the run, "
    "counted as larger than every other value. share_below, share_above: random networks below and above the "
    "pretrained one. No p-values: sentences of one network are not independent.",
    "chaos_length_summary": "Chaos lengths in layers from the embeddings; 0 without growth in the first window. "
    "median: first layer where at most half are left, NaN where more than half never cease; restricted_mean: of "
    "min(length, horizon), 95 % interval over networks, or over sentences for a single network.",
    "offset_summary": "Synchronisation offsets in layers; columns as in chaos_length_summary.",
    "synchronised": "Share of sentences whose spread over tokens is below the threshold at the last layer, of those "
    "with finite states; 95 % interval over networks (Student), or over sentences for a single network (Wilson).",
    "dimensions": "Kaplan-Yorke dimension of each sentence's last spectrum. Sentences whose sums are never negative "
    "count as the number of exponents and are in beyond: the mean is then a lower bound.",
    "long_summary": "Sentences that go on as one vector. last_along, last_across: mean largest exponent of the last "
    "window, nats per layer; stable_share: windows in which the mean across is below 0.",
    "long_chaos_length_survival": "Kaplan-Meier curve of the chaos along the synchronised manifold, layers of the "
    "sweep included.",
    "long_chaos_length_summary": "Chaos lengths along the manifold; columns as in chaos_length_summary.",
    "lost_sentences": "Sentences whose states ceased to be finite; everything else leaves them out from there on.",
    "pretraining": "Last values of the training of the model that the project pretrained itself.",
    "costs": "Seconds on the workers; layer applications to one sentence and tangents pushed through one layer, "
    "counted while running.",
    "growth": f"Finite-time Lyapunov exponents in nats per layer: mean, 95 % interval {figures.OVER}.",
    "spectra": f"Cumulative Lyapunov exponents in nats per layer: mean, 95 % interval {figures.OVER}.",
    "effective_dimension": "Participation ratio: mean and 95 % interval over networks, and its bound.",
    "token_deviation": "Spread over tokens: median over networks of each statistic over sentences; lowest, highest "
    "network.",
    "chaos_length_survival": "Kaplan-Meier curves of chaos lengths; censored: times censored at that layer.",
    "offset_survival": "Kaplan-Meier curves of synchronisation offsets; censored: times censored at that layer.",
    "long_growth": "Growth along and across the synchronised manifold in nats per layer: mean, 95 % interval "
    f"{figures.OVER}.",
}


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep."""
    rows = results.table
    windows, layers = reduce_tables.windows_with_lines(rows("windows")), reduce_tables.layers_with_lines(rows("layers"))
    spectrum, along = reduce_tables.whole_spectra(rows("spectrum")), reduce_tables.long_growth(rows("long_windows"))
    lengths, offsets = chaos_length_survivals(rows("chaos_lengths")), offset_survivals(rows("offsets"))
    long_chaos = long_survivals(rows("long_starts"))
    threshold = default_threshold(config)
    last = rows("pretraining").sort_values("step").groupby("metric", as_index=False).last()
    tables = {
        "comparison": compare(network_values(lengths, offsets, layers, windows, threshold)),
        "chaos_length_summary": lengths.summary,
        "offset_summary": offsets.summary,
        "synchronised": reduce_tables.synchronised(rows("offsets"), rows("lost")),
        "dimensions": reduce_tables.dimensions(spectrum),
        "long_summary": reduce_tables.long_summary(rows("long_starts"), along),
        "long_chaos_length_summary": long_chaos.summary,
        "lost_sentences": reduce_tables.lost_sentences(rows("lost")),
        "pretraining": last[["metric", "step", "value"]],
        "costs": reduce_tables.costs_of_lines(rows("costs"), results.jobs),
        "growth": reduce_tables.growth_table(windows),
        "spectra": reduce_tables.spectra(spectrum),
        "effective_dimension": reduce_tables.effective_dimension(layers),
        "token_deviation": reduce_tables.token_deviation(layers),
        "chaos_length_survival": lengths.curves,
        "offset_survival": offsets.curves,
        "long_growth": along,
        "long_chaos_length_survival": long_chaos.curves,
    }
    told = notes(tables, reduce_tables.sentences_seen(layers), threshold)
    # A table and a figure of one name show the same thing, and the figure's caption says more.
    captions = CAPTIONS | figures.CAPTIONS | figures_states.CAPTIONS
    return summary(tables, draw(results, tables, windows, config), captions, told)


def draw(
    results: Results, tables: Mapping[str, pd.DataFrame], windows: pd.DataFrame, config: Config
) -> dict[str, Figure]:
    """All figures that have something to show."""
    place = ["sentence", "layer"]
    trajectories, spreads, attention, vectors = (
        reduce_tables.with_lines(results.table(name), [*place, *columns])
        for name, columns in (
            ("trajectories", ["token", "dimension", "value"]),
            ("spreads", ["statistic", "value"]),
            ("attention", ["head", "query", "key", "probability"]),
            ("long_trajectories", ["dimension", "value"]),
        )
    )
    lengths, offsets, along = (tables[f"{name}_survival"] for name in ("chaos_length", "offset", "long_chaos_length"))
    drawn = {
        "growth_two_panels": figures.growth_figure(tables["growth"], reduce_tables.components(trajectories)),
        "spectrum": figures.spectrum_figure(tables["spectra"]),
        "convergence": figures.convergence_figure(tables["spectra"]),
        "effective_dimension": figures_states.effective_dimension_figure(tables["effective_dimension"]),
        "token_deviation": figures_states.token_deviation_figure(tables["token_deviation"], spreads, config.thresholds),
        "trajectories": figures_states.trajectory_figure(trajectories),
        "survival": figures_states.survival_figure(lengths, offsets, along, default_threshold(config)),
        "survival_thresholds": figures_states.thresholds_figure(offsets),
        "chaos_length_map": figures.chaos_map_figure(windows),
        "attention_maps": figures_states.attention_figure(attention),
        "long_growth": figures.long_growth_figure(tables["long_growth"]),
        "long_trajectory": figures_states.long_trajectory_figure(vectors),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}


def default_threshold(config: Config) -> float:
    """The threshold that is drawn and compared: the one nearest to where sentences go on as one vector."""
    return min(config.thresholds, key=lambda threshold: abs(threshold - config.sync_threshold))


def notes(tables: Mapping[str, pd.DataFrame], sentences: Mapping[tuple[str, str], int], threshold: float) -> list[str]:
    """What came out, with units and counts; what is censored, NaN or lost.

    Args:
        sentences: those of all networks of each line and mask mode together.
    """
    told = []
    for (line, mask), n in sorted(sentences.items()):
        networks = of(tables["growth"], line=line, mask_mode=mask)["networks"].max()
        of_networks = f" of {int(networks)} networks" if networks > 1 else ""
        found = "; ".join(_line_parts(tables, line, mask, threshold)) or "nothing to report"
        told.append(f"{MASKS[mask]}, {line} ({n:,} sentences{of_networks}): {found}.")
    told += _equal_masks(tables["growth"])
    told += _comparisons(tables["comparison"])
    told += [
        f"{MASKS[row.mask_mode]}, {row.line}: mean Kaplan-Yorke dimension {'at least ' if row.beyond else ''}"
        f"{row.mean:.3g} ({row.n} sentences, {row.beyond} of them beyond the {row.exponents} exponents; "
        f"{row.not_finite} not finite)."
        for row in tables["dimensions"].itertuples()
    ]
    told += [_long_note(row) for row in tables["long_summary"].itertuples()]
    lost = tables["lost_sentences"]
    told.append(
        f"{int(lost['sentences'].sum())} of {sum(sentences.values()):,} sentences were lost (states not finite)"
        + (f", from layer {int(lost['first_layer'].min())} on: see lost_sentences." if len(lost) else ".")
    )
    told += [
        f"{what}: {not_finite(np.repeat([np.nan, 0.0], [rows['not_finite'].sum(), rows['n'].sum()]), 'values')}"
        for what, rows in (("Window exponents", tables["growth"]), ("Cumulative exponents", tables["spectra"]))
        if len(rows)
    ]
    undefined = of(tables["effective_dimension"], metric="effective_dimension").query("undefined > 0")
    if len(undefined):
        lines = ", ".join(f"{line}, {MASKS[mask]}" for line, mask in undefined[LINE].drop_duplicates().to_numpy())
        told.append(f"Effective dimensions: {undefined['undefined'].sum()} of layers and networks undefined ({lines}).")
    trained = tables["pretraining"]
    values = [
        f"{row.metric.replace('_', ' ')} {row.value:.4g}" for row in trained.itertuples() if "rate" not in row.metric
    ]
    told += [f"End of pretraining of the small ALBERT: {', '.join(values)}."] if values else []
    if len(costs := tables["costs"]):
        told.append(
            f"{costs['layer_passes'].sum():,} layer passes and {costs['tangent_passes'].sum():,} tangent passes in "
            f"{costs['seconds'].sum():,.0f} seconds of work."
        )
    return told


def _line_parts(tables: Mapping[str, pd.DataFrame], line: str, mask: str, threshold: float) -> Iterator[str]:
    """What one line does under one mask mode."""
    name = {"line": line, "mask_mode": mask}
    aligned = {"method": "tangent", "phase": "aligned"}
    windows = of(tables["growth"], **name, **aligned, exponent=1).dropna(subset="mean").sort_values("start")
    if len(windows):
        first, last = windows.iloc[0], windows.iloc[-1]
        yield (
            f"largest exponent {first['mean']:+.4f} nats per layer in the first aligned window (from layer "
            f"{first['start']}), {last['mean']:+.4f} in the last (from layer {last['start']}; over {last['over']}: "
            f"{interval(last['low'], last['high'], '+.4f')})"
        )
    offset = {"statistic": "spread", "threshold": threshold, "rule": "persistent"}
    for table, keys, what in (
        ("chaos_length_summary", {**aligned, "rule": "first_nonpositive"}, "chaos length"),
        ("offset_summary", offset, f"synchronisation offset (spread below {threshold:g} for good)"),
    ):
        for row in of(tables[table], **name, **keys).itertuples():
            median = "beyond what was observed" if np.isnan(row.median) else f"{row.median:g} layers"
            yield f"median {what} {median} ({row.censored} of {row.n} censored)"
    dimension = of(tables["effective_dimension"], **name, metric="effective_dimension")
    known = dimension.dropna(subset="mean").sort_values("layer")
    if len(known):
        first, last = known.iloc[0], known.iloc[-1]
        later = ", undefined after that" if last["layer"] < dimension["layer"].max() else ""
        yield (
            f"effective dimension {first['mean']:.3g} at layer {first['layer']}, {last['mean']:.3g} at layer "
            f"{last['layer']} (at most {last['bound']:g}){later}"
        )


def _equal_masks(growth: pd.DataFrame) -> list[str]:
    """Which lines grow equally under both mask modes, to the last digit: then there was nothing to mask."""
    keys = ["line", "method", "phase", "exponent", "start"]
    both = of(growth, mask_mode="none").merge(of(growth, mask_mode="padding"), on=keys, suffixes=("_none", "_padding"))
    equal = (both["mean_none"] == both["mean_padding"]).groupby(both["line"]).all()
    lines = "; ".join(equal.index[equal])
    return (
        [f"With and without the mask growth is equal to the last digit, as without padding: {lines}."] if lines else []
    )


def _comparisons(comparison: pd.DataFrame) -> Iterator[str]:
    """How many random networks lie below the pretrained one; chaos lengths and the last effective dimension alone."""
    known = comparison.dropna(subset="share_below")
    chaos = (known["quantity"] == "restricted mean chaos length") & (known["detail"] == "first_nonpositive")
    chosen = known[chaos | (known["quantity"] == "effective dimension")]
    for (mask, random, quantity), rows in chosen.groupby(["mask_mode", "random", "quantity"], sort=False):
        row = rows.iloc[-1]
        unit = f" {row['unit']}" if row["unit"] else ""
        where = f" at {row['detail']}" if quantity == "effective dimension" else ""
        yield (
            f"{MASKS[mask]}: {quantity}{where} {row['pretrained']:.4g}{unit} pretrained, "
            f"{row['random_median']:.4g}{unit} in the median of {row['networks']} networks ({random}; "
            f"{row['random_lowest']:.4g} to {row['random_highest']:.4g}); "
            f"{round(row['share_below'] * row['networks'])} of them below the pretrained one."
        )


def _long_note(row) -> str:
    told = (
        f"{MASKS[row.mask_mode]}, {row.line}: {row.synchronised} of {row.sentences} sentences synchronised, "
        f"{row.followed} went on as one vector, {row.lost} of them lost"
    )
    if np.isnan(row.last_along):
        return told + "."
    return (
        f"{told}; largest exponent in the last window {row.last_along:+.4f} nats per layer along the manifold, "
        f"{row.last_across:+.4f} across it."
    )
