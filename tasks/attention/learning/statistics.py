"""The stage `attention_statistics`: from the scores of all checkpoints to the published dictionary, as tidy rows.

Two selections stand beside each other: i*, and the checkpoint of each maximum, chosen on the items that they are judged
on (as published), and chosen on half a and judged on half b (README 3).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from metrics.learned_attention import Found, learned_attention
from orchestrator.experiment import Context
from tasks.attention.learning.comparisons import Comparisons, Sides, compare
from tasks.attention.learning.opened import SELECTIONS, Opened, gold_steps, open_all
from tasks.attention.learning.plan import Sign, StatisticsParams
from tasks.attention.learning.runs import Metric
from tasks.training.numerics import exact_numerics, usable_bytes

Rows = list[dict[str, Any]]
BLOCK_BYTES = 1 << 27
"""Memory of one block of items, where there is as much: sums then do not depend on the machine, to the last digit."""


def attention_statistics(params: StatisticsParams, context: Context) -> dict[str, Rows]:
    """Rows of `agreement` and `statistics`; the scores are in `context.needs`, named as in `plan.statistics_job`.

    Raises:
        DataError: scores are missing, lack a quantity, or are of other items than the others.
        ValueError: a checkpoint lacks a performance, or the gold run has none that is a number.
    """
    opened = open_all(params, context.needs)
    with exact_numerics():
        return tables(opened, params, min(usable_bytes(context), BLOCK_BYTES))


def tables(opened: Opened, params: StatisticsParams, memory_bytes: int) -> dict[str, Rows]:
    """Rows of both tables from opened scores."""
    agreement: Rows = []
    statistics: Rows = []
    for split in params.splits:
        for metric, found in compare(opened, params, split, memory_bytes).items():
            agreement += found.rows()
            statistics += _dictionaries(opened, params, split, metric, found)
    return {"agreement": agreement, "statistics": statistics}


def _dictionaries(opened: Opened, params: StatisticsParams, split: str, metric: Metric, found: Comparisons) -> Rows:
    """Rows of `statistics` for one split and metric: every performance, selection and sign."""
    rows: Rows = []
    for (performance, selection), best in gold_steps(opened, params, split).items():
        lead = {"split": split, "performance": performance, "metric": metric, "selection": selection}
        for sign in params.signs:
            entries = _dictionary(opened, params, found, (performance, selection, sign), best)
            for key, values in entries.items():
                if sign == "legacy" and not key.endswith("_grad"):
                    continue  # nothing else depends on the sign of Delta
                for one in values:
                    rows.append({**lead, "sign": sign, "key": key, "value": one.value, "step": one.step})
    return rows


def _dictionary(
    opened: Opened, params: StatisticsParams, found: Comparisons, wanted: tuple[str, str, Sign], best: int
) -> Mapping[str, list[Found]]:
    performance, selection, sign = wanted
    part, judged = SELECTIONS[selection]
    sides, runs, split = Sides(params), params.runs, found.split

    gold = sides.alpha(best)
    compared = {
        "unif": (gold, sides.uniform),
        **{name: (sides.proxy(name, selection == "held_out"), sides.uniform) for name in params.proxies},
        "grad": (sides.delta(best, sign), sides.uniform),
        "normal": (gold, sides.normal),
    }
    return learned_attention(
        params.steps,
        best=Found(opened.performance(runs.gold, best, split, judged, performance), best),
        attention=np.stack([found.numbers("mean", gold, run, judged) for run in sides.others]),
        attention_baseline=np.stack([found.numbers("baseline", gold, run, judged) for run in sides.others]),
        performance=np.array(
            [
                [opened.performance(run, step, split, judged, performance) for step in params.steps]
                for run in runs.comparison
            ]
        ),
        curves={name: found.curve(u, v, part, judged) for name, (u, v) in compared.items()},
    )
