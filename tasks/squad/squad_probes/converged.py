"""The stage `probe_train_lbfgs`: each probe of one frozen encoder is solved to its minimum (README 4).

The problem is convex: mean cross entropy of a head over windows + lambda/2 |w|^2. The states of some levels of all
chosen windows are in memory while these are solved. All strengths of L2 and both heads of a level are one product with
its states, forth and back. Windows are taken in blocks, so that logits stay small; losses and gradients are summed in
float64.

Dimensions: N windows, P positions of all of them, H hidden, G = strengths of L2 x 2 heads.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from orchestrator.experiment import Context
from tasks.squad.squad_probes.lbfgs import Objective, Solution, minimise
from tasks.squad.squad_probes.probes import Layout, losses_and_gradients, make_layout
from tasks.squad.squad_probes.stages import LbfgsParams
from tasks.squad.squad_probes.states import Chunk, FrozenEncoder, bytes_a_row, collect, encoded_together, open_frozen
from tasks.squad.squad_probes.training import HEADS, Rows, artifact_directory, cost_row, keep_probes, trainable
from tasks.training.numerics import exact_numerics, usable_bytes
from tasks.training.seeds import numpy_stream

BLOCK_LOGITS = 1 << 20  # of one block, padded: 4 MB, which caches hold


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


def converged_choice(encoder: FrozenEncoder, params: LbfgsParams) -> np.ndarray:
    """A fixed random choice, those of a smaller number among those of a larger; shortest first, so that blocks of
    windows need little padding."""
    chosen = numpy_stream(params.data_seed, "squad_probes", "converged").permutation(trainable(encoder))
    chosen = np.sort(chosen[: params.converged_windows])
    return chosen[np.argsort(encoder.positions(chosen), kind="stable")]


@dataclass(frozen=True, kw_only=True)
class Block:
    """Some windows that follow each other."""

    rows: slice
    layout: Layout
    target: Tensor
    """int64 [2, B]."""


def make_blocks(
    counts: np.ndarray, target_2N: np.ndarray, heads: int, device: torch.device | str, logits: int = BLOCK_LOGITS
) -> list[Block]:
    """Cut windows of so many positions [N] each into blocks of at most so many logits (or one window) for G `heads`."""
    blocks, low, first = [], 0, 0
    while low < len(counts):
        padded = np.maximum.accumulate(counts[low:]) * np.arange(1, len(counts) - low + 1)
        size = max(1, int(np.searchsorted(padded, logits // heads, side="right")))
        own = counts[low : low + size]
        blocks.append(
            Block(
                rows=slice(first, first + int(own.sum())),
                layout=make_layout(own, device),
                target=torch.from_numpy(target_2N[:, low : low + size]).to(device),
            )
        )
        low, first = low + size, first + int(own.sum())
    return blocks


def level_objective(x_PH: Tensor, blocks: Sequence[Block], l2: Sequence[float]) -> Objective:
    """Losses [G] in nats and gradients [G, H], float64, of weights [G, H] in the order (strength, head)."""
    n = sum(block.target.shape[1] for block in blocks)
    strength = torch.tensor(l2, dtype=torch.float64, device=x_PH.device).repeat_interleave(2)

    def objective(w_GH: Tensor) -> tuple[Tensor, Tensor]:
        w = w_GH.to(x_PH.dtype)[None]
        losses, gradients = strength / 2 * w_GH.square().sum(dim=1), strength[:, None] * w_GH
        for block in blocks:
            target = block.target.repeat(len(l2), 1)
            share = torch.full(target.shape, 1 / n, dtype=x_PH.dtype, device=x_PH.device)
            own = losses_and_gradients(x_PH[None, block.rows], w, block.layout, target, share)
            losses, gradients = losses + own[0][0].double(), gradients + own[1][0].double()
        return losses, gradients

    return objective


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


def solution_rows(params: LbfgsParams, level: int, solution: Solution) -> Rows:
    """How the problems of one level were solved; they are in the order (strength, head)."""
    rows, squares = [], solution.w.square().sum(dim=1).tolist()
    keys = [(l2, head) for l2 in params.l2 for head in HEADS]
    for g, (l2, head) in enumerate(keys):
        objective = float(solution.loss[g])
        rows.append(
            {
                "level": level,
                "l2": l2,
                "head": head,
                "loss": objective - l2 / 2 * squares[g],
                "objective": objective,
                "gradient": float(solution.gradient[g]),
                "iterations": int(solution.iterations[g]),
                "converged": bool(solution.converged[g]),
            }
        )
    return rows
