"""Singular values of Jacobians: how far a map is from an isometry (tasks/transfer/README.md 1).

Dimensions: N matrices, M values of each, R rows, C columns.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

LOG_EDGES = np.round(np.arange(-400, 201) / 10, 1)
"""Inner edges of the bins of ln sigma, 0.1 wide from -40 to 20; one more bin below and one above take the rest."""


def singular_values(blocks: Tensor, budget_bytes: int) -> Tensor:
    """Singular values [N, min(R, C)] of matrices [N, R, C] in float64, descending; NaN where an entry is not finite.

    Not by the eigenvalues of J J^T, which lose half of the digits of the small ones.

    Args:
        budget_bytes: memory to work in, which decides how many matrices are decomposed at once; at least one is.
    """
    N, R, C = blocks.shape
    found = blocks.new_full((N, min(R, C)), torch.nan, dtype=torch.float64)
    at_once = max(1, int(budget_bytes // (4 * 8 * R * C)))  # a copy, and what the decomposition works in
    finite = torch.isfinite(blocks.amax((1, 2))) & torch.isfinite(blocks.amin((1, 2)))
    for rows in finite.nonzero()[:, 0].split(at_once):
        found[rows] = torch.linalg.svdvals(blocks[rows].double())
    return found


def spectrum(values: np.ndarray, nulls: int) -> dict[str, float | int]:
    """Statistics of singular values [N, M], each row descending, without the `nulls` smallest of each row.

    Standard deviations are of the population; logarithms are natural and of values above 0 (`n_zero` are not);
    isometry is the mean of (sigma - 1)^2; null_max is the largest of the values left out (NaN if none is).

    Raises:
        ValueError: no more than `nulls` values a row, or no row.
    """
    kept, dropped = _split(values, nulls)
    flat = kept.ravel()
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(flat[~(flat == 0)])
    return {
        "sigma_max": float(flat.max()),
        "mean": float(flat.mean()),
        "sd": float(flat.std()),
        "median": float(np.median(flat)),
        "mean_log": float(logs.mean()) if len(logs) else np.nan,
        "sd_log": float(logs.std()) if len(logs) else np.nan,
        "min": float(flat.min()),
        "null_max": float(dropped.max()) if dropped.size else np.nan,
        "isometry": float(np.square(flat - 1).mean()),
        "n_zero": int((flat == 0).sum()),
        "n_not_finite": int((~np.isfinite(flat)).sum()),
    }


def log_counts(values: np.ndarray, nulls: int) -> np.ndarray:
    """How many values fall into each bin of ln sigma, int64 [len(LOG_EDGES) + 1]; not finite ones into none.

    Zeros are in the lowest bin. A bin holds its lower edge. The `nulls` smallest of each row are left out.
    """
    flat = _split(values, nulls)[0].ravel()
    flat = flat[np.isfinite(flat)]
    with np.errstate(divide="ignore"):
        bins = np.searchsorted(LOG_EDGES, np.log(flat), side="right")
    return np.bincount(bins, minlength=len(LOG_EDGES) + 1)


def bin_edges(bins: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends of these bins, -inf and inf at the outer ones."""
    edges = np.concatenate([[-np.inf], LOG_EDGES, [np.inf]])
    return edges[np.asarray(bins)], edges[np.asarray(bins) + 1]


def _split(values: np.ndarray, nulls: int) -> tuple[np.ndarray, np.ndarray]:
    N, M = values.shape
    if not N or nulls >= M:
        raise ValueError(f"{N} x {M} singular values, {nulls} of each row are left out: nothing remains")
    return values[:, : M - nulls], values[:, M - nulls :]
