"""Lines of the figures, and the two levels of every mean: sentences within a network first, then networks.

A line is where the weights come from and how they were drawn; every mask mode has its own. Sentences of one network are
not independent of each other as evidence about networks, so wherever a line has several networks its interval is over
their means. Only a single network's interval is over its sentences, and speaks of that network alone.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from metrics.intervals import student_half

LINE = ["line", "mask_mode"]
"""The columns that tell one line from another."""
PRETRAINED = "pretrained"
ONE_NETWORK = -1
"""The network's number where there is but one, the checkpoint; random ones have their seed."""
AVERAGES = ["mean", "low", "high", "sd_sentences", "sd_networks", "networks", "n", "not_finite", "over"]
"""The columns that `over_networks` adds to its keys."""


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
        found[name] = column.array if pd.api.types.is_numeric_dtype(column.dtype) else categories(column)
    return pd.DataFrame(found)


def categories(column: pd.Series) -> pd.Categorical:
    """A column as categories, in order; missing values stay missing."""
    codes, values = pd.factorize(column, sort=True)
    return pd.Categorical.from_codes(codes, values)


def over_networks(rows: pd.DataFrame, keys: Sequence[str], value: str) -> pd.DataFrame:
    """Mean of a column for each line and `keys`: over the sentences of each network, then over the networks.

    Values that are not finite are left out and counted in `not_finite`; `n` counts the others. `low` and `high` are the
    ends of Student's 95 % interval for the mean `over` networks, or over the sentences of the only network; NaN where
    there is one value. `sd_sentences` is the mean over networks of the standard deviation over sentences.
    """
    if not len(rows):
        return pd.DataFrame(columns=[*LINE, *keys, *AVERAGES])
    values = rows[value].to_numpy(dtype=float)
    known = rows[[*LINE, *keys, "network"]].assign(value=np.where(np.isfinite(values), values, np.nan))
    inner = known.groupby([*LINE, *keys, "network"], observed=True)["value"].agg(["mean", "std", "count", "size"])
    table = (
        inner.reset_index()
        .groupby([*LINE, *keys], observed=True)
        .agg(
            mean=("mean", "mean"),
            sd_sentences=("std", "mean"),
            sd_networks=("mean", "std"),
            networks=("mean", "count"),
            n=("count", "sum"),
            size=("size", "sum"),
        )
        .reset_index()
    )
    several = table["networks"] > 1
    half = student_half(
        np.where(several, table["sd_networks"], table["sd_sentences"]), np.where(several, table["networks"], table["n"])
    )
    table["low"], table["high"] = table["mean"] - half, table["mean"] + half
    table["not_finite"] = table["size"] - table["n"]
    table["over"] = np.where(several, "networks", "sentences")
    return plain(table[[*LINE, *keys, *AVERAGES]])


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """The table with texts instead of categories, and a fresh index."""
    texts = {name: table[name].astype(str) for name in table if isinstance(table[name].dtype, pd.CategoricalDtype)}
    return table.assign(**texts).reset_index(drop=True)
