"""Lines of the figures, and the summary tables of growth and of the sample of sentences at each layer.

A line is where the weights come from and how they were drawn; every mask mode has its own. Sentences of one network are
not independent of each other as evidence about networks, so wherever a line has several networks its interval is over
their means. Only a single network's interval is over its sentences, and speaks of that network alone.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from metrics.intervals import share_interval
from metrics.lyapunov import kaplan_yorke
from tasks.analysis.panels import of
from tasks.analysis.runs import costs_by_line, over_runs, with_interval
from tasks.transient_chaos.chaos.stages import CHAOS_SWEEP

LINE = ["line", "mask_mode"]
"""The columns that tell one line from another."""
PRETRAINED = "pretrained"
ONE_NETWORK = -1
"""The network's number where there is but one, the checkpoint; random ones have their seed."""
AVERAGES = ["mean", "low", "high", "sd_sentences", "sd_networks", "networks", "n", "not_finite", "over"]
"""The columns that `over_networks` adds to its keys."""
DIMENSIONS = [*LINE, "layers", "exponents", *AVERAGES, "beyond"]
EFFECTIVE = ["effective_dimension", "effective_dimension_first"]
EFFECTIVE_DIMENSION = [*LINE, "metric", "layer", "mean", "low", "high", "sd_networks", "networks", "undefined", "bound"]
DEVIATION = [*LINE, "metric", "layer", "median", "lowest", "highest", "networks", "undefined"]
SYNCHRONISED = [*LINE, "statistic", "threshold", "share", "low", "high", "n", "lost", "networks", "over"]
LOST = [*LINE, "reason", "sentences", "networks", "first_layer", "last_layer"]
LONG = [*LINE, "sentences", "synchronised", "followed", "lost", "last_along", "last_across", "stable_share"]


def with_lines(rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The `columns` of a table with its lines: `line` ("pretrained", "random, keras"), `mask_mode`, `network` (a seed).

    Texts come back as categories, since there are millions of rows and a handful of texts.
    """
    if not len(rows):
        return pd.DataFrame(columns=[*LINE, "network", *columns])
    codes, _ = pd.factorize(rows["job_id"])
    jobs = rows.loc[~rows["job_id"].duplicated(), ["encoder", "init_style", "encoder_seed", "mask_mode"]]
    labels = [
        PRETRAINED if encoder == PRETRAINED else f"{encoder}, {style}"
        for encoder, style in zip(jobs["encoder"], jobs["init_style"], strict=True)
    ]
    seeds = jobs["encoder_seed"].astype(float).fillna(ONE_NETWORK).astype(int).to_numpy()
    found = {
        "line": pd.Categorical(labels, sorted(set(labels))).take(codes),
        "mask_mode": pd.Categorical(jobs["mask_mode"].astype(object)).take(codes),
        "network": seeds[codes],
    }
    for name in columns:
        column = rows[name]
        found[name] = column.array if pd.api.types.is_numeric_dtype(column.dtype) else _categories(column)
    return pd.DataFrame(found)


def _categories(column: pd.Series) -> pd.Categorical:
    """A column as categories, in order; missing values stay missing."""
    codes, values = pd.factorize(column, sort=True)
    return pd.Categorical.from_codes(codes, values)


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """The table with texts instead of categories, and a fresh index."""
    texts = {name: table[name].astype(str) for name in table if isinstance(table[name].dtype, pd.CategoricalDtype)}
    return table.assign(**texts).reset_index(drop=True)


def over_networks(rows: pd.DataFrame, keys: Sequence[str], value: str) -> pd.DataFrame:
    """Mean of a column for each line and `keys`: over the sentences of each network, then over the networks.

    Values that are not finite are left out and counted in `not_finite`; `n` counts the others. `low` and `high` are the
    ends of Student's 95 % interval for the mean `over` networks, or over the sentences of the only network; NaN where
    there is one value. `sd_sentences` is the mean over networks of the standard deviation over sentences.
    """
    by = [*LINE, *keys]
    if not len(rows):
        return pd.DataFrame(columns=[*by, *AVERAGES])
    rows = rows[[*by, "network", value]].rename(columns={value: "value"})
    table = over_runs(rows, by, ["network"], count="networks").rename(columns={"sd": "sd_networks"})
    finite = rows.assign(value=rows["value"].where(np.isfinite(rows["value"].to_numpy(dtype=float))))
    inner = finite.groupby([*by, "network"], observed=True)["value"].agg(["std", "count"])
    inner = inner.groupby(by, observed=True).agg(sd_sentences=("std", "mean"), n=("count", "sum"))
    table = table.merge(inner.reset_index(), on=by)
    several = table["networks"] > 1
    of_one = with_interval(table, table["sd_sentences"], table["n"])
    ends = {end: table[end].where(several, of_one[end]) for end in ("low", "high")}
    table = table.assign(**ends, over=np.where(several, "networks", "sentences"))
    return plain(table[[*by, *AVERAGES]])


def windows_with_lines(windows: pd.DataFrame) -> pd.DataFrame:
    """The rows of `windows` with their lines, of all exponents."""
    return with_lines(windows, ["sentence", "method", "phase", "exponent", "start", "growth"])


def growth_table(windows: pd.DataFrame) -> pd.DataFrame:
    """Mean growth of each line, phase, method and exponent in each window (its rows are `windows_with_lines`)."""
    return over_networks(windows, ["phase", "method", "exponent", "start"], "growth")


def whole_spectra(spectrum: pd.DataFrame) -> pd.DataFrame:
    """The rows with lines of the sentences that have all exponents.

    The others have the largest one alone: with them the first mean would be over other sentences than the second.
    """
    rows = with_lines(spectrum, ["sentence", "exponent", "layers", "growth"])
    if not len(rows):
        return rows
    own = rows.groupby([*LINE, "network", "sentence"], observed=True)["exponent"].transform("max")
    return rows[own == rows["exponent"].max()]


def spectra(spectrum: pd.DataFrame) -> pd.DataFrame:
    """Mean cumulative exponents of each line after so many layers (rows of `whole_spectra`)."""
    return over_networks(spectrum, ["exponent", "layers"], "growth")


def dimensions(spectrum: pd.DataFrame) -> pd.DataFrame:
    """Kaplan-Yorke dimension of each line, of each sentence's last spectrum first (rows of `whole_spectra`).

    Where no sum of the K exponents is negative the dimension is at least K: those sentences count as K and in `beyond`,
    so where that is not 0 the mean is a lower bound. A single exponent says nothing, and gives no rows.
    """
    if not len(spectrum) or spectrum["exponent"].max() < 2:
        return pd.DataFrame(columns=DIMENSIONS)
    last = spectrum[spectrum["layers"] == spectrum.groupby(LINE, observed=True)["layers"].transform("max")]
    keys = [*LINE, "network", "sentence", "layers"]
    wide = last.set_index([*keys, "exponent"])["growth"].unstack("exponent")  # noqa: PD010, pivot_table drops NaN
    values = wide.to_numpy(dtype=float)
    K, dimension = values.shape[1], kaplan_yorke(values)
    beyond = np.isnan(dimension) & ~np.isnan(values).any(axis=1)
    found = wide.index.to_frame(index=False)
    found = found.assign(exponents=K, dimension=np.where(beyond, K, dimension), beyond=beyond)
    table = over_networks(found, ["layers", "exponents"], "dimension")
    # Student's interval does not know that no dimension is negative, and none above K was counted.
    table = table.assign(low=table["low"].clip(lower=0), high=table["high"].clip(upper=K))
    counts = plain(found).groupby(LINE, as_index=False)["beyond"].sum()
    return table.merge(counts, on=LINE)[DIMENSIONS]


def long_growth(long_windows: pd.DataFrame) -> pd.DataFrame:
    """Mean growth of each line along and across the synchronised manifold in each window."""
    rows = with_lines(long_windows, ["sentence", "start", "direction", "exponent", "growth"])
    return over_networks(rows, ["direction", "exponent", "start"], "growth")


def components(trajectories: pd.DataFrame) -> pd.DataFrame:
    """Mean of one component, the first token's first dimension that is kept, over the shown sentences at each layer."""
    rows = of(trajectories, token=trajectories["token"].min())
    return over_networks(of(rows, dimension=rows["dimension"].min()), ["token", "dimension", "layer"], "value")


def layers_with_lines(layers: pd.DataFrame) -> pd.DataFrame:
    """The rows of `layers` with their lines."""
    return with_lines(layers, ["layer", "metric", "value"])


def effective_dimension(layers: pd.DataFrame) -> pd.DataFrame:
    """Mean over networks of the effective dimension, Student's interval, and its bound N - 1.

    N sentences have finite states. The interval is cut at 1 and at the bound, beyond which no value can be. One network
    has none, since the value is of the whole sample. `undefined` counts networks without a value (all in one state).
    """
    if not len(layers):
        return pd.DataFrame(columns=EFFECTIVE_DIMENSION)
    table = over_networks(layers[layers["metric"].isin(EFFECTIVE)], ["metric", "layer"], "value")
    N = of(layers, metric="sentences").groupby([*LINE, "layer"], observed=True).agg(bound=("value", "mean"))
    table = table.merge(plain(N.reset_index()), on=[*LINE, "layer"], how="left")
    table["bound"] -= 1
    for name in ("low", "high"):
        table[name] = table[name].clip(lower=1).clip(upper=table["bound"])
    return table.rename(columns={"not_finite": "undefined"})[EFFECTIVE_DIMENSION]


def token_deviation(layers: pd.DataFrame) -> pd.DataFrame:
    """Spread over tokens at each layer: each metric's median over networks, and the lowest and highest network.

    Medians, since spreads of different networks lie decades apart: a mean would be that of the widest alone.
    """
    if not len(layers):
        return pd.DataFrame(columns=DEVIATION)
    rows = layers[layers["metric"].astype(str).str.startswith(("spread_", "relative_spread_"))]
    rows = rows.assign(value=rows["value"].where(np.isfinite(rows["value"].astype(float))))
    grouped = rows.groupby([*LINE, "metric", "layer"], observed=True)["value"]
    table = grouped.agg(median="median", lowest="min", highest="max", networks="count", size="size").reset_index()
    return plain(table.assign(undefined=table["size"] - table["networks"]))[DEVIATION]


def synchronised(offsets: pd.DataFrame, lost: pd.DataFrame) -> pd.DataFrame:
    """Share of sentences below each threshold at the end, of those with finite states; the interval as its `over` says.

    Mean over networks of their shares, with Student's interval; one network has Wilson's, over its sentences.
    """
    rows = with_lines(offsets, ["sentence", "statistic", "threshold", "rule", "censored"])
    if not len(rows):
        return pd.DataFrame(columns=SYNCHRONISED)
    # Below for good from some layer on is the same as below at the end.
    rows = plain(of(rows, rule="persistent"))
    own = [*LINE, "network", "sentence"]
    gone = pd.MultiIndex.from_frame(plain(with_lines(lost, ["sentence"]))[own])
    is_lost = pd.MultiIndex.from_frame(rows[own]).isin(gone)
    share = np.where(is_lost, np.nan, 1.0 - rows["censored"].astype(float))
    table = over_networks(rows.assign(share=share), ["statistic", "threshold"], "share")
    table = table.rename(columns={"mean": "share", "not_finite": "lost"})
    several = table["over"] == "networks"
    wilson = [
        share_interval(round(share * n) if n else 0, n) for share, n in zip(table["share"], table["n"], strict=True)
    ]
    for name, which in (("low", 1), ("high", 2)):
        table[name] = np.where(several, table[name].clip(0, 1), [ends[which] for ends in wilson])
    return table[SYNCHRONISED]


def lost_sentences(lost: pd.DataFrame) -> pd.DataFrame:
    """How many sentences' states ceased to be finite, by line and reason, and from which layer to which."""
    rows = with_lines(lost, ["sentence", "layer", "reason"])
    if not len(rows):
        return pd.DataFrame(columns=LOST)
    table = rows.groupby([*LINE, "reason"], observed=True).agg(
        sentences=("sentence", "size"),
        networks=("network", "nunique"),
        first_layer=("layer", "min"),
        last_layer=("layer", "max"),
    )
    return plain(table.reset_index())[LOST]


def sentences_seen(layers: pd.DataFrame) -> dict[tuple[str, str], int]:
    """For each line and mask mode the sentences of all its networks together, before any was lost."""
    if not len(layers):
        return {}
    most = of(layers, metric="sentences").groupby([*LINE, "network"], observed=True)["value"].max()
    totals = plain(most.groupby(LINE, observed=True).sum().reset_index())
    return {(row.line, row.mask_mode): int(row.value) for row in totals.itertuples()}


def costs_of_lines(costs: pd.DataFrame, jobs: pd.DataFrame) -> pd.DataFrame:
    """Jobs, seconds on the workers, and passes as counted while running, of each line."""
    sums = ["layer_passes", "tangent_passes", "tangent_groups"]
    rows = plain(with_lines(costs, ["job_id", *sums])).assign(stage=CHAOS_SWEEP.name)
    return costs_by_line(rows, [*LINE, "stage"], sums, jobs=jobs)


def long_summary(long_starts: pd.DataFrame, growth: pd.DataFrame) -> pd.DataFrame:
    """Sentences, synchronised and followed ones of each line; the largest exponents along and across at the end.

    `stable_share` is the share of windows in which the mean largest exponent across is below 0: there the one vector
    stands for all tokens.
    """
    rows = plain(with_lines(long_starts, ["sentence", "spread", "sync_threshold", "followed", "lost_at"]))
    if not len(rows):
        return pd.DataFrame(columns=LONG)
    below, followed = rows["spread"] < rows["sync_threshold"], rows["followed"].astype(bool)
    rows = rows.assign(sentences=1, synchronised=below, followed=followed, lost=rows["lost_at"].notna())
    table = rows.groupby(LINE, as_index=False)[["sentences", "synchronised", "followed", "lost"]].sum()
    largest = of(growth, exponent=1).dropna(subset="mean").sort_values("start")
    last = largest.groupby([*LINE, "direction"])["mean"].last()
    stable = (of(largest, direction="across").set_index(LINE)["mean"] < 0).groupby(LINE).mean()
    lines = [*table[LINE].itertuples(index=False, name=None)]
    for direction in ("along", "across"):
        table[f"last_{direction}"] = [last.get((*line, direction), np.nan) for line in lines]
    return table.assign(stable_share=[stable.get(line, np.nan) for line in lines])[LONG]
