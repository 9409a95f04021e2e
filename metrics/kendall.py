"""Kendall's tau-b of many pairs of rankings at once, exact with ties.

n items of equal length, U rankings of an item on one side, K on the other, S positions of a ranking.
"""

import warnings

import numpy as np
import torch
from scipy import stats
from torch import Tensor

LONG = 1000
"""Positions from which SciPy's O(S log S) way is faster on a CPU than signs of all S^2/2 pairs, for one u. The signs of
a v serve all u, so that several u move it up by the root of their number."""
_EXACT = 5792
"""Positions whose pairs float32 can count: S^2/2 < 2^24."""
_CELLS = 1 << 19  # values of one block of v: blocks of 2 MB stay in a processor's cache, where signs are made fastest


def kendall_tau(u_nUS: np.ndarray, v_nKS: np.ndarray, device: str = "cpu", long: int = LONG) -> np.ndarray:
    """Tau-b of every u with every v of the same item, float64 [n, U, K].

    (concordant - discordant) / sqrt((n0 - n1) (n0 - n2)), n0 = S (S - 1) / 2 pairs, n1 and n2 of them tied in u and in
    v (Kendall 1945; tasks/attention/README.md 3). NaN where u or v is constant, has a NaN, or has one position.
    Infinities rank beyond all numbers and tie with each other.

    The signs of u's pairs are computed once and multiplied with those of all v: pairs d positions apart are one slice
    less another, so that a diagonal of the matrix of pairs is one product of matrices. Counts are integers below 2^24,
    which float32 adds without error; longer rankings go to SciPy, pair by pair.

    Raises:
        ValueError: u and v differ in items or positions.
    """
    if u_nUS.ndim != 3 or v_nKS.ndim != 3 or u_nUS.shape[::2] != v_nKS.shape[::2]:
        raise ValueError(f"u of shape {u_nUS.shape} and v of shape {v_nKS.shape}; expected [n, U, S] and [n, K, S]")
    n, positions = u_nUS.shape[::2]
    shape = (n, u_nUS.shape[1], v_nKS.shape[1])
    if 0 in shape or positions < 2:
        return np.full(shape, np.nan)
    if positions >= min(long * np.sqrt(shape[1]), _EXACT):
        return _one_by_one(u_nUS, v_nKS)
    tau = np.empty(shape)
    step = max(1, _CELLS // (positions * shape[2]))
    for start in range(0, n, step):
        part = slice(start, start + step)
        tau[part] = _by_signs(_tensor(u_nUS[part], device), _tensor(v_nKS[part], device)).cpu().numpy()
    return tau


def _tensor(values: np.ndarray, device: str) -> Tensor:
    """The values; those of a ranking with infinities as dense ranks, since inf - inf is no number."""
    infinite = np.isinf(values).any(axis=-1)
    if infinite.any():
        values = values.copy()
        values[infinite] = stats.rankdata(values[infinite], method="dense", axis=-1)  # NaN stays NaN
    return torch.from_numpy(np.ascontiguousarray(values)).to(device)


def _by_signs(u_nUS: Tensor, v_nKS: Tensor) -> Tensor:
    positions = u_nUS.shape[-1]
    score = torch.zeros(u_nUS.shape[0], u_nUS.shape[1], v_nKS.shape[1], device=u_nUS.device)
    for apart in range(1, positions):
        u_signs = (u_nUS[..., apart:] - u_nUS[..., :-apart]).sign_().float()
        v_signs = (v_nKS[..., apart:] - v_nKS[..., :-apart]).sign_().float()
        score.baddbmm_(u_signs, v_signs.transpose(1, 2))
    untied_u, untied_v = _untied(u_nUS)[:, :, None], _untied(v_nKS)[:, None, :]
    tau = score.double() / untied_u.sqrt() / untied_v.sqrt()
    return torch.where((untied_u > 0) & (untied_v > 0), tau.clamp(-1, 1), torch.nan)


def _untied(rankings: Tensor) -> Tensor:
    """Pairs of positions with different values, float64 [n, rankings]; 0 for a ranking with a NaN."""
    ordered = _sorted(rankings)
    positions = ordered.shape[-1]
    pairs = positions * (positions - 1) / 2
    fresh = torch.ones_like(ordered, dtype=torch.bool)
    fresh[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    if fresh.all():  # no ties anywhere: the usual case
        earlier = torch.zeros(rankings.shape[:2], dtype=torch.float64, device=rankings.device)
    else:
        place = torch.arange(positions, device=rankings.device).expand(ordered.shape)
        start = torch.where(fresh, place, 0).cummax(dim=-1).values  # of the run of equal values that a value is in
        earlier = (place - start).sum(dim=-1).double()
    return torch.where(rankings.isnan().any(dim=-1), 0.0, pairs - earlier)


def _sorted(rankings: Tensor) -> Tensor:
    """Each ranking in rising order, NaN last; on a CPU by NumPy, several times faster than torch for short ones."""
    if rankings.is_cpu:
        return torch.from_numpy(np.sort(rankings.numpy(), axis=-1))
    return rankings.sort(dim=-1).values


def _one_by_one(u_nUS: np.ndarray, v_nKS: np.ndarray) -> np.ndarray:
    tau = np.full((u_nUS.shape[0], u_nUS.shape[1], v_nKS.shape[1]), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # constant input: NaN is what is asked for
        for item, a, b in np.ndindex(tau.shape):
            tau[item, a, b] = stats.kendalltau(u_nUS[item, a], v_nKS[item, b])[0]
    return tau
