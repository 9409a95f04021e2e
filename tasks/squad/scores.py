"""The scores that answers get: what each is, where it is shown, and the table that holds them. Imports no torch.

A summary table or figure takes its metrics from here (`shown_in`), so that a metric is declared once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from orchestrator.experiment import TableSpec, column

HALVES = ("first_half", "second_half")
"""Two halves of the articles, for what is chosen on one and judged on the other."""
PARTS = ("all", *HALVES)


@dataclass(frozen=True)
class Metric:
    """A score of answers."""

    label: str
    """On an axis or in a legend."""
    doc: str
    shown: tuple[str, ...] = ()
    """Summary tables and figures that hold it, beside those that hold all metrics."""
    kind: Literal["questions", "answerable", "unanswerable"] = "questions"
    """The questions that it is a mean over."""
    unit: str = "%"


METRICS = {
    "exact": Metric(
        "exact match", "exact match of all questions", ("main", "bars", "layers", "selected", "heat_map", "differences")
    ),
    "f1": Metric(
        "F1",
        "F1 of all questions",
        ("main", "bars", "layers", "by_epoch", "selected", "by_level", "heat_map", "differences", "onset"),
    ),
    "has_exact": Metric(
        "HasAns exact match", "exact match of answerable questions", ("main", "layers"), kind="answerable"
    ),
    "has_f1": Metric(
        "HasAns F1",
        "F1 of answerable questions",
        ("main", "bars", "layers", "by_epoch", "selected", "by_level", "differences", "onset"),
        kind="answerable",
    ),
    "forced_has_exact": Metric(
        "HasAns exact match, answer forced", "has_exact with no answer forbidden", ("layers",), kind="answerable"
    ),
    "forced_has_f1": Metric(
        "HasAns F1, answer forced",
        "has_f1 with no answer forbidden: span quality without the decision to answer",
        ("main", "bars", "layers", "selected", "separated"),
        kind="answerable",
    ),
    "no_exact": Metric(
        "NoAns accuracy",
        "share of unanswerable questions left unanswered; their exact match and F1",
        ("main", "bars", "layers", "selected", "by_level", "differences"),
        kind="unanswerable",
    ),
    "best_exact": Metric("best exact match", "exact at the best threshold of null_odds on these questions, optimistic"),
    "best_f1": Metric(
        "best F1", "f1 at the best threshold of null_odds on these questions, optimistic", ("main", "layers")
    ),
    "best_exact_threshold": Metric("threshold", "threshold of best_exact; -inf: never answer", unit="logits"),
    "best_f1_threshold": Metric("threshold", "threshold of best_f1; -inf: never answer", unit="logits"),
    "cross_exact": Metric(
        "cross-fitted exact match", "exact at the threshold that is best for exact on the other half"
    ),
    "cross_f1": Metric(
        "cross-fitted F1",
        "f1 at the threshold that is best for f1 on the other half",
        ("main", "layers", "selected", "differences"),
    ),
    "null_average_precision": Metric(
        "no-answer average precision",
        "average precision of finding unanswerable questions by null_odds",
        ("layers", "selected", "separated"),
    ),
    "exact_se": Metric("standard error", "standard error of exact, clustered by paragraph", ("layers",), unit="points"),
    "f1_se": Metric("standard error", "standard error of f1, clustered by paragraph", ("layers",), unit="points"),
}
"""The scores of a set of predictions; NaN where a class of questions or a half is empty."""
LOSS = {"loss": Metric("dev loss", "dev cross entropy of a probe's own softmax", ("layers", "by_epoch"), unit="nats")}
"""What a probe has beside them."""


def shown_in(place: str) -> dict[str, Metric]:
    """The metrics of a summary table or figure, by name."""
    return {name: metric for name, metric in (METRICS | LOSS).items() if place in metric.shown}


def scores_table(lead: Sequence[pa.Field], key: Sequence[str], metrics: Mapping[str, Metric], doc: str) -> TableSpec:
    """A table of scores: the columns that say what was scored, then part, metric and value."""
    said = "; ".join(f"{name}: {metric.doc} ({metric.unit})" for name, metric in metrics.items())
    columns = [
        *lead,
        column("part", pa.string(), "all dev questions, or those of first_half or second_half of the articles"),
        column("metric", pa.string(), said),
        column("value", pa.float64(), "value; NaN where there is no question of the kind"),
    ]
    return TableSpec(schema=pa.schema(columns), key=(*key, "part", "metric"), doc=doc)
