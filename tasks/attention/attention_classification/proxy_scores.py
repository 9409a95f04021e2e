"""What both proxies have in common: the best epoch or strength of each part of the test documents, and their scores.

V tokens that have an id.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from orchestrator.experiment import Context
from tasks.attention.attention_classification.items import Items
from tasks.attention.learning.scores import PARTS, VAL, Scores, halves, write_scores

QUANTITIES = {"beta": "all", "beta-heldout": "a"}
"""By quantity: the part of the test documents that chose the proxy."""


class Chosen(NamedTuple):
    """The best of a proxy so far."""

    goodness: float
    """The more the better."""
    at: float
    """Its epoch, or its C."""
    beta_V: Any
    """What each token adds to the log odds, a tensor or an array."""


def parts_of(documents: int) -> dict[str, np.ndarray]:
    """The test documents of each part, by number."""
    half = halves(documents, VAL)
    return dict(zip(PARTS, (np.arange(documents), np.flatnonzero(half == 0), np.flatnonzero(half == 1)), strict=True))


def mean_of(values: np.ndarray) -> float:
    """Their mean; NaN of none."""
    return float(np.mean(values)) if len(values) else float("nan")


def best(kept: dict[str, Chosen], part: str, goodness: float, at: float, beta_V: Tensor | np.ndarray) -> None:
    """Keep what is strictly better than all before; the first where none is a number."""
    before = kept.get(part)
    if before is None or goodness > before.goodness or (np.isnan(before.goodness) and not np.isnan(goodness)):
        kept[part] = Chosen(goodness, at, beta_V)


def write_proxy(
    context: Context, items: Items, kept: Mapping[str, Chosen], rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Write the scores of a proxy, and mark in `rows` which epoch or strength they come from."""
    if context.artifact is None:
        raise ValueError("a proxy writes scores: give context.artifact, an empty directory")
    values = {}
    for quantity, part in QUANTITIES.items():
        beta_V = kept[part].beta_V
        beta_V = beta_V.cpu().numpy() if isinstance(beta_V, Tensor) else beta_V
        values[quantity] = items.of_tokens(beta_V).astype(np.float32)
    write_scores(
        context.artifact,
        Scores(items=items.counts, lengths=items.lengths, half=items.half, values=values, performance={}),
    )
    used = set(QUANTITIES.values())
    return [{**row, "chosen": row["part"] in used and row["at"] == kept[row["part"]].at} for row in rows]
