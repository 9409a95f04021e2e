"""Agreement of many scores of the same items, whose positions differ in number: means over items, and over parts.

N items with S_i positions, U scores on one side, K on the other, P parts (sets of items).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from metrics.kendall import kendall_tau
from metrics.top_match import has_nan, largest, top_match

Metric = Literal["top5", "kendall"]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Means over the items of each part; each array is [U, K, P]."""

    mean: np.ndarray
    """NaN where no item counts."""
    items: np.ndarray
    """Items in the mean: for top5 all of the part, for kendall those where tau is defined."""
    undefined: np.ndarray
    """Items where u or v has a NaN; for kendall also where one is constant. In the mean for top5, not for kendall."""
    baseline: np.ndarray
    """Expected mean over the same items when each v is shuffled: the share of positions that match; 0 for kendall."""


def agreements(
    u: Sequence[np.ndarray],
    v: Sequence[np.ndarray],
    lengths: np.ndarray,
    parts: np.ndarray,
    metric: Metric,
    *,
    memory_bytes: int = 1 << 28,
    device: str = "cpu",
) -> Agreement:
    """A(u, v) of every u with every v (tasks/attention/README.md 3).

    Items of equal length are compared together, without padding. A block of items is read at a time, so flat arrays may
    be mapped files of any size.

    Args:
        u: flat numbers [sum of lengths] of each score that supplies the argmax.
        v: those that supply the ranking.
        lengths: [N] positions of each item, 1 or more.
        parts: bool [P, N], the items of each part.
        memory_bytes: for one block of items and its comparison.

    Raises:
        ValueError: an item without positions, or arrays whose sizes do not go together.
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    parts = np.asarray(parts, dtype=bool)
    _check(u, v, lengths, parts)
    shape = (len(u), len(v), len(parts))
    sums, baselines = np.zeros(shape), np.zeros(shape)
    items, undefined = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    if u and v:
        for rows, u_nUS, v_nKS in _groups(u, v, lengths, memory_bytes):
            value, chance, known = _compare(u_nUS, v_nKS, metric, device)
            inside = parts[:, rows]
            counts = inside.sum(axis=1)
            defined = np.einsum("pn,nuk->ukp", inside.astype(float), known.astype(float)).round().astype(np.int64)
            undefined += counts - defined
            items += defined if metric == "kendall" else counts
            sums += np.einsum("pn,nuk->ukp", inside.astype(float), value)
            baselines += np.einsum("pn,nk->kp", inside.astype(float), chance)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Agreement(mean=sums / items, items=items, undefined=undefined, baseline=baselines / items)


def _check(u: Sequence[np.ndarray], v: Sequence[np.ndarray], lengths: np.ndarray, parts: np.ndarray) -> None:
    if lengths.ndim != 1 or parts.ndim != 2 or parts.shape[1] != len(lengths):
        raise ValueError(f"parts of shape {parts.shape} and lengths of shape {lengths.shape}; expected [P, N] and [N]")
    if np.any(lengths < 1):
        raise ValueError(f"item {int(np.argmax(lengths < 1))} has no position; an item needs one at least")
    total = int(lengths.sum())
    for name, scores in (("u", u), ("v", v)):
        for number, flat in enumerate(scores):
            if flat.shape != (total,):
                raise ValueError(f"{name}[{number}] has the shape {flat.shape}; the items have {total} positions")


def _groups(
    u: Sequence[np.ndarray], v: Sequence[np.ndarray], lengths: np.ndarray, memory_bytes: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Item numbers [n], u [n, U, S] and v [n, K, S], all items of a group with the same number of positions."""
    scores = [*u, *v]
    width = max(flat.dtype.itemsize for flat in scores) * len(scores)
    block = max(1, memory_bytes // (4 * width))  # positions: the block, a group's copy of it, its comparison's, sorted
    pairs = max(1, memory_bytes // (4 * 8 * 4 * len(u) * len(v)))  # items: values, tau, masks
    ends = np.cumsum(lengths)
    start = 0
    while start < len(lengths):
        first = int(ends[start] - lengths[start])
        stop = max(start + 1, int(np.searchsorted(ends, first + block, side="right")))
        held = np.stack([flat[first : int(ends[stop - 1])] for flat in scores])
        places = ends[start:stop] - lengths[start:stop] - first
        for length in np.unique(lengths[start:stop]):
            same = np.flatnonzero(lengths[start:stop] == length)
            for at in range(0, len(same), pairs):
                rows = same[at : at + pairs]
                both = held[:, places[rows][:, None] + np.arange(length)].transpose(1, 0, 2)
                yield rows + start, both[:, : len(u)], both[:, len(u) :]
        start = stop


def _compare(
    u_nUS: np.ndarray, v_nKS: np.ndarray, metric: Metric, device: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values [n, U, K] (0 where kendall is undefined), baselines [n, K], and where they are defined, bool [n, U, K]."""
    if metric == "kendall":
        tau = kendall_tau(u_nUS, v_nKS, device)
        known = ~np.isnan(tau)
        return np.where(known, tau, 0.0), np.zeros((len(v_nKS), v_nKS.shape[1])), known
    match, chance = top_match(u_nUS, v_nKS, largest(u_nUS.shape[-1]))
    gaps_nU1, gaps_n1K = _gaps(u_nUS)[:, :, None], _gaps(v_nKS)[:, None, :]
    return match.astype(float), chance, gaps_nU1 + gaps_n1K == 0


def _gaps(rankings: np.ndarray) -> np.ndarray:
    """How many positions of each ranking are NaN [n, rankings]."""
    if not has_nan(rankings):
        return np.zeros(rankings.shape[:2], dtype=np.int64)
    return np.count_nonzero(np.isnan(rankings), axis=-1)
