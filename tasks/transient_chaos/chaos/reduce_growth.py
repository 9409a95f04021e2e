"""Growth of small differences: windows, spectra, Kaplan-Yorke dimensions, growth after synchronisation."""

import numpy as np
import pandas as pd

from metrics.lyapunov import kaplan_yorke
from tasks.transient_chaos.chaos.reduce_lines import AVERAGES, LINE, over_networks, with_lines

DIMENSIONS = [*LINE, "layers", "exponents", *AVERAGES, "beyond"]


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
    dimension = kaplan_yorke(values)
    beyond = np.isnan(dimension) & ~np.isnan(values).any(axis=1)
    found = wide.index.to_frame(index=False)
    found["exponents"] = values.shape[1]
    found["dimension"] = np.where(beyond, values.shape[1], dimension)
    found["beyond"] = beyond
    table = over_networks(found, ["layers", "exponents"], "dimension")
    # Student's interval does not know that no dimension is negative, and none above K was counted.
    table = table.assign(low=table["low"].clip(lower=0), high=table["high"].clip(upper=values.shape[1]))
    counts = found.astype({"line": str, "mask_mode": str}).groupby(LINE, as_index=False)["beyond"].sum()
    return table.merge(counts, on=LINE)[DIMENSIONS]


def long_growth(long_windows: pd.DataFrame) -> pd.DataFrame:
    """Mean growth of each line along and across the synchronised manifold in each window."""
    rows = with_lines(long_windows, ["sentence", "start", "direction", "exponent", "growth"])
    return over_networks(rows, ["direction", "exponent", "start"], "growth")


def components(trajectories: pd.DataFrame) -> pd.DataFrame:
    """Mean of one component, the first token's first dimension that is kept, over the shown sentences at each layer."""
    rows = with_lines(trajectories, ["sentence", "token", "dimension", "layer", "value"])
    if len(rows):
        token = rows["token"].min()
        dimension = rows.loc[rows["token"] == token, "dimension"].min()
        rows = rows[(rows["token"] == token) & (rows["dimension"] == dimension)]
    return over_networks(rows, ["token", "dimension", "layer"], "value")
