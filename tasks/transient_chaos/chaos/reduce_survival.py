"""Survival, and the comparison of networks: for how many layers sentences stay chaotic, or their tokens apart.

Some never cease within the run, so times may be censored. Each network has its own Kaplan-Meier curve over its
sentences; a line's curve is the mean of its networks' curves, and its interval is over networks (Student). A single
network's interval is Greenwood's over its sentences (log-log).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from metrics.intervals import student_half
from metrics.survival import Survival, kaplan_meier
from tasks.analysis.panels import of
from tasks.transient_chaos.chaos.reduce_tables import LINE, PRETRAINED, plain, with_lines

CURVE = ["layers", "survival", "low", "high", "censored", "networks", "over"]
NETWORK = ["network", "median", "restricted_mean", "observed_to", "events", "censored"]
ED_LAYERS = (1, 12, 24, 100)
"""Layers at which effective dimensions are compared, beside the last."""
VALUES = [*LINE, "network", "quantity", "detail", "unit", "value", "beyond"]


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
    """Survival of chaos, from the table `chaos_lengths`, by method, phase and rule."""
    keys = ["method", "phase", "rule"]
    return survivals(with_lines(chaos_lengths, [*keys, "layers", "censored"]), keys)


def offset_survivals(offsets: pd.DataFrame) -> Survivals:
    """Survival of the spread over tokens, from the table `offsets`, by statistic, threshold and rule."""
    keys = ["statistic", "threshold", "rule"]
    return survivals(with_lines(offsets, [*keys, "layers", "censored"]), keys)


def long_survivals(long_starts: pd.DataFrame) -> Survivals:
    """Survival of chaos along the synchronised manifold, for the sentences that were followed."""
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
        summary=pd.DataFrame(summary) if summary else pd.DataFrame(columns=[*LINE, *keys]),
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


def compare(values: pd.DataFrame) -> pd.DataFrame:
    """One row a mask mode, random line and quantity, from one value a network (columns `VALUES`).

    `beyond`: the value is larger than what the run could see; it counts as larger than every other, and where the
    column itself would be such a value it is NaN. `share_below` and `share_above`: of the random networks (`networks`)
    those whose value is below, or above, the pretrained one. Networks without a value are in `undefined` alone.
    """
    values = values.assign(value=np.where(values["beyond"], np.inf, values["value"]))
    keys = ["mask_mode", "quantity", "detail", "unit"]
    pretrained = values[values["line"] == PRETRAINED].set_index(keys)["value"]
    rows = []
    for key, group in values[values["line"] != PRETRAINED].groupby([*keys, "line"], sort=False):
        mask_mode, quantity, detail, unit, line = key
        own = pretrained.get(key[:-1])
        known = group["value"].dropna().to_numpy(dtype=float)
        comparable = own is not None and not np.isnan(own) and len(known) > 0
        rows.append(
            {
                "mask_mode": mask_mode,
                "random": line,
                "quantity": quantity,
                "detail": detail,
                "unit": unit,
                "pretrained": np.nan if own is None else _seen(float(own)),
                "pretrained_beyond": own is not None and np.isposinf(own),
                "random_median": _seen(_median(known)),
                "random_lowest": _seen(known.min()) if len(known) else np.nan,
                "random_highest": _seen(known.max()) if len(known) else np.nan,
                "random_beyond": int(np.isposinf(known).sum()),
                "networks": len(known),
                "undefined": len(group) - len(known),
                "share_below": float((known < own).mean()) if comparable else np.nan,
                "share_above": float((known > own).mean()) if comparable else np.nan,
            }
        )
    if not rows:
        return pd.DataFrame(columns=["mask_mode", "random", "quantity", "detail", "share_below"])
    return pd.DataFrame(rows).sort_values(["mask_mode", "random"], kind="stable", ignore_index=True)


def _seen(value: float) -> float:
    return np.nan if np.isinf(value) else float(value)


def _median(known: np.ndarray) -> float:
    """The median; of an even number the lower middle one, since the mean of two with an infinite one says nothing."""
    return float(np.sort(known)[(len(known) - 1) // 2]) if len(known) else np.nan


def network_values(
    lengths: Survivals, offsets: Survivals, layers: pd.DataFrame, windows: pd.DataFrame, threshold: float
) -> pd.DataFrame:
    """One value a network: chaos lengths, synchronisation offsets, effective dimensions, growth (columns `VALUES`)."""
    chaos = of(lengths.networks, method="tangent", phase="aligned")
    sync = of(offsets.networks, statistic="spread", threshold=threshold)
    parts = [
        *_times(chaos, "chaos length"),
        *_times(sync, f"synchronisation offset at {threshold:g}"),
        _dimensions(layers),
        _growth(windows),
    ]
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True)[VALUES] if parts else pd.DataFrame(columns=VALUES)


def _times(networks: pd.DataFrame, quantity: str) -> list[pd.DataFrame]:
    """Medians, which may be beyond the run, and restricted means, which never are."""
    rows = networks.assign(detail=networks["rule"], unit="layers")
    # A network whose sentences were all lost before the run's end has no median, but not because it is a long one.
    beyond = rows["median"].isna() & (rows["observed_to"] == rows["observed_to"].max())
    return [
        rows.assign(quantity=f"median {quantity}", value=rows["median"], beyond=beyond),
        rows.assign(quantity=f"restricted mean {quantity}", value=rows["restricted_mean"], beyond=False),
    ]


def _dimensions(layers: pd.DataFrame) -> pd.DataFrame:
    rows = of(layers, metric="effective_dimension")
    rows = rows[rows["layer"].isin({*ED_LAYERS, rows["layer"].max()})].sort_values("layer", kind="stable")
    names = [f"layer {layer}" for layer in rows["layer"]]
    return plain(rows.assign(quantity="effective dimension", unit="", beyond=False, detail=names))


def _growth(windows: pd.DataFrame) -> pd.DataFrame:
    rows = of(windows, exponent=1, method="tangent", phase="aligned")
    if not len(rows):
        return rows
    rows = rows[rows["start"].isin([rows["start"].min(), rows["start"].max()])]
    finite = rows.assign(value=rows["growth"].where(np.isfinite(rows["growth"].astype(float))))
    means = finite.groupby(["start", *LINE, "network"], observed=True)["value"].mean().reset_index()
    names = [f"window from layer {start}" for start in means["start"]]
    return plain(means.assign(quantity="largest exponent", detail=names, unit="nats per layer", beyond=False))
