"""The stage `representation_similarity`: both encoders read the same proteins once, and only moments are kept.

Published were the states of 1000 positions, two proteins of localization, with dropout in two of three models (README
5). Here every position of every protein adds to sums whose size does not grow; where they do not fit into memory,
levels of the first encoder are taken in groups, one pass over the proteins each. What a level's features need is
prepared once and serves all its pairs; a draw of independent data with one level of the second encoder serves all
levels of the first that have the same rank.

Dimensions: B proteins of a batch, T tokens, N rows (positions of all proteins of a batch), L levels, H features.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metrics.moments import CrossMoments, empty_moments, moments_bytes, update_bytes
from metrics.similarity import Level, prepare, similarities
from metrics.similarity_null import IndependentDraw, draw_independent
from orchestrator.experiment import Context
from tasks.training.numerics import exact_numerics, synchronise, usable_bytes
from tasks.training.seeds import numpy_stream
from tasks.transfer.comparison.sides import ProteinBatch, Side, forward, open_here, open_pair, protein_batches
from tasks.transfer.representation_similarity.stages import METRICS, SimilarityParams

LARGEST_BATCH = 32
"""Proteins; beyond this padding grows and nothing is gained."""
Rows = list[dict[str, Any]]
Group = tuple[list[int], list[int]]
"""Levels of the first encoder and of the second, all of which are compared."""


def similarity(params: SimilarityParams, context: Context) -> dict[str, Rows]:
    """Rows of all tables for one pair of encoders (README 5).

    The proteins are in `context.needs["proteins"]`.

    Raises:
        ValueError: as `open_pair`; an encoder has none of the levels asked for; or the moments of one pair of levels or
            the states of one protein do not fit into memory.
    """
    with exact_numerics(), torch.inference_mode():
        first, second = open_pair(params, context)
        longest = int(open_here(params, context).lengths.max()) + 2
        usable = usable_bytes(context)
        passes = groups(params, first, second, usable // 2)
        size = 1 if params.legacy_dropout else batch_size(params, first, second, longest, usable // 2)
        work = Work(params=params, first=first, second=second, device=torch.device(context.device), longest=longest)
        comparison = Comparison(params)
        rows: Rows = []
        for group in passes:
            all_moments = work.read(protein_batches(params, context, size), group)
            clock = time.perf_counter()
            for (levels_first, levels_second), moments in zip(group, all_moments, strict=True):
                rows += comparison.rows(moments, levels_first, levels_second)
            work.compare_seconds += time.perf_counter() - clock
    cost = {
        "n_proteins": work.n_proteins,
        "n_rows": work.n_rows,
        "level_pairs": sum(len(a) * len(b) for group in passes for a, b in group),
        "data_passes": len(passes),
        "batch_size": size,
        "layer_passes": work.layer_passes,
        "moment_bytes": work.moment_bytes,
        "encoder_seconds": work.encoder_seconds,
        "moment_seconds": work.moment_seconds,
        "compare_seconds": work.compare_seconds,
    }
    return {"similarity": rows, "costs": [cost]}


def groups(params: SimilarityParams, first: Side, second: Side, budget: int) -> list[list[Group]]:
    """For each pass over the proteins the levels whose moments are summed together, within `budget` bytes.

    Raises:
        ValueError: an encoder has none of the levels asked for, or not even one level fits.
    """
    if params.compare == "last":
        return [[([first.layers], [second.layers])]]
    chosen = [
        [level for level in range(side.layers + 1) if not params.levels or level in params.levels]
        for side in (first, second)
    ]
    for side, levels in zip((first, second), chosen, strict=True):
        if not levels:
            raise ValueError(
                f"{side.role} has the levels 0 to {side.layers}, none of {params.levels}; give some of them"
            )
    if params.compare == "equal":
        return [[([level], [level]) for level in chosen[0] if level in chosen[1]]]
    shape = (len(chosen[1]), second.width)
    for n in range(1, len(chosen[0]) + 1):
        parts = [[int(level) for level in part] for part in np.array_split(np.array(chosen[0]), n)]
        wide = (len(parts[0]), first.width)
        needed = moments_bytes(wide, shape, shuffled=True) + update_bytes(wide, shape)
        if needed <= budget:
            return [[(part, chosen[1])] for part in parts]
    raise ValueError(
        f"the moments of one level with {shape[0]} others take {needed / 2**20:,.0f} MiB, this job may use "
        f"{budget / 2**20:,.0f} MiB for them; give the job more memory, fewer --levels, or --compare equal"
    )


def batch_size(params: SimilarityParams, first: Side, second: Side, longest: int, budget: int) -> int:
    """Proteins whose states at all levels fit, with a copy and one layer's work.

    Raises:
        ValueError: not even one does.
    """
    item = getattr(torch, params.dtype).itemsize
    each = sum(2 * (side.layers + 1) * side.width + 8 * side.width for side in (first, second)) * longest * item
    if each > budget:
        raise ValueError(
            f"the states of one protein of {longest} tokens take {each / 2**20:,.0f} MiB, this job may use "
            f"{budget / 2**20:,.0f} MiB for them; give the job more memory, or a smaller --max-length"
        )
    return min(LARGEST_BATCH, budget // each)


@dataclass(kw_only=True)
class Work:
    """One pair of encoders at work, and what that has cost so far."""

    params: SimilarityParams
    first: Side
    second: Side
    device: torch.device
    longest: int
    n_proteins: int = 0
    n_rows: int = 0
    layer_passes: int = 0
    moment_bytes: int = 0
    encoder_seconds: float = 0.0
    moment_seconds: float = 0.0
    compare_seconds: float = 0.0
    keys_T: np.ndarray = field(init=False)
    """For each position a number; those of a protein in the order of their numbers are its permutation."""

    def __post_init__(self):
        self.keys_T = numpy_stream(self.params.seed, "positions").random(self.longest)

    def read(self, batches: Iterable[ProteinBatch], group: Sequence[Group]) -> list[CrossMoments]:
        """The moments of these levels, from one pass over the proteins up to the last row asked for."""
        shapes = [((len(a), self.first.width), (len(b), self.second.width)) for a, b in group]
        found = [empty_moments(a, b, shuffled=True, device=self.device) for a, b in shapes]
        self.moment_bytes = max(self.moment_bytes, sum(moments_bytes(a, b, shuffled=True) for a, b in shapes))
        left = self.params.rows
        self.n_proteins = self.n_rows = 0
        for batch in batches:
            rows_BT, order_N = self.rows_of(batch, left)
            states, seconds = forward(self.params, batch, self.first.states, self.second.states)
            self.encoder_seconds += seconds
            clock = time.perf_counter()
            for (levels_first, levels_second), moments in zip(group, found, strict=True):
                x_LNH = torch.stack([states[0][level][rows_BT] for level in levels_first])
                y_LNH = torch.stack([states[1][level][rows_BT] for level in levels_second])
                moments.update(x_LNH, y_LNH, order_N)
            synchronise(self.device)
            self.moment_seconds += time.perf_counter() - clock
            self.layer_passes += (self.first.layers + self.second.layers) * len(batch.proteins)
            self.n_proteins += int(rows_BT.any(1).sum())
            self.n_rows += len(order_N)
            if left is not None:
                left -= len(order_N)
                if left == 0:
                    break
        return found

    def rows_of(self, batch: ProteinBatch, left: int | None) -> tuple[Tensor, Tensor]:
        """Which positions [B, T] count, `left` at most, and for each of these rows [N] another of its protein."""
        used = np.zeros(tuple(batch.tokens.shape), dtype=bool)
        orders, n = [], 0
        for b, length in enumerate(int(length) for length in batch.lengths):
            start, end = (0, length) if self.params.special else (1, length - 1)
            end = end if left is None else min(end, start + left - n)
            used[b, start:end] = True
            orders.append(n + np.argsort(self.keys_T[: end - start], kind="stable"))
            n += end - start
        order = np.concatenate(orders).astype(np.int64)
        return torch.from_numpy(used).to(self.device), torch.from_numpy(order).to(self.device)


class Comparison:
    """The comparisons of one pair of encoders, whose levels come in groups."""

    def __init__(self, params: SimilarityParams):
        self.params = params
        self._how = {"ridge": params.ridge, "legacy_uncentred": params.legacy_uncentred}
        self._prepared: dict[tuple[int, int], Level] = {}

    def rows(self, moments: CrossMoments, levels_first: list[int], levels_second: list[int]) -> Rows:
        """Rows of the table `similarity` for all pairs of these levels."""
        found: Rows = []
        for j, second in enumerate(levels_second):
            y = self._level(moments, 1, j, second)
            pairs = [(i, first, self._level(moments, 0, i, first)) for i, first in enumerate(levels_first)]
            nulls = self._nulls(second, y, {first: x for _, first, x in pairs})
            for i, first, x in pairs:
                values = similarities(x, y, moments.cross(i, j))
                shuffled = similarities(x, y, moments.cross(i, j, shuffled=True))
                size = {
                    "n_rows": moments.count,
                    "dim_first": moments.sum_first.shape[1],
                    "dim_second": moments.sum_second.shape[1],
                    "rank_first": len(x.centred.values_K),
                    "rank_second": len(y.centred.values_K),
                }
                for metric in METRICS:
                    null = np.array([draw[metric] for draw in nulls[first]])
                    row = {"level_first": first, "level_second": second, "metric": metric, "value": values[metric]}
                    row |= {
                        "null_mean": float(null.mean()) if len(null) else float("nan"),
                        "null_sd": float(null.std(ddof=1)) if len(null) > 1 else float("nan"),
                        "null_max": float(null.max()) if len(null) else float("nan"),
                        "shuffled": shuffled[metric],
                    }
                    found.append(row | size)
        return found

    def _level(self, moments: CrossMoments, side: int, index: int, level: int) -> Level:
        """Prepared once: the moments of a level are the same in all groups that it is in."""
        if (side, level) not in self._prepared:
            scatter, mean = moments.scatter(side, index), moments.mean(side, index)
            self._prepared[side, level] = prepare(scatter, mean, moments.count, **self._how)
        return self._prepared[side, level]

    def _nulls(self, second: int, y: Level, xs: dict[int, Level]) -> dict[int, list[dict[str, float]]]:
        """The metrics of every draw for each level of the first encoder; none where a side is not finite."""
        found: dict[int, list[dict[str, float]]] = {level: [] for level in xs}
        if not y.finite:
            return found
        for draw in range(self.params.null_draws):
            drawn: dict[int, IndependentDraw] = {}
            for level, x in xs.items():
                if not x.finite:
                    continue
                rank = len(x.centred.values_K)
                if rank not in drawn:
                    random = numpy_stream(self.params.seed, "null", second, draw, rank)
                    drawn[rank] = draw_independent(rank, y, random, **self._how)
                found[level].append(similarities(x, drawn[rank].level, drawn[rank].cross(x)))
        return found
