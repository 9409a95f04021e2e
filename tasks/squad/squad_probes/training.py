"""The stages `probe_train_adam` and `probe_train_lbfgs`: probes of all levels of one frozen encoder, in one job.

Adam: an epoch passes the encoder once, in chunks whose states are in memory while the updates of all probes go through
them batch by batch. L-BFGS: the states of some levels of all chosen windows are in memory while they are solved.

Dimensions: L layers, S seeds, R learning rates, G probes a level, N windows, T tokens, P positions, H hidden.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from orchestrator.experiment import Context
from tasks.squad.squad_probes.lbfgs import Solution, minimise
from tasks.squad.squad_probes.memory import Room, adam_memory, lbfgs_memory
from tasks.squad.squad_probes.objective import level_objective, make_blocks
from tasks.squad.squad_probes.probes import ProbeSettings, ProbeTrainer, first_weights, make_layout
from tasks.squad.squad_probes.rows import Curves, Rows, artifact_directory, cost_row, keep_probes, solution_rows
from tasks.squad.squad_probes.stages import AdamParams, LbfgsParams
from tasks.squad.squad_probes.states import (
    Chunk,
    FrozenEncoder,
    chunks,
    collect,
    open_frozen,
)
from tasks.training.numerics import exact_numerics, synchronise, usable_bytes
from tasks.training.seeds import numpy_stream
from tasks.training.steps import data_orders, n_steps


def train_adam(params: AdamParams, context: Context) -> dict[str, Rows]:
    """Train the probes with the published optimiser; they are kept after each epoch.

    Raises:
        ValueError: windows or encoder do not fit the parameters or each other, nothing to train on, states that are not
            finite, or a batch of states does not fit into memory.
    """
    with exact_numerics():
        directory, encoder = artifact_directory(context), open_frozen(params, context, "train")
        chosen = trainable(encoder)
        rates, seeds = params.learning_rates, params.seeds
        first = [first_weights(seed, encoder.n_levels, encoder.width) for seed in seeds]
        settings = ProbeSettings(learning_rates=rates, seeds=seeds, dropout=params.dropout, clip=params.clip)
        trainer = ProbeTrainer(torch.stack(first, dim=1).to(encoder.device, encoder.dtype), settings)
        room = adam_memory(encoder, params, chosen, usable_bytes(context))
        class_weight = class_weights(encoder, chosen) if params.legacy_class_weights else None
        total = n_steps(len(chosen), params.batch_size, params.epochs)
        curves, kept, seconds = Curves(params=params, total=total), [], 0.0
        for order in data_orders(params.data_seed, len(chosen), params.epochs):
            ordered = chosen[order.numpy()]
            seconds += one_epoch(encoder, trainer, ordered, params.batch_size, room, class_weight, curves.add)
            kept.append(trainer.weights.flatten(1, 2).to("cpu", torch.float32, copy=True))
    probes = [
        {"solver": "adam", "learning_rate": rate, "l2": 0.0, "seed": seed, "epoch": epoch}
        for epoch in range(1, params.epochs + 1)
        for seed in seeds
        for rate in rates
    ]
    cost = cost_row(encoder, len(chosen), len(seeds) * len(rates), seconds)
    weights = keep_probes(params, directory, encoder, torch.cat(kept, dim=1), probes)
    return {"curves": curves.rows, "weights": weights, "costs": [cost]}


def one_epoch(
    encoder: FrozenEncoder,
    trainer: ProbeTrainer,
    order: np.ndarray,
    batch_size: int,
    room: Room,
    class_weight_2T: np.ndarray | None = None,
    seen: Callable[[Tensor], None] = lambda losses: None,
) -> float:
    """Train on the windows in this order, batch by batch; seconds that went into the probes.

    `seen` is called after each step with the cross entropies [L+1, S, R, 2] before it.
    """
    seconds = 0.0
    for own in chunks(order, encoder.positions(order), batch_size, room.rows):
        chunk = collect(encoder, own, room.together, range(encoder.n_levels), class_weight_2T)
        seconds += one_chunk(chunk, trainer, batch_size, seen)
        del chunk  # before the states of the next are made
    return seconds


def one_chunk(chunk: Chunk, trainer: ProbeTrainer, batch_size: int, seen: Callable[[Tensor], None]) -> float:
    """Train on a chunk, batch by batch; seconds. Apart from `one_epoch`, so that no view of its states outlives it."""
    clock = time.perf_counter()
    for batch in batches(chunk, batch_size):
        seen(trainer.take(*batch))
    synchronise(chunk.states.device)
    return time.perf_counter() - clock


def train_lbfgs(params: LbfgsParams, context: Context) -> dict[str, Rows]:
    """Solve the probes to convergence on a fixed choice of windows.

    Raises:
        ValueError: as `train_adam`; or the states of one level do not fit into memory.
    """
    with exact_numerics():
        directory, encoder = artifact_directory(context), open_frozen(params, context, "train")
        chosen = converged_choice(encoder, params)
        counts, n_levels = encoder.positions(chosen), encoder.n_levels
        at_once, together = lbfgs_memory(encoder, counts, len(params.l2), usable_bytes(context))
        found, solutions, seconds = [], [], 0.0
        for low in range(0, n_levels, at_once):
            levels = range(low, min(low + at_once, n_levels))
            chunk = collect(encoder, chosen, together, levels)
            clock = time.perf_counter()
            for level, solution in zip(levels, solve_levels(chunk, params), strict=True):
                found.append(solution.w.view(len(params.l2), 2, -1).cpu())
                solutions += solution_rows(params, level, solution)
            seconds += time.perf_counter() - clock
            del chunk  # before the states of the next levels are made
    probes = [{"solver": "lbfgs", "learning_rate": 0.0, "l2": l2, "seed": 0, "epoch": 0} for l2 in params.l2]
    cost = cost_row(encoder, len(chosen), len(params.l2), seconds)
    weights = keep_probes(params, directory, encoder, torch.stack(found), probes)
    return {"solutions": solutions, "weights": weights, "costs": [cost]}


def solve_levels(chunk: Chunk, params: LbfgsParams) -> list[Solution]:
    """The converged probes of each level of a chunk, problems in the order (strength, head)."""
    heads, H, device = 2 * len(params.l2), chunk.states.shape[-1], chunk.states.device
    blocks = make_blocks(chunk.counts, chunk.target, heads, device)
    return [
        minimise(
            level_objective(x_PH, blocks, params.l2),
            torch.zeros(heads, H, dtype=torch.float64, device=device),
            tolerance=params.tolerance,
            max_iterations=params.max_iterations,
            rounding=4 * torch.finfo(chunk.states.dtype).eps,
        )
        for x_PH in chunk.states
    ]


def trainable(encoder: FrozenEncoder) -> np.ndarray:
    """Indices of the windows whose labels can be trusted.

    Raises:
        ValueError: there is none.
    """
    chosen = np.flatnonzero(encoder.windows.trainable)
    if not len(chosen):
        raise ValueError("no window to train on; give questions whose answers are in their contexts")
    return chosen


def converged_choice(encoder: FrozenEncoder, params: LbfgsParams) -> np.ndarray:
    """A fixed random choice, those of a smaller number among those of a larger; shortest first, so that blocks of
    windows need little padding."""
    chosen = numpy_stream(params.data_seed, "squad_probes", "converged").permutation(trainable(encoder))
    chosen = np.sort(chosen[: params.converged_windows])
    return chosen[np.argsort(encoder.positions(chosen), kind="stable")]


def class_weights(encoder: FrozenEncoder, chosen: np.ndarray) -> np.ndarray:
    """N / count of each position among the training targets, float64 [2, T]; 0 where none is."""
    targets = (encoder.windows.start[chosen], encoder.windows.end[chosen])
    counts = np.stack([np.bincount(part, minlength=encoder.max_length) for part in targets])
    return np.where(counts > 0, len(chosen) / np.maximum(counts, 1), 0.0)


def batches(chunk: Chunk, batch_size: int) -> Iterator[tuple[Tensor, Any, Tensor, Tensor]]:
    """What `ProbeTrainer.take` takes, for one batch of a chunk after another."""
    device, dtype = chunk.states.device, chunk.states.dtype
    edges = np.concatenate([[0], np.cumsum(chunk.counts)])
    for low in range(0, len(chunk.counts), batch_size):
        own = slice(low, min(low + batch_size, len(chunk.counts)))
        yield (
            chunk.states[:, edges[own.start] : edges[own.stop]],
            make_layout(chunk.counts[own], device),
            torch.from_numpy(chunk.target[:, own]).to(device),
            torch.from_numpy(chunk.weight[:, own]).to(device, dtype),
        )
