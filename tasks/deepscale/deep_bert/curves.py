"""The training curves and the outcome of a run, made from what happened in each step, and the stage that reports them.

They stand in `training.json` beside the checkpoint until `pretrain_bert_report` makes rows of them.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.experiment import Context
from tasks.deepscale.deep_bert.stages import MARGIN, PretrainParams
from tasks.deepscale.deep_bert.steps import StepFacts, learning_rate
from tasks.training.loop import TRAINING, is_curve_point, metric_rows, read_training

FETCH = 50  # steps after which the host looks, at the latest


@dataclass(kw_only=True)
class Curves:
    """The rows so far, and the steps since the last of them. All of it goes into checkpoints, as JSON."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    pending: list[dict[str, float]] = field(default_factory=list)
    """`StepFacts` of the steps since the last point."""
    seconds: float = 0.0
    """Time of the pending steps."""
    tokens: float = 0.0
    """Tokens of all steps, without padding."""
    positions: float = 0.0
    """Tokens of all steps, with padding."""

    def add(self, first: int, facts: Sequence[StepFacts], seconds: float, params: PretrainParams, peak: float) -> int:
        """Take the facts of the steps from `first` on; returns the number of steps that were finite.

        Where that is fewer than all, the run has diverged: the step that was not finite gets a point of its own, and
        those before it one.
        """
        self.seconds += seconds
        for step, fact in enumerate(facts, start=first):
            if not math.isfinite(fact.mlm_loss + fact.order_loss + fact.gradient_norm):
                if self.pending:
                    self._point(step, params, peak)
                self.pending = [asdict(fact)]
                self._point(step + 1, params, math.nan)
                return step - first
            self.pending.append(asdict(fact))
            self.tokens += fact.tokens
            self.positions += fact.positions
            if is_curve_point(step, params.steps, params.points):
                self._point(step + 1, params, peak)
        return len(facts)

    def _point(self, step: int, params: PretrainParams, peak: float) -> None:
        n = len(self.pending)
        mean = {name: math.fsum(f[name] for f in self.pending) / n for name in self.pending[0]}
        p, measured = params, ("mlm_loss", "order_loss", "gradient_norm", "tokens")
        values = {"loss": mean["mlm_loss"] + mean["order_loss"], **{name: mean[name] for name in measured}}
        values["learning_rate"] = learning_rate(p.learning_rate, step - 1, p.steps, p.warmup, p.legacy_schedule)
        if self.seconds:
            values["tokens_per_second"] = mean["tokens"] * n / self.seconds
            values["flops_utilisation"] = mean["flops"] * n / self.seconds / peak
        self.rows += metric_rows(step, values)
        self.pending, self.seconds = [], 0.0

    def last(self, metric: str) -> float:
        """The last finite value of a metric, NaN without one."""
        values = (row["value"] for row in reversed(self.rows) if row["metric"] == metric)
        return next((value for value in values if math.isfinite(value)), float("nan"))


def is_fetch(step: int, params: PretrainParams) -> bool:
    """Whether the host looks at what happened, after step `step` = 0, 1, …"""
    return is_curve_point(step, params.steps, params.points) or (step + 1) % FETCH == 0 or is_test(step, params)


def is_test(step: int, params: PretrainParams) -> bool:
    """Whether the test part is gone through after step `step` = 0, 1, …"""
    return is_curve_point(step, params.steps, params.test_points)


def status_of(diverged: bool, test_mlm_loss: float, unigram_loss: float) -> str:
    """`diverged`, `not_training` or `trained`, by the rule of the table `outcomes`.

    A network that only learns how frequent tokens are reaches `unigram_loss` and no less; what lies MARGIN below it has
    used the context.
    """
    if diverged or not math.isfinite(test_mlm_loss):
        return "diverged"
    return "not_training" if test_mlm_loss > unigram_loss - MARGIN else "trained"


def write_training(directory: Path, rows: Sequence[Mapping[str, Any]], outcome: Mapping[str, Any]) -> None:
    """Keep the rows of both tables beside the checkpoint."""
    tables = {"training": rows, "outcomes": [outcome]}
    (directory / TRAINING).write_text(json.dumps(tables, indent=1) + "\n", encoding="utf-8")


def pretrain_bert_report(params: PretrainParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `training` and `outcomes`: what the job in `context.needs["model"]` wrote about its training.

    Raises:
        ValueError: it is not there.
    """
    return read_training(context.needs["model"], "pretrain_bert")
