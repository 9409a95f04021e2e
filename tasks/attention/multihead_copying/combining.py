"""The stage `combine_heads`: combinations of heads of one kind, trained together (attention_dynamics 4.3).

All combinations see the same data, those of one data seed. Heads are drawn again from their streams.

Dimensions: G combinations of the block, M heads of each.
"""

import time
from typing import Any

import torch

from orchestrator.experiment import Context
from tasks.attention.copying.training import update
from tasks.attention.multihead_copying.models import CANDIDATE, RANDOM, EvaluationSet, TrainingData, models_of, stack_of
from tasks.attention.multihead_copying.params import CombineHeadsParams
from tasks.attention.multihead_copying.schedule import combinations
from tasks.attention.multihead_copying.screening import read_verdicts
from tasks.training.numerics import exact_numerics, synchronise

Rows = list[dict[str, Any]]


def combine_heads(params: CombineHeadsParams, context: Context) -> dict[str, Rows]:
    """Rows of all tables for one block; none but that of the stock where there are too few heads of the kind.

    `context.needs` holds all blocks of `screen_heads`, under any names; none for random heads.

    Raises:
        ValueError: the models do not fit into memory.
    """
    clock = time.perf_counter()
    verdicts = read_verdicts(context.needs)
    good, bad = (
        [head for head, found in verdicts.items() if found == kind][: params.wanted] for kind in ("good", "bad")
    )
    count = max(params.combinations) + 1
    every = combinations(bad, good, range(params.random_heads), count=count, size=params.size)[params.combined]
    curves: Rows = []
    attention: Rows = []
    at_once = 0
    if every:
        with exact_numerics():
            curves, attention, at_once = _combine(params, context, [every[number] for number in params.combinations])
            synchronise(torch.device(context.device))
    stock = {
        "first_combination": min(params.combinations),
        "good_found": len(good),
        "bad_found": len(bad),
        "enough": bool(every),
        "at_once": at_once,
        "combine_seconds": time.perf_counter() - clock,
    }
    return {"combinations": curves, "attention": attention, "combination_blocks": [stock]}


def _combine(params: CombineHeadsParams, context: Context, chosen: list[tuple[int, ...]]) -> tuple[Rows, Rows, int]:
    device = torch.device(context.device)
    kind = RANDOM if params.combined == "random" else CANDIDATE
    stack, at_once = stack_of(params, context, models_of(params, chosen, kind))
    optimiser = torch.optim.Adam(stack.parameters(), lr=params.learning_rate)
    data, evaluation = TrainingData(params, [params.data_seed]), EvaluationSet.of(params, device)
    curves: Rows = []
    attention: Rows = []
    for step in range(params.updates + 1):
        if step % params.evaluate_every == 0:
            accuracies, exact, late = evaluation.measure(stack)
            for at, (number, heads) in enumerate(zip(params.combinations, chosen, strict=True)):
                here = {"combination": number, "step": step}
                curves.append({**here, "accuracy": accuracies[at]})
                for place, head in enumerate(heads):
                    points = {"attention_accuracy": exact[at][place], "attention_late": late[at][place]}
                    attention.append({**here, "place": place, "head": head, **points})
        if step < params.updates:
            update(stack, optimiser, *data.next([params.data_seed], device))
    return curves, attention, at_once
