"""The sample of sentences at each layer: effective dimension, spread over tokens, who is synchronised, who was lost."""

import numpy as np
import pandas as pd
from scipy import stats

from metrics.intervals import LEVEL
from tasks.transient_chaos.chaos.reduce_lines import LINE, over_networks, plain, with_lines

ED = ["effective_dimension", "effective_dimension_first"]
ED_COLUMNS = [*LINE, "metric", "layer", "mean", "low", "high", "sd_networks", "networks", "undefined", "bound"]
SPREAD_COLUMNS = [*LINE, "metric", "layer", "median", "lowest", "highest", "networks", "undefined"]
SYNCHRONISED = [*LINE, "statistic", "threshold", "share", "low", "high", "n", "lost", "networks", "over"]
LOST_COLUMNS = [*LINE, "reason", "sentences", "networks", "first_layer", "last_layer"]
COST_COLUMNS = [*LINE, "stage", "jobs", "seconds", "layer_passes", "tangent_passes", "tangent_groups"]


def layers_with_lines(layers: pd.DataFrame) -> pd.DataFrame:
    """The rows of `layers` with their lines."""
    return with_lines(layers, ["layer", "metric", "value"])


def effective_dimension(layers: pd.DataFrame) -> pd.DataFrame:
    """Mean over networks of the effective dimension, Student's interval, and its bound N - 1.

    N sentences have finite states. The interval is cut at 1 and at the bound, beyond which no value can be. One network
    has none, since the value is of the whole sample. `undefined` counts networks without a value (all in one state).
    """
    if not len(layers):
        return pd.DataFrame(columns=ED_COLUMNS)
    table = over_networks(layers[layers["metric"].isin(ED)], ["metric", "layer"], "value")
    N = layers[layers["metric"] == "sentences"].groupby([*LINE, "layer"], observed=True).agg(bound=("value", "mean"))
    table = table.merge(plain(N.reset_index()), on=[*LINE, "layer"], how="left")
    table["bound"] -= 1
    for name in ("low", "high"):
        table[name] = table[name].clip(lower=1).clip(upper=table["bound"])
    return table.rename(columns={"not_finite": "undefined"})[ED_COLUMNS]


def token_deviation(layers: pd.DataFrame) -> pd.DataFrame:
    """Spread over tokens at each layer: each metric's median over networks, and the lowest and highest network.

    Medians, since spreads of different networks lie decades apart: a mean would be that of the widest alone.
    """
    if not len(layers):
        return pd.DataFrame(columns=SPREAD_COLUMNS)
    texts = layers["metric"].astype(str)
    rows = layers[texts.str.startswith(("spread_", "relative_spread_"))]
    rows = rows.assign(value=rows["value"].where(np.isfinite(rows["value"].astype(float))))
    grouped = rows.groupby([*LINE, "metric", "layer"], observed=True)["value"]
    table = grouped.agg(median="median", lowest="min", highest="max", networks="count", size="size").reset_index()
    return plain(table.assign(undefined=table["size"] - table["networks"]))[SPREAD_COLUMNS]


def synchronised(offsets: pd.DataFrame, lost: pd.DataFrame) -> pd.DataFrame:
    """Share of sentences below each threshold at the end, of those with finite states; the interval as its `over` says.

    Mean over networks of their shares, with Student's interval; one network has Wilson's, over its sentences.
    """
    rows = with_lines(offsets, ["sentence", "statistic", "threshold", "rule", "censored"])
    if not len(rows):
        return pd.DataFrame(columns=SYNCHRONISED)
    # Below for good from some layer on is the same as below at the end.
    rows = rows[rows["rule"] == "persistent"]
    gone = with_lines(lost, ["sentence"])
    own = [*LINE, "network", "sentence"]
    keys = pd.MultiIndex.from_frame(rows[own].astype({"line": str, "mask_mode": str}))
    is_lost = keys.isin(list(gone[own].astype({"line": str, "mask_mode": str}).itertuples(index=False, name=None)))
    share = np.where(is_lost, np.nan, 1.0 - rows["censored"].astype(float))
    table = over_networks(rows.assign(share=share), ["statistic", "threshold"], "share")
    table = table.rename(columns={"mean": "share", "not_finite": "lost"})
    several = table["over"] == "networks"
    for name, which in (("low", 0), ("high", 1)):
        wilson = [_wilson(share, n)[which] for share, n in zip(table["share"], table["n"], strict=True)]
        table[name] = np.where(several, table[name].clip(0, 1), wilson)
    return table[SYNCHRONISED]


def _wilson(share: float, n: int) -> tuple[float, float]:
    if not n:
        return np.nan, np.nan
    interval = stats.binomtest(round(share * n), n).proportion_ci(LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def lost_sentences(lost: pd.DataFrame) -> pd.DataFrame:
    """How many sentences' states ceased to be finite, by line and reason, and from which layer to which."""
    rows = with_lines(lost, ["sentence", "layer", "reason"])
    if not len(rows):
        return pd.DataFrame(columns=LOST_COLUMNS)
    table = rows.groupby([*LINE, "reason"], observed=True).agg(
        sentences=("sentence", "size"),
        networks=("network", "nunique"),
        first_layer=("layer", "min"),
        last_layer=("layer", "max"),
    )
    return plain(table.reset_index())[LOST_COLUMNS]


def sentences_seen(layers: pd.DataFrame) -> dict[tuple[str, str], int]:
    """For each line and mask mode the sentences of all its networks together, before any was lost."""
    if not len(layers):
        return {}
    rows = layers[layers["metric"] == "sentences"]
    most = rows.groupby([*LINE, "network"], observed=True)["value"].max()
    totals = plain(most.groupby(LINE, observed=True).sum().reset_index())
    return {(row.line, row.mask_mode): int(row.value) for row in totals.itertuples()}


def costs_by_line(costs: pd.DataFrame, jobs: pd.DataFrame) -> pd.DataFrame:
    """Jobs, seconds on the workers, and passes as counted while running, of each line."""
    rows = with_lines(costs, ["layer_passes", "tangent_passes", "tangent_groups", "job_id"])
    if not len(rows):
        return pd.DataFrame(columns=COST_COLUMNS)
    rows = rows.astype({"job_id": str}).merge(jobs[["job_id", "seconds", "stage"]], on="job_id", how="left")
    table = rows.groupby([*LINE, "stage"], observed=True, dropna=False).agg(
        jobs=("job_id", "nunique"),
        seconds=("seconds", "sum"),
        layer_passes=("layer_passes", "sum"),
        tangent_passes=("tangent_passes", "sum"),
        tangent_groups=("tangent_groups", "sum"),
    )
    return plain(table.reset_index())[COST_COLUMNS]


def pretraining_results(pretraining: pd.DataFrame) -> pd.DataFrame:
    """The last value of each metric of the model that the project pretrained itself."""
    columns = ["metric", "step", "value"]
    if not len(pretraining):
        return pd.DataFrame(columns=columns)
    last = pretraining.sort_values("step").groupby("metric", as_index=False).last()
    return last[columns]


def long_summary(long_starts: pd.DataFrame, growth: pd.DataFrame) -> pd.DataFrame:
    """Of each line: sentences, synchronised ones, followed ones; the largest exponents along and across at the end.

    `stable_share` is the share of windows in which the mean largest exponent across is below 0: there the one vector
    stands for all tokens.
    """
    columns = [*LINE, "sentences", "synchronised", "followed", "lost", "last_along", "last_across", "stable_share"]
    rows = with_lines(long_starts, ["sentence", "spread", "sync_threshold", "followed", "lost_at"])
    if not len(rows):
        return pd.DataFrame(columns=columns)
    rows = rows.assign(
        synchronised=rows["spread"] < rows["sync_threshold"],
        followed=rows["followed"].astype(bool),
        lost=rows["lost_at"].notna(),
    )
    table = plain(
        rows.groupby(LINE, observed=True)
        .agg(
            sentences=("sentence", "size"),
            synchronised=("synchronised", "sum"),
            followed=("followed", "sum"),
            lost=("lost", "sum"),
        )
        .reset_index()
    )
    largest = growth[growth["exponent"] == 1]
    found = {key: own.sort_values("start") for key, own in largest.groupby([*LINE, "direction"])}
    empty = growth.iloc[:0]
    for direction in ("along", "across"):
        curves = [found.get((line, mask, direction), empty)["mean"].dropna() for line, mask in table[LINE].to_numpy()]
        table[f"last_{direction}"] = [curve.iloc[-1] if len(curve) else np.nan for curve in curves]
        if direction == "across":
            table["stable_share"] = [(curve < 0).mean() if len(curve) else np.nan for curve in curves]
    return table[columns]
