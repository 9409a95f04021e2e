"""Which attention heads of two models do alike: L1 costs between their maps, and the best one-to-one assignment.

After Kao & Lee 2021 (tasks/transfer/README.md 6). A map has a row for each query, a distribution over keys; the cost of
two maps is the mean over query rows of the L1 distance of the rows, twice the total variation and so from 0 (equal) to
2 (nowhere alike).

Dimensions: B samples, T tokens with padding, n tokens of one sample, a heads of the second model, b of the first,
m = min(a, b) pairs.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from torch import Tensor

# Differences held at a time: on a CPU 4 MB of float32, which stay in its cache (half the time of cdist with p=1 at
# T = 512, whose float32 sums are also off by 3e-5); on a GPU enough for one kernel a sample.
CPU_ELEMENTS, GPU_ELEMENTS = 1 << 20, 1 << 26


def head_costs(
    first_BbTT: Tensor,
    second_BaTT: Tensor,
    lengths_B: ArrayLike,
    *,
    special: bool = True,
    legacy_padding: bool = False,
) -> np.ndarray:
    """Cost of every pair of heads of each sample, [B, a, b] in float64.

    Rows and columns of padding are left out, and the sum over the n valid rows is divided by n. Memory beside the maps
    is bounded (`CPU_ELEMENTS`, `GPU_ELEMENTS`), whatever B and T are. NaN where a map has a value that is not finite.

    Args:
        first_BbTT: maps of the first model, rows queries and columns keys, padding behind.
        second_BaTT: maps of the second, which may have another number of heads.
        lengths_B: n, the two special tokens at both ends included.
        special: whether the first and the last of the n tokens count. Without them n - 2 rows and columns are left,
            which are not scaled up to 1: a head that looks at special tokens alone costs nothing. NaN if none is left.
        legacy_padding: as published, the sum over all T x T entries, not divided by anything.

    Raises:
        ValueError: maps of different samples or tokens, or lengths outside 1 … T.
    """
    B, T = first_BbTT.shape[0], first_BbTT.shape[-1]
    lengths = np.asarray(lengths_B)
    square = all(maps.ndim == 4 and maps.shape[-2:] == (T, T) for maps in (first_BbTT, second_BaTT))
    if not square or len(second_BaTT) != B or lengths.shape != (B,):
        shapes = f"{tuple(first_BbTT.shape)}, {tuple(second_BaTT.shape)} and {lengths.shape}"
        raise ValueError(f"maps and lengths of the shapes {shapes}; give [B, heads, T, T] twice and [B], B and T alike")
    if B and not (lengths.min() >= 1 and lengths.max() <= T):
        raise ValueError(f"lengths from {lengths.min()} to {lengths.max()}; maps of {T} tokens have 1 to {T}")
    if legacy_padding and not special:
        raise ValueError("legacy_padding sums over all tokens; leave special on")
    costs = np.full((B, second_BaTT.shape[1], first_BbTT.shape[1]), np.nan)
    for i in range(B):
        n = int(lengths[i])
        inside = slice(None) if legacy_padding else slice(0, n) if special else slice(1, n - 1)
        rows = T if legacy_padding else n if special else n - 2
        if rows > 0:
            block = _block_sums(first_BbTT[i, :, inside, inside], second_BaTT[i, :, inside, inside])
            costs[i] = block / (1 if legacy_padding else rows)
    return costs


def _block_sums(first_bnn: Tensor, second_ann: Tensor) -> np.ndarray:
    """Sums [a, b] of |second - first|, in chunks of query rows; chunks in the maps' type, their sum in float64."""
    (b, n, _), a = first_bnn.shape, len(second_ann)
    held = CPU_ELEMENTS if first_bnn.device.type == "cpu" else GPU_ELEMENTS
    step = max(1, held // (a * b * n))
    total = torch.zeros(a, b, dtype=torch.float64, device=first_bnn.device)
    for start in range(0, n, step):
        rows = slice(start, start + step)
        total += (second_ann[:, None, rows] - first_bnn[:, rows]).abs_().sum((2, 3))
    return total.cpu().numpy()


@dataclass(frozen=True)
class Matching:
    """One-to-one pairs of heads, as many as the smaller model has; -1 where a cost was not finite."""

    second: np.ndarray
    """[..., m]: heads of the second model, ascending."""
    first: np.ndarray
    """[..., m]: the head of the first that each is matched with."""
    total: np.ndarray
    """[...]: sum of the costs of the pairs, the smallest possible; NaN where a cost was not finite."""


def match_heads(cost: ArrayLike) -> Matching:
    """The one-to-one assignment of smallest total for costs [..., a, b] (Hungarian method)."""
    costs = np.asarray(cost, dtype=np.float64)
    (*lead, a, b), m = costs.shape, min(costs.shape[-2:])
    flat = costs.reshape(-1, a, b)
    second, first = np.full((2, len(flat), m), -1, dtype=np.int64)
    total = np.full(len(flat), np.nan)
    for i, matrix in enumerate(flat):
        if np.isfinite(matrix).all():
            second[i], first[i] = linear_sum_assignment(matrix)
            total[i] = matrix[second[i], first[i]].sum()
    return Matching(second.reshape(*lead, m), first.reshape(*lead, m), total.reshape(lead))


def total_of(cost: ArrayLike, matching: Matching) -> np.ndarray:
    """The sum [...] of other costs [..., a, b] over the pairs of one matching; NaN if it has none."""
    costs = np.asarray(cost, dtype=np.float64)
    if (matching.first < 0).any():
        return np.full(costs.shape[:-2], np.nan)
    return costs[..., matching.second, matching.first].sum(-1)


def shuffled_heads(cost: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd [...] of the total under a one-to-one assignment drawn uniformly, exactly (costs [..., a, b]).

    With a = b = h the mean is sum C / h and the variance sum d^2 / (h - 1), where d is C minus its row and column means
    plus its mean (Hoeffding 1951, A combinatorial central limit theorem, theorem 2). A model with fewer heads is filled
    up with heads of no cost, under which the pairs are again uniform. One assignment alone has sd 0.

    This is where one matching lies that knows nothing of the heads. The smallest of all totals lies below it even
    between unrelated models, so that (total - mean) / sd compares one pair of models with another, and is no test; a
    matching made on other samples (`cross_fitted`) has no such advantage.
    """
    costs = np.asarray(cost, dtype=np.float64)
    a, b = costs.shape[-2:]
    h = max(a, b)
    square = np.zeros((*costs.shape[:-2], h, h))
    square[..., :a, :b] = costs
    mean = square.sum((-2, -1)) / h
    centred = square - square.mean(-1, keepdims=True) - square.mean(-2, keepdims=True)
    centred += square.mean((-2, -1), keepdims=True)
    return mean, np.sqrt(np.square(centred).sum((-2, -1)) / max(h - 1, 1))


def cross_fitted(sums_2ab: ArrayLike, counts_2: ArrayLike) -> float:
    """Mean total over samples in two folds, each matched by the mean cost of the other fold.

    Says whether the heads of two models correspond: a matching of one sample's own costs fits that sample alone.

    Args:
        sums_2ab: sums of the costs of the samples of each fold, [2, a, b].
        counts_2: samples of each fold; NaN is returned if one has none.
    """
    sums, counts = np.asarray(sums_2ab, dtype=np.float64), np.asarray(counts_2)
    if (counts < 1).any():
        return float("nan")
    return float(sum(total_of(sums[1 - fold], match_heads(sums[fold])) for fold in (0, 1)) / counts.sum())


def bug_totals(cost_Nab: ArrayLike, matching: Matching) -> np.ndarray:
    """Totals [N] as published: sum over pairs (a, p(a)) and all b of C[sample a, head p(a), b].

    The published code leaves out the sample's index, so that heads index samples and all heads of the first model are
    added. About h times too large, and almost the same for all samples.

    Args:
        cost_Nab: costs of all samples, or of the first m of them, which are all that is looked at.
        matching: of all samples, [N, m].

    Raises:
        ValueError: fewer samples than heads, or models of different numbers of heads: the published code fails there.
    """
    costs = np.asarray(cost_Nab, dtype=np.float64)
    a, b = costs.shape[1:]
    if a != b or len(costs) < a:
        raise ValueError(
            f"published totals of {len(costs)} samples with {a} and {b} heads; they need as many heads on both sides, "
            "and at least as many samples as heads"
        )
    over_first_Na = costs[:a].sum(-1)
    totals = over_first_Na[matching.second, matching.first].sum(-1)
    return np.where((matching.first < 0).any(-1), np.nan, totals)
