"""From the rows of `chaos` to summary tables, figures and sentences, whatever part of the sweep is done."""

import pandas as pd

from orchestrator.experiment import Results, Summary
from tasks.transient_chaos.chaos.captions import FIGURES, TABLES
from tasks.transient_chaos.chaos.config import Config
from tasks.transient_chaos.chaos.figures_attention import attention_figure
from tasks.transient_chaos.chaos.figures_growth import (
    convergence_figure,
    growth_figure,
    long_growth_figure,
    spectrum_figure,
)
from tasks.transient_chaos.chaos.figures_sample import (
    effective_dimension_figure,
    long_trajectory_figure,
    token_deviation_figure,
    trajectory_figure,
)
from tasks.transient_chaos.chaos.figures_survival import chaos_map_figure, survival_figure, thresholds_figure
from tasks.transient_chaos.chaos.reduce_comparison import compare, network_values
from tasks.transient_chaos.chaos.reduce_growth import (
    components,
    dimensions,
    growth_table,
    long_growth,
    spectra,
    whole_spectra,
    windows_with_lines,
)
from tasks.transient_chaos.chaos.reduce_lines import with_lines
from tasks.transient_chaos.chaos.reduce_notes import notes
from tasks.transient_chaos.chaos.reduce_sample import (
    costs_by_line,
    effective_dimension,
    layers_with_lines,
    long_summary,
    lost_sentences,
    pretraining_results,
    sentences_seen,
    synchronised,
    token_deviation,
)
from tasks.transient_chaos.chaos.reduce_survival import chaos_length_survivals, long_survivals, offset_survivals


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep. A figure without rows is left out; a table without rows is empty."""
    windows = windows_with_lines(results.table("windows"))
    layers = layers_with_lines(results.table("layers"))
    spectrum = whole_spectra(results.table("spectrum"))
    starts = results.table("long_starts")
    lengths = chaos_length_survivals(results.table("chaos_lengths"))
    offsets = offset_survivals(results.table("offsets"))
    long_chaos = long_survivals(starts)
    threshold = default_threshold(config)
    along = long_growth(results.table("long_windows"))
    tables = {
        "comparison": compare(network_values(lengths, offsets, layers, windows, threshold)),
        "chaos_length_summary": lengths.summary,
        "offset_summary": offsets.summary,
        "synchronised": synchronised(results.table("offsets"), results.table("lost")),
        "dimensions": dimensions(spectrum),
        "long_summary": long_summary(starts, along),
        "long_chaos_length_summary": long_chaos.summary,
        "lost_sentences": lost_sentences(results.table("lost")),
        "pretraining": pretraining_results(results.table("pretraining")),
        "costs": costs_by_line(results.table("costs"), results.jobs),
        "growth": growth_table(windows),
        "spectra": spectra(spectrum),
        "effective_dimension": effective_dimension(layers),
        "token_deviation": token_deviation(layers),
        "chaos_length_survival": lengths.curves,
        "offset_survival": offsets.curves,
        "long_growth": along,
        "long_chaos_length_survival": long_chaos.curves,
    }
    figures = _figures(results, tables, windows, config, threshold)
    return Summary(
        tables=tables,
        figures=figures,
        captions={**TABLES, **{name: text for name, text in FIGURES.items() if name in figures}},
        notes=notes(tables, sentences_seen(layers), threshold),
    )


def default_threshold(config: Config) -> float:
    """The threshold that is drawn and compared: the one nearest to where sentences go on as one vector."""
    return min(config.thresholds, key=lambda threshold: abs(threshold - config.sync_threshold))


def _figures(
    results: Results, tables: dict[str, pd.DataFrame], windows: pd.DataFrame, config: Config, threshold: float
) -> dict[str, object]:
    """All figures that have rows."""
    trajectories = results.table("trajectories")
    shown = with_lines(trajectories, ["sentence", "token", "dimension", "layer", "value"])
    spreads = with_lines(results.table("spreads"), ["sentence", "layer", "statistic", "value"])
    attention = with_lines(results.table("attention"), ["sentence", "layer", "head", "query", "key", "probability"])
    vectors = with_lines(results.table("long_trajectories"), ["sentence", "dimension", "layer", "value"])
    offsets = tables["offset_survival"]
    persistent = offsets[(offsets["statistic"] == "spread") & (offsets["rule"] == "persistent")]
    deviation = tables["token_deviation"]
    figures: dict[str, object] = {}
    if len(tables["growth"]):
        figures["growth_two_panels"] = growth_figure(tables["growth"], components(trajectories))
    if len(tables["spectra"]):
        figures["spectrum"] = spectrum_figure(tables["spectra"])
        figures["convergence"] = convergence_figure(tables["spectra"])
    if len(tables["effective_dimension"]):
        figures["effective_dimension"] = effective_dimension_figure(tables["effective_dimension"])
    if len(deviation):
        figures["token_deviation"] = token_deviation_figure(deviation, spreads, config.thresholds)
    if len(shown):
        figures["trajectories"] = trajectory_figure(shown)
    curves = survival_figure(tables["chaos_length_survival"], offsets, tables["long_chaos_length_survival"], threshold)
    if curves is not None:
        figures["survival"] = curves
    if len(persistent):
        figures["survival_thresholds"] = thresholds_figure(persistent)
    heat = chaos_map_figure(windows)
    if heat is not None:
        figures["chaos_length_map"] = heat
    if len(attention):
        figures["attention_maps"] = attention_figure(attention)
    if len(tables["long_growth"]):
        figures["long_growth"] = long_growth_figure(tables["long_growth"])
    if len(vectors):
        figures["long_trajectory"] = long_trajectory_figure(vectors)
    return figures
