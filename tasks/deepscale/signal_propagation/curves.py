"""From rows of layers to curves over seeds, errors of the theory, and one number a curve.

A line is a network on a source: depth, source, norm, scheme. A seed draws weights, sequences, masked pieces, dropout.
"""

import numpy as np
import pandas as pd

from metrics.activation_moments import Array
from metrics.intervals import student_half
from tasks.analysis.panels import of
from tasks.deepscale.signal_propagation.published import NUMBERS

LINE = ["layers", "source", "norm", "scheme"]
FORMS = ("theory", "theory_free", "theory_published")
GEOMETRIC = ("gradient_variance", "weight", "published_norm")
"""Beginnings of the names of quantities that a seed multiplies: their means are taken of logarithms."""
BOUNDED = ("correlation", "gradient_correlation")
"""Quantities whose errors are differences, not shares."""


def over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """Each layer's mean over seeds with Student's 95 % interval, `low` to `high`, and the theory's forms.

    Of gradients and norms the mean is geometric, since seeds multiply them. Values that are not finite, and of a
    geometric mean those that are not above 0, are left out and counted in `not_finite`.
    """
    key = [*LINE, "quantity", "layer"]
    if not len(rows):
        return pd.DataFrame(columns=[*key, "mean", "low", "high", "seeds", "not_finite", *FORMS])
    log = rows["quantity"].str.startswith(GEOMETRIC).to_numpy(dtype=bool)
    known = rows[key].copy()
    for name in ("measured", *FORMS):
        values = rows[name].to_numpy(dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.where(log, np.log(values), values)
        known[name] = np.where(np.isfinite(values), values, np.nan)
    known["bad"] = known["measured"].isna()
    table = known.groupby(key, as_index=False, observed=True).agg(
        mean=("measured", "mean"),
        sd=("measured", "std"),
        seeds=("measured", "count"),
        not_finite=("bad", "sum"),
        **{name: (name, "mean") for name in FORMS},
    )
    half = student_half(table["sd"], table["seeds"])
    table = table.assign(low=table["mean"] - half, high=table["mean"] + half).drop(columns="sd")
    log = table["quantity"].str.startswith(GEOMETRIC).to_numpy(dtype=bool)
    for name in ("mean", "low", "high", *FORMS):
        values = table[name].to_numpy(dtype=float)
        table[name] = np.where(log, np.exp(np.where(log, values, 0.0)), values)
    return table[[*key, "mean", "low", "high", "seeds", "not_finite", *FORMS]]


def errors(rows: pd.DataFrame) -> pd.DataFrame:
    """How far the theory is from each network, by quantity: over layers and seeds together.

    `unit` is percent of the theory, or, of correlations, a difference. `bias` is the median with its sign; `median`
    and `p90` are of its size. The form with the published gradient stands beside where it says something else.
    """
    columns = [*LINE, "quantity", "form", "unit", "bias", "median", "p90", "n"]
    if not len(rows):
        return pd.DataFrame(columns=columns)
    found = []
    for (*line, quantity), group in rows.groupby([*LINE, "quantity"], observed=True):
        for form in FORMS:
            known = group.loc[group[form].notna() & np.isfinite(group["measured"].to_numpy(dtype=float))]
            if not len(known) or (form == "theory_published" and quantity in ("variance", "correlation")):
                continue
            measured, theory = (known[name].to_numpy(dtype=float) for name in ("measured", form))
            bounded = quantity in BOUNDED
            error = measured - theory if bounded else 100 * (measured / theory - 1)
            found.append(
                {
                    **dict(zip(LINE, line, strict=True)),
                    "quantity": quantity,
                    "form": form,
                    "unit": "difference" if bounded else "%",
                    "bias": float(np.median(error)),
                    "median": float(np.median(np.abs(error))),
                    "p90": float(np.quantile(np.abs(error), 0.9)),
                    "n": len(known),
                }
            )
    return pd.DataFrame(found, columns=columns)


def slopes(rows: pd.DataFrame) -> pd.DataFrame:
    """One number a curve, of each seed: mean and Student's 95 % interval over seeds, theory's mean, the published one.

    variance_slope: least squares over layers, a layer. norm_exponent: of ln(weight norm) over ln(layer). norm_factor:
    exp of the least-squares slope of ln(weight norm) over layers. variance_min, variance_max: over layers. norm_range:
    greatest over least weight norm. bottom_gradient: the gradient's variance at the embeddings over that at the top.
    """
    columns = [*LINE, "measure", "mean", "low", "high", "seeds", "theory", "published"]
    if not len(rows):
        return pd.DataFrame(columns=columns)
    found = []
    for (*line, seed), group in rows.groupby([*LINE, "seed"], observed=True):
        for form in ("measured", "theory"):
            parts = {name: curve(group, name, form) for name in ("variance", "weight_profile", "gradient_variance")}
            if all(np.isfinite(values).all() and len(values) > 1 for values in parts.values()):
                for measure, value in numbers(**parts).items():
                    found.append({**dict(zip(LINE, line, strict=True)), "measure": measure, form: value, "seed": seed})
    table = pd.DataFrame(found, columns=[*LINE, "measure", "measured", "theory", "seed"])
    table = table.groupby([*LINE, "measure"], as_index=False, sort=False).agg(
        mean=("measured", "mean"), sd=("measured", "std"), seeds=("measured", "count"), theory=("theory", "mean")
    )
    half = student_half(table["sd"], table["seeds"])
    names = zip(table["norm"], table["scheme"], table["measure"], strict=True)
    published = [NUMBERS.get(name, np.nan) for name in names]
    return table.assign(low=table["mean"] - half, high=table["mean"] + half, published=published)[columns]


def curve(group: pd.DataFrame, quantity: str, form: str) -> Array:
    """The values of one seed's quantity by layer."""
    return of(group, quantity=quantity).sort_values("layer")[form].to_numpy(dtype=float)


def numbers(variance: Array, weight_profile: Array, gradient_variance: Array) -> dict[str, float]:
    """The measures of `slopes`: of the stream [N + 1], of weights [N], of the gradient [N + 1]."""
    n = np.arange(1, len(weight_profile) + 1)
    log = np.log(weight_profile)
    return {
        "variance_slope": float(np.polyfit(n, variance[1:], 1)[0]),
        "variance_min": float(variance[1:].min()),
        "variance_max": float(variance[1:].max()),
        "norm_exponent": float(np.polyfit(np.log(n), log, 1)[0]),
        "norm_factor": float(np.exp(np.polyfit(n, log, 1)[0])),
        "norm_range": float(weight_profile.max() / weight_profile.min()),
        "bottom_gradient": float(gradient_variance[0] / gradient_variance[-1]),
    }
