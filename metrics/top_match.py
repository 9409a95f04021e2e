"""Top-p match of many pairs of rankings at once: whether the argmax of one is among the largest of the other.

n items of equal length, U rankings of an item on one side, K on the other, S positions of a ranking.
"""

import numpy as np


def largest(positions: int, percent: int = 5) -> int:
    """k: how many of the positions are the top percent, rounded up; in integers, so that no rounding enters."""
    return (percent * positions + 99) // 100


def top_match(u_nUS: np.ndarray, v_nKS: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether j = argmax u (the first on ties) has fewer than k positions i with v_i > v_j, and what chance gives.

    Fewer than k positions are larger than v_j exactly where v_j is at least the k-th largest of v, so that one
    partition of each v serves all u (tasks/attention/README.md 3). A NaN in u is its argmax (the first such position);
    a NaN in v is larger than nothing and has nothing larger: it matches. Both are as published.

    Returns:
        match: bool [n, U, K].
        baseline: float64 [n, K], the expected match after a random permutation of v: the share of positions that would
            match, k / S without ties.

    Raises:
        ValueError: u and v differ in items or positions, there is no position, or k is less than 1.
    """
    if u_nUS.ndim != 3 or v_nKS.ndim != 3 or u_nUS.shape[::2] != v_nKS.shape[::2] or not u_nUS.shape[-1]:
        raise ValueError(
            f"u of shape {u_nUS.shape} and v of shape {v_nKS.shape}; expected [n, U, S] and [n, K, S] with S of 1 or "
            "more"
        )
    if k < 1:
        raise ValueError(f"k is {k}; give 1 or more")
    positions = u_nUS.shape[-1]
    undefined_nKS = np.isnan(v_nKS) if has_nan(v_nKS) else None
    known_nKS = v_nKS if undefined_nKS is None else np.where(undefined_nKS, -np.inf, v_nKS)
    place = max(0, positions - k)
    threshold_nK1 = np.partition(known_nKS, place, axis=-1)[..., place : place + 1]
    fine_nKS = known_nKS >= threshold_nK1
    if undefined_nKS is not None:
        fine_nKS |= undefined_nKS
    argmax_nU = u_nUS.argmax(axis=-1)
    match_nKU = np.take_along_axis(fine_nKS, argmax_nU[:, None, :], axis=-1)
    return match_nKU.transpose(0, 2, 1), np.count_nonzero(fine_nKS, axis=-1) / positions


def has_nan(values: np.ndarray) -> bool:
    """Whether any value is NaN, in one pass without a mask."""
    return bool(values.size) and bool(np.isnan(np.min(values)))
