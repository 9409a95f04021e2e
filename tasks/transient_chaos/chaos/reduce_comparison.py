"""Pretrained against random, number by number. No p-values: sentences of one network are not independent."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tasks.transient_chaos.chaos.reduce_lines import LINE, PRETRAINED, plain
from tasks.transient_chaos.chaos.reduce_survival import Survivals

ED_LAYERS = (1, 12, 24, 100)
"""Layers at which effective dimensions are compared, beside the last."""
VALUES = [*LINE, "network", "quantity", "detail", "unit", "value", "beyond"]
COLUMNS = [
    "mask_mode",
    "random",
    "quantity",
    "detail",
    "unit",
    "pretrained",
    "pretrained_beyond",
    "random_median",
    "random_lowest",
    "random_highest",
    "random_beyond",
    "networks",
    "undefined",
    "share_below",
    "share_above",
]


def compare(values: pd.DataFrame) -> pd.DataFrame:
    """One row a mask mode, random line and quantity, from one value a network (columns `VALUES`).

    `beyond`: the value is larger than what the run could see; it counts as larger than every other, and where the
    column itself would be such a value it is NaN. `share_below` and `share_above`: of the random networks (`networks`)
    those whose value is below, or above, the pretrained one. Networks without a value are in `undefined` alone.
    """
    if not len(values):
        return pd.DataFrame(columns=COLUMNS)
    values = values.assign(value=np.where(values["beyond"], np.inf, values["value"]))
    keys = ["mask_mode", "quantity", "detail", "unit"]
    pretrained = values[values["line"] == PRETRAINED].set_index(keys)["value"]
    rows = []
    for key, group in values[values["line"] != PRETRAINED].groupby([*keys, "line"], sort=False):
        own = pretrained.get(key[:-1])
        known = group["value"].dropna().to_numpy(dtype=float)
        comparable = own is not None and not np.isnan(own) and len(known) > 0
        rows.append(
            {
                **dict(zip(keys, key[:-1], strict=True)),
                "random": key[-1],
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
    return pd.DataFrame(rows, columns=COLUMNS).sort_values(["mask_mode", "random"], kind="stable", ignore_index=True)


def _seen(value: float) -> float:
    return np.nan if np.isinf(value) else float(value)


def _median(known: np.ndarray) -> float:
    """The median; of an even number the lower middle one, since the mean of two with an infinite one says nothing."""
    return float(np.sort(known)[(len(known) - 1) // 2]) if len(known) else np.nan


def network_values(
    lengths: Survivals, offsets: Survivals, layers: pd.DataFrame, windows: pd.DataFrame, threshold: float
) -> pd.DataFrame:
    """One value a network: chaos lengths, synchronisation offsets, effective dimensions, growth (columns `VALUES`)."""
    chaos = lengths.networks
    chaos = chaos[(chaos["method"] == "tangent") & (chaos["phase"] == "aligned")]
    sync = offsets.networks
    sync = sync[(sync["statistic"] == "spread") & (sync["threshold"] == threshold)]
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
    rows = layers[layers["metric"] == "effective_dimension"]
    if not len(rows):
        return rows
    shown = {*ED_LAYERS, int(rows["layer"].max())}
    rows = rows[rows["layer"].isin(shown)].sort_values("layer", kind="stable")
    return plain(rows.assign(quantity="effective dimension", unit="", beyond=False, detail=_layer_names(rows["layer"])))


def _growth(windows: pd.DataFrame) -> pd.DataFrame:
    rows = windows[(windows["exponent"] == 1) & (windows["method"] == "tangent") & (windows["phase"] == "aligned")]
    if not len(rows):
        return rows
    rows = rows[rows["start"].isin([rows["start"].min(), rows["start"].max()])]
    finite = rows.assign(value=rows["growth"].where(np.isfinite(rows["growth"].astype(float))))
    means = finite.groupby(["start", *LINE, "network"], observed=True)["value"].mean().reset_index()
    names = [f"window from layer {start}" for start in means["start"]]
    return plain(means.assign(quantity="largest exponent", detail=names, unit="nats per layer", beyond=False))


def _layer_names(layers: Sequence[int] | pd.Series) -> list[str]:
    return [f"layer {layer}" for layer in layers]
