"""Which scores are compared with which, each pair once (README 3).

Fixed sides u: alpha of the gold run at i*, Delta there (either sign), the proxies. Rankings v: alpha of the comparison
runs and beta of the first of them (for alpha alone), beta of the uniform run (for all).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metrics.agreement import Agreement, agreements
from metrics.learned_attention import Curve
from tasks.attention.learning.opened import Opened, gold_steps
from tasks.attention.learning.plan import Sign, StatisticsParams
from tasks.attention.learning.runs import Metric
from tasks.attention.learning.scores import PARTS

HELD_OUT = "-heldout"
"""What follows the name of a proxy whose epoch or strength was chosen on half a."""


@dataclass(frozen=True, order=True)
class Side:
    """One score of all items: what it is, of which run or proxy, at which checkpoint."""

    what: str
    run: str
    step: int | None


@dataclass(kw_only=True)
class Comparisons:
    """All agreements of one split and metric."""

    split: str
    metric: Metric
    _found: dict[tuple[Side, Side], tuple[Agreement, int, int]] = field(default_factory=dict)

    def add(self, u: Sequence[Side], v: Sequence[Side], agreement: Agreement) -> None:
        for a, mine in enumerate(u):
            for b, theirs in enumerate(v):
                self._found[mine, theirs] = (agreement, a, b)

    def numbers(self, name: str, u: Side, v: Sequence[Side], part: str) -> np.ndarray:
        """[len(v)] `mean` over the items of a part, or `baseline`, the expected mean after shuffling."""
        found = (self._found[u, one] for one in v)
        return np.array([getattr(agreement, name)[a, b, PARTS.index(part)] for agreement, a, b in found], dtype=float)

    def curve(self, u: Side, v: Sequence[Side], part: str, judged: str) -> Curve:
        """A(u, v) over checkpoints of v, chosen on a part and judged on another."""
        return Curve(
            judged=self.numbers("mean", u, v, judged),
            chosen=self.numbers("mean", u, v, part),
            baseline=self.numbers("baseline", u, v, judged),
        )

    def rows(self) -> list[dict[str, Any]]:
        """Rows of the table `agreement`."""
        rows: list[dict[str, Any]] = []
        for (u, v), (agreement, a, b) in self._found.items():
            pair = {"u": u.what, "u_run": u.run, "u_step": u.step, "v": v.what, "v_run": v.run, "v_step": v.step}
            for number, part in enumerate(PARTS):
                numbers = {
                    "mean": float(agreement.mean[a, b, number]),
                    "items": int(agreement.items[a, b, number]),
                    "undefined": int(agreement.undefined[a, b, number]),
                    "baseline": float(agreement.baseline[a, b, number]),
                }
                rows.append({"split": self.split, "part": part, "metric": self.metric, **pair, **numbers})
        return rows


@dataclass(frozen=True)
class Sides:
    """The sides of the comparisons of a set of statistics."""

    params: StatisticsParams

    def alpha(self, step: int) -> Side:
        return Side("alpha", self.params.runs.gold.name, step)

    def delta(self, step: int, sign: Sign) -> Side:
        return Side("delta" if sign == "correct" else "delta-legacy", self.params.runs.gold.name, step)

    def proxy(self, name: str, held_out: bool) -> Side:
        return Side("beta", name + HELD_OUT if held_out else name, None)

    @property
    def others(self) -> list[list[Side]]:
        """Alpha of each comparison run, over checkpoints."""
        return [[Side("alpha", run.name, step) for step in self.params.steps] for run in self.params.runs.comparison]

    @property
    def normal(self) -> list[Side]:
        """Beta of the first comparison run, over checkpoints."""
        return [Side("beta", self.params.runs.comparison[0].name, step) for step in self.params.steps]

    @property
    def uniform(self) -> list[Side]:
        """Beta of the uniform run, over checkpoints."""
        return [Side("beta", self.params.runs.uniform.name, step) for step in self.params.steps]


def compare(opened: Opened, params: StatisticsParams, split: str, memory_bytes: int) -> dict[Metric, Comparisons]:
    """All comparisons of one split, by metric."""
    sides = Sides(params)
    chosen = sorted(set(gold_steps(opened, params, split).values()))
    gold = [sides.alpha(step) for step in chosen]
    fixed = [*gold, *(sides.delta(step, sign) for sign in params.signs for step in chosen)]
    fixed += [sides.proxy(name, held_out) for name in params.proxies for held_out in (False, True)]
    numbers = _Numbers(opened, params, split)
    parts = opened.parts(split)
    lengths = np.asarray(opened.items.lengths)[opened.items.rows(split)]
    found: dict[Metric, Comparisons] = {}
    for metric in params.metrics:
        found[metric] = Comparisons(split=split, metric=metric)
        rankings = [side for run in sides.others for side in run] + sides.normal
        for u, v in ((gold, rankings), (fixed, sides.uniform)):
            agreement = agreements(
                [numbers.of(side) for side in u],
                [numbers.of(side) for side in v],
                lengths,
                parts,
                metric,
                memory_bytes=memory_bytes,
            )
            found[metric].add(u, v, agreement)
    return found


class _Numbers:
    """The flat numbers of any side, on one split."""

    def __init__(self, opened: Opened, params: StatisticsParams, split: str):
        self._opened, self._split = opened, split
        self._runs = {run.name: run for run in params.runs.all}

    def of(self, side: Side) -> np.ndarray:
        opened, split = self._opened, self._split
        if side.step is None:
            name = side.run.removesuffix(HELD_OUT)
            return opened.flat(opened.proxies[name], "beta" if name == side.run else "beta" + HELD_OUT, split)
        if side.what.startswith("delta"):
            delta = opened.flat(opened.delta, f"delta-{side.step}", split)
            return -delta if side.what == "delta-legacy" else delta
        return opened.flat(opened.evaluations[self._runs[side.run], side.step], side.what, split)
