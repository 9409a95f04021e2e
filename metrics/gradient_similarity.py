"""How alike gradients are, for all pairs from one Gram matrix (Sankararaman et al., arXiv:1904.06963).

Gradients come in blocks of their coordinates, so that no more than a block need be in memory.

Dimensions: n gradients, P coordinates, b coordinates of a block, Q = n (n - 1) / 2 pairs i < j, row-major.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

PIECE = 1 << 16  # coordinates that are added up in the blocks' own precision; the pieces are added up in float64
LEAST_FOR_SPREAD = 3  # gradients: without one of them there must still be a pair


@dataclass(frozen=True)
class Grams:
    """Inner products of n gradients, float64 [n, n]."""

    plain: np.ndarray
    """g_i . g_j."""
    centred: np.ndarray
    """(g_i - c) . (g_j - c), where c is the mean gradient: distances from it keep the digits that gradients which are
    nearly equal would lose in the plain one."""


def grams(blocks: Iterable[Tensor]) -> Grams:
    """The Gram matrices of gradients that come as blocks [n, b] of coordinates.

    Products are made in the precision of the blocks (on CUDA TF32 must be off), at most `PIECE` coordinates at a time,
    and added up in float64. A gradient that is not finite spoils its own row and column only.

    Raises:
        ValueError: no blocks, or blocks of different numbers of gradients.
    """
    plain = centred = None
    for block in blocks:
        if block.ndim != 2 or (plain is not None and len(plain) != len(block)):
            first = "" if plain is None else f" after blocks of {len(plain)} gradients"
            raise ValueError(f"a block of shape {tuple(block.shape)}{first}; give [gradients, coordinates]")
        if plain is None or centred is None:
            plain = torch.zeros(len(block), len(block), dtype=torch.float64, device=block.device)
            centred = plain.clone()
        for piece in block.split(PIECE, dim=1):
            plain += piece @ piece.T
            finite = torch.isfinite(piece.sum(1))
            apart = piece - piece[finite].mean(0) if bool(finite.any()) else piece
            centred += apart @ apart.T
    if plain is None or centred is None:
        raise ValueError("there are no blocks; give at least one")
    return Grams(plain=plain.cpu().numpy(), centred=centred.cpu().numpy())


def pairs(n: int) -> tuple[np.ndarray, np.ndarray]:
    """i [Q] and j [Q] of all pairs i < j, row-major."""
    return np.triu_indices(n, 1)


def cosines(gram: np.ndarray) -> np.ndarray:
    """K_ij / sqrt(K_ii K_jj) [Q], in [-1, 1]; NaN where a gradient is zero or not finite."""
    i, j = pairs(len(gram))
    with np.errstate(invalid="ignore", divide="ignore"):
        norms = np.sqrt(np.diag(gram))
        return np.clip(gram[i, j] / norms[i] / norms[j], -1.0, 1.0)


def dots(gram: np.ndarray) -> np.ndarray:
    """K_ij [Q]."""
    return gram[pairs(len(gram))]


def distances(gram: np.ndarray) -> np.ndarray:
    """sqrt(K_ii + K_jj - 2 K_ij) [Q], of the plain or (keeping more digits) the centred Gram matrix.

    From float32 products a distance is known to about 3e-4 of the gradients' lengths (their distances from the mean
    gradient, if centred); below that it is rounding.
    """
    i, j = pairs(len(gram))
    squares = np.diag(gram)
    with np.errstate(invalid="ignore"):
        return np.sqrt(np.maximum(squares[i] + squares[j] - 2 * gram[i, j], 0.0))


@dataclass(frozen=True)
class Spread:
    """A statistic over pairs, and its standard error."""

    value: float
    error: float
    """By the jackknife over gradients; NaN where there is none."""


def pair_statistics(values_Q: np.ndarray, n: int) -> dict[str, Spread]:
    """Minimum, median, mean and share of negative ones of a similarity over pairs; values that are NaN are left out.

    Pairs share gradients, so that n (n - 1) / 2 is no sample size. The standard errors of means (the share is one)
    leave out one gradient with all its pairs at a time: sqrt((m - 1) / m * sum_g (t_g - mean t)^2) over the m gradients
    that have a pair. The jackknife says nothing of a minimum or a median.

    Raises:
        ValueError: another number of values than of pairs.
    """
    count = n * (n - 1) // 2
    if values_Q.shape != (count,):
        raise ValueError(f"{values_Q.shape} values for {n} gradients, which have {count} pairs")
    known = np.isfinite(values_Q)
    few = values_Q[known]
    if not few.size:
        return {name: Spread(np.nan, np.nan) for name in ("min", "median", "mean", "negative_share")}
    negative = (values_Q < 0).astype(float)
    return {
        "min": Spread(float(few.min()), np.nan),
        "median": Spread(float(np.median(few)), np.nan),
        "mean": Spread(float(few.mean()), _jackknife(values_Q, known, n)),
        "negative_share": Spread(float((few < 0).mean()), _jackknife(negative, known, n)),
    }


def _jackknife(values_Q: np.ndarray, known_Q: np.ndarray, n: int) -> float:
    total, counts = np.zeros((n, n)), np.zeros((n, n))
    at = tuple(index[known_Q] for index in pairs(n))
    total[at], counts[at] = values_Q[known_Q], 1
    own, own_counts = (x.sum(0) + x.sum(1) for x in (total, counts))  # of the pairs of each gradient
    there = own_counts > 0
    if there.sum() < LEAST_FOR_SPREAD:
        return float("nan")
    left = counts.sum() - own_counts[there]
    if not left.all():  # all pairs have one gradient in common
        return float("nan")
    means = (total.sum() - own[there]) / left
    m = len(means)
    return float(np.sqrt((m - 1) / m * np.square(means - means.mean()).sum()))
