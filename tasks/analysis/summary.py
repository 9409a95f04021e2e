"""What reduce hands over: tables with their captions, figures with theirs, sentences for the head of the report."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from orchestrator.experiment import Summary


def summary(
    tables: Mapping[str, pd.DataFrame],
    figures: Mapping[str, Figure],
    captions: Mapping[str, str],
    notes: Sequence[str],
) -> Summary:
    """The summary of a sweep, whatever part of it is done; tables without rows stay away.

    Figures and tables of one kind, one a model or a shift, are called `kind-which`; the caption is the kind's, after
    which of them it is.

    Raises:
        KeyError: a table or figure has no caption.
    """
    shown = {name: table for name, table in tables.items() if len(table)}
    said = {}
    for name in (*shown, *figures):
        kind, _, which = name.partition("-")
        said[name] = f"{which.replace('-', ', ').replace('_', ' ')}. {captions[kind]}" if which else captions[kind]
    return Summary(tables=shown, figures=figures, captions=said, notes=list(notes))


def missing(done: int, planned: int, what: str) -> list[str]:
    """`3 of 42 networks are missing.` while a sweep is not done; what a mean over fewer of them would hide."""
    return [f"{planned - done:,} of {planned:,} {what} are missing."] if done < planned else []


def not_finite(values: Any, what: str) -> str:
    """`3 of 1,200 distances are not finite, and left out.`"""
    array = np.asarray(values, dtype=float)
    bad = int((~np.isfinite(array)).sum())
    return f"{bad:,} of {array.size:,} {what} are not finite" + (", and left out." if bad else ".")


def interval(low: float, high: float, form: str = ".3f") -> str:
    """`95 % interval 0.512 to 0.634`, or that there is none of one run."""
    if not np.isfinite([low, high]).all():
        return "no interval, one run"
    return f"95 % interval {low:{form}} to {high:{form}}"
