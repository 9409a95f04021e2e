"""The stages of `multihead_copying`: heads that are trained alone, and combinations of them (README 5).

`screen_heads` trains a block's candidates together, each alone with each data seed. A training that is good leaves the
stack at once; the others go on to the last evaluation, which stands before the update of its step. A block does nothing
when the blocks that it knows of hold enough heads: the plan fixes which ones those are, so the rows do not hang on who
was faster. `combine_heads` trains combinations of one kind together, all on the data of one seed. Heads are drawn again
from their streams.

Dimensions: G models of the stack (a head and a data seed each, or combinations), M heads of each.
"""

import json
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch

from models.multihead_copying import StackedMultiHead, training_bytes
from orchestrator.experiment import Context
from tasks.attention.copying.training import stack_of
from tasks.attention.multihead_copying.config import COMBINED, Combined
from tasks.attention.multihead_copying.models import TrainingData, evaluation_set, measure, models_of
from tasks.attention.multihead_copying.stages import VERDICTS, CombineHeadsParams, ScreenHeadsParams
from tasks.training.numerics import exact_numerics

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
    with exact_numerics():
        screening, heads, at_once = _screen(params, context) if needed else ([], [], 0)
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
    blocks = [json.loads((directory / VERDICTS).read_text("utf-8")) for directory in needs.values()]
    return dict(sorted((int(head), verdict) for block in blocks for head, verdict in block.items()))


def verdict_of(outcomes: list[Outcome]) -> str:
    """What a head is: what all its trainings say, neither where they do not agree or one is undecided."""
    return outcomes[0] if len(set(outcomes)) == 1 and outcomes[0] != "undecided" else "neither"


def _screen(params: ScreenHeadsParams, context: Context) -> tuple[Rows, Rows, int]:
    device = torch.device(context.device)
    alive = [(head, seed) for head in params.heads for seed in params.data_seeds]
    models = models_of(params, [(head,) for head, _ in alive], "candidate")
    stack, at_once = stack_of(params, context, models, StackedMultiHead, training_bytes)
    optimiser = torch.optim.Adam(stack.parameters(), lr=params.learning_rate)
    data, evaluation = TrainingData(params, params.data_seeds), evaluation_set(params, device)
    screening: Rows = []
    decided: dict[tuple[int, int], dict[str, Any]] = {}
    for step in range(params.last_step + 1):
        if step % params.evaluate_every == 0:
            accuracies, attention, _ = measure(stack, *evaluation)
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
        stack.backward(*data.next([seed for _, seed in alive], device))
        optimiser.step()
    seeds = params.data_seeds
    verdicts = {head: verdict_of([decided[head, seed]["outcome"] for seed in seeds]) for head in params.heads}
    heads = [{**decided[head, seed], "verdict": said} for head, said in verdicts.items() for seed in seeds]
    return screening, heads, at_once


def _outcome(params: ScreenHeadsParams, step: int, accuracy: float) -> Outcome | None:
    """What an evaluation decides; None: the training goes on."""
    if accuracy > params.good_above:
        return "good"
    if step < params.last_step:
        return None
    return "bad" if accuracy < params.bad_below else "undecided"


def combinations(
    bad: Sequence[int], good: Sequence[int], drawn: Sequence[int], *, count: int, size: int
) -> dict[Combined, list[tuple[int, ...]]]:
    """The heads of `count` combinations of each kind, in the order in which the model has them.

    Combination i: Python's generator is seeded with 3i and the bad heads are shuffled in place, the first `size` are
    the combination bad; with 3i + 1 the bad and then the good ones, size - 1 bad and 1 good are good; with 3i + 2 the
    drawn ones, the first are random. Shuffles accumulate, of the bad heads those of both kinds.

    Returns:
        An empty list for a kind that there are too few heads for.
    """
    bad_now, good_now, drawn_now = list(bad), list(good), list(drawn)
    found: dict[Combined, list[tuple[int, ...]]] = {kind: [] for kind in COMBINED}
    for number in range(count):
        random.Random(3 * number).shuffle(bad_now)
        if len(bad) >= size:
            found["bad"].append(tuple(bad_now[:size]))
        stream = random.Random(3 * number + 1)
        stream.shuffle(bad_now)
        stream.shuffle(good_now)
        if len(bad) >= size - 1 and good:
            found["good"].append((*bad_now[: size - 1], good_now[0]))
        random.Random(3 * number + 2).shuffle(drawn_now)
        if len(drawn) >= size:
            found["random"].append(tuple(drawn_now[:size]))
    return found


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
    chosen = [every[number] for number in params.combinations] if every else []
    with exact_numerics():
        curves, attention, at_once = _combine(params, context, chosen) if every else ([], [], 0)
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
    models = models_of(params, chosen, "random" if params.combined == "random" else "candidate")
    stack, at_once = stack_of(params, context, models, StackedMultiHead, training_bytes)
    optimiser = torch.optim.Adam(stack.parameters(), lr=params.learning_rate)
    data, evaluation = TrainingData(params, [params.data_seed]), evaluation_set(params, device)
    curves: Rows = []
    attention: Rows = []
    for step in range(params.last_step + 1):
        if step % params.evaluate_every == 0:
            accuracies, exact, late = measure(stack, *evaluation)
            for at, (number, heads) in enumerate(zip(params.combinations, chosen, strict=True)):
                here = {"combination": number, "step": step}
                curves.append({**here, "accuracy": accuracies[at]})
                for place, head in enumerate(heads):
                    points = {"attention_accuracy": exact[at][place], "attention_late": late[at][place]}
                    attention.append({**here, "place": place, "head": head, **points})
        if step < params.last_step:
            stack.backward(*data.next([params.data_seed], device))
            optimiser.step()
    return curves, attention, at_once
