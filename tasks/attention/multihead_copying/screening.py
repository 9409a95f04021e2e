"""The stage `screen_heads`: which candidate heads learn to copy when they are the only one (attention_dynamics 4.3).

A block's candidates are trained together with each data seed. A training that is good leaves the stack at once; the
others go on to the last evaluation, which stands before the update of its step. A block does nothing when the blocks
that it knows of hold enough heads: the plan fixes which ones those are, so the rows do not hang on who was faster.

Dimensions: G trainings of the stack, a head and a data seed each.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from orchestrator.experiment import Context
from tasks.attention.copying.training import update
from tasks.attention.multihead_copying.models import CANDIDATE, EvaluationSet, TrainingData, models_of, stack_of
from tasks.attention.multihead_copying.params import VERDICTS, ScreenHeadsParams
from tasks.training.numerics import exact_numerics, synchronise

Rows = list[dict[str, Any]]
Outcome = Literal["good", "bad", "undecided"]


def screen_heads(params: ScreenHeadsParams, context: Context) -> dict[str, Rows]:
    """Rows of all tables for one block, and the verdicts as its artifact.

    `context.needs` holds the blocks that this one knows of, under any names.

    Raises:
        ValueError: the models do not fit into memory.
    """
    clock = time.perf_counter()
    before = list(read_verdicts(context.needs).values())
    needed = min(before.count("good"), before.count("bad")) < params.wanted
    screening: Rows = []
    heads: Rows = []
    at_once = 0
    if needed:
        with exact_numerics():
            screening, heads, at_once = _screen(params, context)
            synchronise(torch.device(context.device))
    if context.artifact is not None:
        found = {str(row["head"]): row["verdict"] for row in heads}
        (context.artifact / VERDICTS).write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    block = {
        "first_head": min(params.heads),
        "needed": needed,
        "good_before": before.count("good"),
        "bad_before": before.count("bad"),
        "at_once": at_once,
        "screen_seconds": time.perf_counter() - clock,
    }
    return {"screening": screening, "heads": heads, "head_blocks": [block]}


def read_verdicts(needs: Mapping[str, Path]) -> dict[int, str]:
    """What the heads of these blocks are (good, bad or neither), by number in rising order."""
    found: dict[int, str] = {}
    for directory in needs.values():
        told = json.loads((directory / VERDICTS).read_text("utf-8"))
        found |= {int(head): verdict for head, verdict in told.items()}
    return dict(sorted(found.items()))


def verdict_of(outcomes: list[Outcome]) -> str:
    """What a head is: what all its trainings say, neither where they do not agree or one is undecided."""
    return outcomes[0] if len(set(outcomes)) == 1 and outcomes[0] != "undecided" else "neither"


def _screen(params: ScreenHeadsParams, context: Context) -> tuple[Rows, Rows, int]:
    device = torch.device(context.device)
    alive = [(head, seed) for head in params.heads for seed in params.data_seeds]
    stack, at_once = stack_of(params, context, models_of(params, [(head,) for head, _ in alive], CANDIDATE))
    optimiser = torch.optim.Adam(stack.parameters(), lr=params.learning_rate)
    data, evaluation = TrainingData(params, params.data_seeds), EvaluationSet.of(params, device)
    screening: Rows = []
    decided: dict[tuple[int, int], dict[str, Any]] = {}
    for step in range(params.updates + 1):
        if step % params.evaluate_every == 0:
            accuracies, attention, _ = evaluation.measure(stack)
            going_on = []
            for at, (run, accuracy) in enumerate(zip(alive, accuracies, strict=True)):
                place = {"head": run[0], "data_seed": run[1]}
                screening.append({**place, "step": step, "accuracy": accuracy, "attention_accuracy": attention[at][0]})
                outcome = _outcome(params, step, accuracy)
                if outcome is None:
                    going_on.append(at)
                else:
                    decided[run] = {**place, "outcome": outcome, "decided": step, "accuracy": accuracy}
            if not going_on:
                break
            if len(going_on) < len(alive):
                alive = [alive[at] for at in going_on]
                stack.keep(going_on, optimiser)
        update(stack, optimiser, *data.next([seed for _, seed in alive], device))
    return screening, _heads(params, decided), at_once


def _outcome(params: ScreenHeadsParams, step: int, accuracy: float) -> Outcome | None:
    """What an evaluation decides; None: the training goes on."""
    if accuracy > params.good_above:
        return "good"
    if step < params.updates:
        return None
    return "bad" if accuracy < params.bad_below else "undecided"


def _heads(params: ScreenHeadsParams, decided: Mapping[tuple[int, int], dict[str, Any]]) -> Rows:
    rows: Rows = []
    for head in params.heads:
        own = [decided[head, seed] for seed in params.data_seeds]
        verdict = verdict_of([row["outcome"] for row in own])
        rows += [{**row, "verdict": verdict} for row in own]
    return rows
