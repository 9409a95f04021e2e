"""Survival: for how many layers sentences stay chaotic, or their tokens apart, where some never cease within the run.

Each network has its own Kaplan-Meier curve over its sentences; a line's curve is the mean of its networks' curves, and
its interval is over networks (Student). A single network's interval is Greenwood's over its sentences (log-log).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from metrics.intervals import student_half
from metrics.survival import Survival, kaplan_meier
from tasks.transient_chaos.chaos.reduce_lines import LINE, with_lines

CURVE = ["layers", "survival", "low", "high", "censored", "networks", "over"]
SUMMARY = [
    "median",
    "restricted_mean",
    "low",
    "high",
    "horizon",
    "n",
    "censored",
    "censored_fraction",
    "networks",
    "unobserved",
    "over",
]
NETWORK = ["network", "median", "restricted_mean", "observed_to", "events", "censored"]


@dataclass(frozen=True)
class Survivals:
    """What is known of one kind of times."""

    curves: pd.DataFrame
    """A line's curve as a step function: its value from `layers` on, and the times censored just there."""
    summary: pd.DataFrame
    """One row a line and keys. `median`: first layer where at most half are left; NaN where more than half always are.
    `restricted_mean`: of min(time, horizon), with its interval; the horizon is the same for all lines. `unobserved`:
    networks all of whose sentences were lost at once; they are in nothing else."""
    networks: pd.DataFrame
    """Median, restricted mean and longest time of each network."""


def chaos_length_survivals(chaos_lengths: pd.DataFrame) -> Survivals:
    """Of the table `chaos_lengths`, by method, phase and rule."""
    return survivals(
        with_lines(chaos_lengths, ["method", "phase", "rule", "layers", "censored"]), ["method", "phase", "rule"]
    )


def offset_survivals(offsets: pd.DataFrame) -> Survivals:
    """Of the table `offsets`, by statistic, threshold and rule."""
    keys = ["statistic", "threshold", "rule"]
    return survivals(with_lines(offsets, [*keys, "layers", "censored"]), keys)


def long_survivals(long_starts: pd.DataFrame) -> Survivals:
    """Of the chaos along the synchronised manifold, for the sentences that were followed."""
    rows = with_lines(long_starts, ["followed", "chaos_layers", "censored"])
    if len(rows):
        rows = rows[rows["followed"].astype(bool) & rows["censored"].notna()].rename(columns={"chaos_layers": "layers"})
    return survivals(rows, [])


def survivals(rows: pd.DataFrame, keys: Sequence[str]) -> Survivals:
    """Curves and summaries of `layers` and `censored` for each line and `keys`."""
    curves, summary, networks = [], [], []
    rows = rows.dropna(subset=["layers", "censored"]) if len(rows) else rows
    if len(rows):
        # Plain numbers: as objects (from a column with missing values) a comparison would be by Python, row by row.
        rows = rows.astype({"layers": float, "censored": bool})
        horizons = _horizons(rows, keys)
        for key, group in rows.groupby([*LINE, *keys], observed=True):
            name = dict(zip([*LINE, *keys], map(_plain, key), strict=True))
            horizon = horizons.get(key[len(LINE) :], 0.0)
            own = {int(seed): times for seed, times in group.groupby("network") if _observed(times)}
            fits = [kaplan_meier(times["layers"], times["censored"], horizon=horizon) for times in own.values()]
            curve = pd.DataFrame({**name, **_curve(fits, group)})[[*name, *CURVE]] if fits else None
            if curve is not None:
                curves.append(curve)
            summary.append(name | _summary(fits, curve, group, horizon, group["network"].nunique() - len(fits)))
            networks += [
                name
                | dict(
                    zip(NETWORK, (seed, f.median, f.restricted_mean, f.times[-1], f.events, f.censored), strict=True)
                )
                for seed, f in zip(own, fits, strict=True)
            ]
    return Survivals(
        curves=pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=[*LINE, *keys, *CURVE]),
        summary=pd.DataFrame(summary, columns=[*LINE, *keys, *SUMMARY]),
        networks=pd.DataFrame(networks, columns=[*LINE, *keys, *NETWORK]),
    )


def _observed(times: pd.DataFrame) -> bool:
    """Whether anything is known of a network: not if all its sentences were lost at once."""
    return bool((times["layers"] > 0).any() or not times["censored"].all())


def _horizons(rows: pd.DataFrame, keys: Sequence[str]) -> dict[tuple, float]:
    """For each `keys` the layers to which all lines and networks are known; the longest time where all have ended."""
    one = [*LINE, *keys, "network"]
    longest = rows["layers"] == rows.groupby(one, observed=True)["layers"].transform("max")
    ends = rows[longest].groupby(one, observed=True).agg(layers=("layers", "max"), censored=("censored", "max"))
    ends = ends[(ends["layers"] > 0) | ~ends["censored"]].reset_index()
    horizons: dict[tuple, float] = {}
    for key, group in ends.groupby(list(keys), observed=True) if keys else [((), ends)]:
        known = group.loc[group["censored"], "layers"]
        horizons[key] = float(known.min() if len(known) else group["layers"].max()) if len(group) else 0.0
    return horizons


def _curve(fits: Sequence[Survival], group: pd.DataFrame) -> dict[str, np.ndarray | str | int]:
    """The mean of the networks' step functions at all their times, up to the first layer where one is not known."""
    known_to = min(fit.times[-1] if fit.survival[-1] > 0 else np.inf for fit in fits)
    grid = np.unique(np.concatenate([[0.0], *[fit.times for fit in fits]]))
    grid = grid[grid <= known_to]
    steps = np.array([_at(fit.times, fit.survival, grid, before=1.0) for fit in fits])
    mean = steps.mean(axis=0)
    if len(fits) == 1:
        low, high = (_at(fits[0].times, end, grid, before=np.nan) for end in (fits[0].low, fits[0].high))
    else:
        half = student_half(steps.std(axis=0, ddof=1), np.full(len(grid), len(fits)))
        low, high = np.clip(mean - half, 0, 1), np.clip(mean + half, 0, 1)
    return {
        "layers": grid,
        "survival": mean,
        "low": low,
        "high": high,
        "censored": group.loc[group["censored"], "layers"].value_counts().reindex(grid, fill_value=0).to_numpy(),
        "networks": len(fits),
        "over": "networks" if len(fits) > 1 else "sentences",
    }


def _at(times: np.ndarray, values: np.ndarray, grid: np.ndarray, before: float) -> np.ndarray:
    """A step function with `values` from `times` on, read at `grid`."""
    index = np.searchsorted(times, grid, side="right") - 1
    return np.where(index >= 0, values[np.maximum(index, 0)], before)


def _summary(
    fits: Sequence[Survival], curve: pd.DataFrame | None, group: pd.DataFrame, horizon: float, unobserved: int
) -> dict[str, float | int | str]:
    """A row of `Survivals.summary` without its keys."""
    means = np.array([fit.restricted_mean for fit in fits])
    if len(fits) > 1:
        half = float(student_half(means.std(ddof=1), np.array(len(fits))))
    else:
        half = 1.96 * fits[0].restricted_error if fits else np.nan
    mean = float(means.mean()) if fits else np.nan
    below = curve[curve["survival"] <= 0.5] if curve is not None else group.iloc[:0]
    return {
        "median": float(below["layers"].iloc[0]) if len(below) else np.nan,
        "restricted_mean": mean,
        "low": float(np.clip(mean - half, 0, horizon)),
        "high": float(np.clip(mean + half, 0, horizon)),
        "horizon": horizon,
        "n": len(group),
        "censored": int(group["censored"].sum()),
        "censored_fraction": float(group["censored"].mean()),
        "networks": len(fits),
        "unobserved": unobserved,
        "over": "networks" if len(fits) > 1 else "sentences",
    }


def _plain(value: object) -> object:
    """A key as a plain Python value."""
    return value.item() if isinstance(value, np.generic) else value
