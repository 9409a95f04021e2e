"""The stages `probe_train_adam` and `probe_train_lbfgs`: probes of all levels of one frozen encoder, in one job.

Adam: an epoch passes the encoder once, in chunks whose states are in memory while the updates of all probes go through
them batch by batch. L-BFGS: the states of some levels of all chosen windows are in memory while they are solved.

Dimensions: L layers, S seeds, R learning rates, G probes a level, N windows, T tokens, P positions, H hidden.
"""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from orchestrator.experiment import Context
from tasks.numerics import exact_numerics, synchronise, usable_bytes
from tasks.seeds import numpy_stream
from tasks.squad_probes.lbfgs import minimise
from tasks.squad_probes.objective import BLOCK_LOGITS, level_objective, make_blocks
from tasks.squad_probes.params import AdamParams, LbfgsParams
from tasks.squad_probes.probes import ProbeSettings, ProbeTrainer, first_weights, make_layout
from tasks.squad_probes.rows import Rows, artifact_directory, cost_row, curve_rows, keep_probes, solution_rows
from tasks.squad_probes.states import (
    Chunk,
    FrozenEncoder,
    bytes_a_row,
    chunks,
    collect,
    encoded_together,
    open_frozen,
)
from tasks.training import data_orders, is_curve_point, n_steps

COPIES = 5  # of the probes' weights: themselves, their gradient, two averages, and the update


def train_adam(params: AdamParams, context: Context) -> dict[str, Rows]:
    """Train the probes with the published optimiser; they are kept after each epoch.

    Raises:
        ValueError: windows or encoder do not fit the parameters or each other, nothing to train on, states that are not
            finite, or a batch of states does not fit into memory.
    """
    with exact_numerics():
        directory, encoder = artifact_directory(context), open_frozen(params, context, "train")
        chosen = trainable(encoder)
        rates, seeds, levels = params.learning_rates, params.seeds, range(encoder.n_levels)
        first = [first_weights(seed, encoder.n_levels, encoder.width) for seed in seeds]
        settings = ProbeSettings(learning_rates=rates, seeds=seeds, dropout=params.dropout, clip=params.clip)
        trainer = ProbeTrainer(torch.stack(first, dim=1).to(encoder.device, encoder.dtype), settings)
        rows, together = adam_memory(encoder, params, chosen, usable_bytes(context))
        class_weight = class_weights(encoder, chosen) if params.legacy_class_weights else None
        total = n_steps(len(chosen), params.batch_size, params.epochs)
        curves, kept, seconds = [], [], 0.0
        losses_LSR, since = torch.zeros(trainer.weights.shape[:3], dtype=encoder.dtype, device=encoder.device), 0
        for order in data_orders(params.data_seed, len(chosen), params.epochs):
            ordered = chosen[order.numpy()]
            for own in chunks(ordered, encoder.positions(ordered), params.batch_size, rows):
                chunk = collect(encoder, own, together, levels, class_weight)
                clock = time.perf_counter()
                for batch in batches(chunk, params.batch_size):
                    losses_LSR, since = losses_LSR + trainer.take(*batch).mean(dim=-1), since + 1
                    if is_curve_point(trainer.step - 1, total, params.curve_points):
                        curves += curve_rows(losses_LSR / since, params, trainer.step, total)
                        losses_LSR, since = torch.zeros_like(losses_LSR), 0
                synchronise(encoder.device)
                seconds += time.perf_counter() - clock
                del chunk  # before the states of the next are made
            kept.append(trainer.weights.flatten(1, 2).to("cpu", torch.float32, copy=True))
    probes = [
        {"solver": "adam", "learning_rate": rate, "l2": 0.0, "seed": seed, "epoch": epoch}
        for epoch in range(1, params.epochs + 1)
        for seed in seeds
        for rate in rates
    ]
    cost = cost_row(encoder, len(chosen), len(seeds) * len(rates), seconds)
    weights = keep_probes(params, directory, encoder, torch.cat(kept, dim=1), probes)
    return {"curves": curves, "weights": weights, "costs": [cost]}


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
        found, solutions, blocks, seconds = [], [], None, 0.0
        for low in range(0, n_levels, at_once):
            levels = range(low, min(low + at_once, n_levels))
            chunk = collect(encoder, chosen, together, levels)
            clock = time.perf_counter()
            blocks = blocks or make_blocks(counts, chunk.target, 2 * len(params.l2), encoder.device)
            for level, x_PH in zip(levels, chunk.states, strict=True):
                solution = minimise(
                    level_objective(x_PH, blocks, params.l2),
                    torch.zeros(2 * len(params.l2), encoder.width, dtype=torch.float64, device=encoder.device),
                    tolerance=params.tolerance,
                    max_iterations=params.max_iterations,
                    rounding=4 * torch.finfo(encoder.dtype).eps,
                )
                found.append(solution.w.view(len(params.l2), 2, -1).cpu())
                solutions += solution_rows(params, level, solution)
            seconds += time.perf_counter() - clock
            del chunk  # before the states of the next levels are made
    probes = [{"solver": "lbfgs", "learning_rate": 0.0, "l2": l2, "seed": 0, "epoch": 0} for l2 in params.l2]
    cost = cost_row(encoder, len(chosen), len(params.l2), seconds)
    weights = keep_probes(params, directory, encoder, torch.stack(found), probes)
    return {"solutions": solutions, "weights": weights, "costs": [cost]}


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


def adam_memory(encoder: FrozenEncoder, params: AdamParams, chosen: np.ndarray, budget: int) -> tuple[int, int]:
    """Positions of a chunk, whose states take at most half of the budget, and windows to encode together.

    Raises:
        ValueError: a batch of windows does not fit; with both numbers.
    """
    weights = (
        (COPIES + params.epochs)
        * len(params.seeds)
        * len(params.learning_rates)
        * 2
        * encoder.n_levels
        * bytes_a_row(encoder)
    )
    rows = (budget // 2) // (encoder.n_levels * bytes_a_row(encoder))
    counts = encoder.positions(chosen)
    needed = min(params.batch_size, len(counts)) * int(counts.max())
    if needed > rows or weights > budget // 4:
        raise ValueError(
            f"the states of a batch of {params.batch_size} windows at {encoder.n_levels} levels take "
            f"{needed * encoder.n_levels * bytes_a_row(encoder):,} bytes of {budget // 2:,} that may be used for them, "
            f"the probes {weights:,} of {budget // 4:,}; give the job more memory, or a smaller --batch-size, fewer "
            "--seeds or --learning-rates"
        )
    return rows, encoded_together(encoder, budget // 4)


def lbfgs_memory(encoder: FrozenEncoder, counts: np.ndarray, strengths: int, budget: int) -> tuple[int, int]:
    """Levels whose states are kept at once, and windows to encode together.

    Raises:
        ValueError: the states of one level do not fit; with both numbers.
    """
    together = encoded_together(encoder, budget // 4)
    history = 30 * 2 * strengths * encoder.width * 8  # steps, gradients and what an iteration makes, float64
    working = budget // 4 + 5 * BLOCK_LOGITS * encoder.dtype.itemsize + history
    one, room = int(counts.sum()) * (bytes_a_row(encoder) + 24), budget - working
    if one > room:
        raise ValueError(
            f"the states of {len(counts)} windows at one level take {one:,} bytes, {max(0, room):,} may be used for "
            "them; give fewer --converged-windows, or the job more memory"
        )
    return min(room // one, encoder.n_levels), together
