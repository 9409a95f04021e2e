"""The sentences at the head of the report: what came out, with units and counts; what is censored, NaN or lost."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tasks.analysis.panels import of
from tasks.transient_chaos.chaos.figures import MASKS
from tasks.transient_chaos.chaos.reduce_lines import LINE


def notes(tables: Mapping[str, pd.DataFrame], sentences: Mapping[tuple[str, str], int], threshold: float) -> list[str]:
    """All sentences; `sentences` are those of all networks of each line and mask mode together."""
    found = [_line_note(tables, line, mask, n, threshold) for (line, mask), n in sorted(sentences.items())]
    found += _equal_mask_notes(tables["growth"])
    found += _comparison_notes(tables["comparison"])
    found += [_dimension_note(row) for row in tables["dimensions"].itertuples()]
    found += [_long_note(row) for row in tables["long_summary"].itertuples()]
    lost, total = tables["lost_sentences"], sum(sentences.values())
    found.append(
        f"{int(lost['sentences'].sum())} of {total:,} sentences were lost (states that are not finite numbers)"
        + (f", from layer {int(lost['first_layer'].min())} on: see lost_sentences." if len(lost) else ".")
    )
    found += _undefined_notes(tables)
    results = tables["pretraining"]
    if len(results):
        values = dict(zip(results["metric"], results["value"], strict=True))
        told = ", ".join(
            f"{name.replace('_', ' ')} {value:.4g}" for name, value in values.items() if "rate" not in name
        )
        found.append(f"The pretrained model was pretrained here: {told}.")
    costs = tables["costs"]
    if len(costs):
        found.append(
            f"{costs['layer_passes'].sum():,} layer passes and {costs['tangent_passes'].sum():,} tangent passes in "
            f"{costs['seconds'].sum():,.0f} seconds of work."
        )
    return found


def _line_note(tables: Mapping[str, pd.DataFrame], line: str, mask: str, n: int, threshold: float) -> str:
    """What one line does under one mask mode."""
    name = {"line": line, "mask_mode": mask}
    parts = []
    windows = of(tables["growth"], **name, method="tangent", phase="aligned", exponent=1).dropna(subset="mean")
    if len(windows):
        windows = windows.sort_values("start")
        first, last = windows.iloc[0], windows.iloc[-1]
        parts.append(
            f"largest exponent {first['mean']:+.4f} nats per layer in the first aligned window (from layer "
            f"{first['start']}), {last['mean']:+.4f} {_interval(last, '+.4f')} in the last (from layer {last['start']})"
        )
    for table, keys, what in (
        (
            "chaos_length_summary",
            {"method": "tangent", "phase": "aligned", "rule": "first_nonpositive"},
            "chaos length",
        ),
        (
            "offset_summary",
            {"statistic": "spread", "threshold": threshold, "rule": "persistent"},
            f"synchronisation offset (spread below {threshold:g} for good)",
        ),
    ):
        for row in of(tables[table], **name, **keys).itertuples():
            median = "beyond what was observed" if np.isnan(row.median) else f"{row.median:g} layers"
            parts.append(f"median {what} {median} ({row.censored} of {row.n} censored)")
    dimension = of(tables["effective_dimension"], **name, metric="effective_dimension")
    known = dimension.dropna(subset="mean").sort_values("layer")
    if len(known):
        first, last = known.iloc[0], known.iloc[-1]
        parts.append(
            f"effective dimension {first['mean']:.3g} at layer {first['layer']}, {last['mean']:.3g} at layer "
            f"{last['layer']} (at most {last['bound']:g})"
            + (", undefined after that" if last["layer"] < dimension["layer"].max() else "")
        )
    networks = of(tables["growth"], **name)["networks"].max() if len(tables["growth"]) else np.nan
    of_networks = f" of {int(networks)} networks" if networks > 1 else ""
    told = "; ".join(parts) if parts else "nothing to report"
    return f"{MASKS.get(mask, mask)}, {line} ({n:,} sentences{of_networks}): {told}."


def _interval(row: pd.Series, form: str) -> str:
    if np.isnan(row["low"]):
        return "(no interval)"
    return f"(95 % interval over {row['over']} {row['low']:{form}} to {row['high']:{form}})"


def _equal_mask_notes(growth: pd.DataFrame) -> list[str]:
    """Which lines grow equally under both mask modes, to the last digit: then there was nothing to mask."""
    keys = ["line", "method", "phase", "exponent", "start"]
    both = of(growth, mask_mode="none").merge(of(growth, mask_mode="padding"), on=keys, suffixes=("_none", "_padding"))
    equal = (both["mean_none"] == both["mean_padding"]).groupby(both["line"]).all()
    lines = [str(line) for line in equal.index[equal]]
    if not lines:
        return []
    return [f"With and without the mask growth is equal to the last digit, as without padding: {'; '.join(lines)}."]


def _comparison_notes(comparison: pd.DataFrame) -> list[str]:
    """How many random networks lie below the pretrained one; chaos lengths and the last effective dimension alone."""
    found = []
    known = comparison.dropna(subset="share_below")
    chosen = known[
        ((known["quantity"] == "restricted mean chaos length") & (known["detail"] == "first_nonpositive"))
        | (known["quantity"] == "effective dimension")
    ]
    for (mask, random, quantity), rows in chosen.groupby(["mask_mode", "random", "quantity"], sort=False):
        row = rows.iloc[-1]
        unit = f" {row['unit']}" if row["unit"] else ""
        where = f" at {row['detail']}" if quantity == "effective dimension" else ""
        found.append(
            f"{MASKS.get(mask, mask)}: {quantity}{where} {row['pretrained']:.4g}{unit} pretrained, "
            f"{row['random_median']:.4g}{unit} in the median of {row['networks']} networks ({random}; "
            f"{row['random_lowest']:.4g} to {row['random_highest']:.4g}); "
            f"{round(row['share_below'] * row['networks'])} of them below the pretrained one."
        )
    return found


def _dimension_note(row) -> str:
    least = "at least " if row.beyond else ""
    return (
        f"{MASKS.get(row.mask_mode, row.mask_mode)}, {row.line}: Kaplan-Yorke dimension {least}{row.mean:.3g} on "
        f"average ({row.n} sentences, {row.beyond} of them beyond the {row.exponents} exponents; {row.not_finite} not "
        "finite)."
    )


def _long_note(row) -> str:
    told = (
        f"{MASKS.get(row.mask_mode, row.mask_mode)}, {row.line}: {row.synchronised} of {row.sentences} sentences were "
        f"synchronised, {row.followed} went on as one vector, {row.lost} of them were lost"
    )
    if np.isnan(row.last_along):
        return told + "."
    return (
        f"{told}; largest exponent in the last window {row.last_along:+.4f} nats per layer along the manifold, "
        f"{row.last_across:+.4f} across it."
    )


def _undefined_notes(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Counts of values that are not finite."""
    found = []
    for table, what in (("growth", "window exponents"), ("spectra", "cumulative exponents")):
        rows = tables[table]
        bad, total = int(rows["not_finite"].sum()), int(rows["not_finite"].sum() + rows["n"].sum())
        if total:
            found.append(
                f"{bad:,} of {total:,} {what} are not finite"
                + (f" (means leave them out; see {table})." if bad else ".")
            )
    rows = of(tables["effective_dimension"], metric="effective_dimension")
    undefined = int(rows["undefined"].sum())
    if undefined:
        where = rows.loc[rows["undefined"] > 0, LINE].drop_duplicates().itertuples(index=False)
        lines = ", ".join(f"{line}, {MASKS.get(mask, mask)}" for line, mask in where)
        found.append(f"The effective dimension is undefined at {undefined} layers and networks ({lines}).")
    return found
