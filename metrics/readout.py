"""Least-squares readouts of states over windows of layers, all windows from sums over layers (transient_chaos 8).

One linear map W (with intercept) reads the states of all layers t in a window [i1, i1 + L) and all examples: example i
shall give y_it = sum_c w_ic curve_c[t - i1]. Its normal equations need, of each layer, only the mean, the scatter
C_t = sum_i (x_it - mu_t)(x_it - mu_t)^T and the class sums sum_i w_ic (x_it - mu_t). The window's scatter is the sum
of the layers' and of the scatter between their means; for a given start it grows layer by layer, so every length costs
one addition and one Cholesky decomposition instead of a decomposition of all states.

Conditioning is that of the squared states. So sums are float64 and centred, features are scaled to unit variance, and
where the condition number of the scaled scatter exceeds `MAX_CONDITION` the window gets the min-norm solution by
eigendecomposition, as least squares of the states themselves would give it, except that directions with less than
H * 2.2e-16 of the largest eigenvalue count as constant (of the singular values: 5e-7 at H = 1024), since squares hold
nothing below.

Dimensions: N examples, L layers (of a window: its length), H features, F = H + 1 (the constant comes last), C curves,
K = 2 outputs, S starts, W lengths.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

MAX_CONDITION = 1e12
"""Largest condition number of the scaled scatter that is left to Cholesky."""
WORK_BYTES = 64 << 20  # of the stacks of matrices made at a time


@dataclass(kw_only=True)
class LayerSums:
    """Sums over examples for layers first, first + 1, ...; all float64. Made by `empty_sums`, filled by `add_states`.

    States are taken relative to the first example's, which keeps what is constant exactly constant.
    """

    first: int
    """Number of the first layer."""
    count: int
    """Examples added."""
    shift_LH: Tensor
    total_LH: Tensor
    """sum_i (x_i - shift)."""
    products_LHH: Tensor
    """sum_i (x_i - shift)(x_i - shift)^T."""
    classes_LCH: Tensor
    """sum_i w_ic (x_i - shift)."""
    weights_C: Tensor
    """sum_i w_ic."""


@dataclass(frozen=True, kw_only=True)
class WindowSolutions:
    """The readouts of all windows (start, length)."""

    starts: tuple[int, ...]
    lengths: tuple[int, ...]
    weights_SWKF: Tensor
    """Coefficients of the features, then the constant."""
    condition_SW: Tensor
    """Condition number of the scaled scatter, an estimate of |R|_F |R^-1|_2; infinite where Cholesky stops."""
    rank_SW: Tensor
    """Independent features, the constant included; int64."""
    fallback_SW: Tensor
    """Whether the window was solved by eigendecomposition; bool."""


def empty_sums(first: int, layers: int, width: int, curves: int, device: torch.device | str = "cpu") -> LayerSums:
    """Sums of no examples: 8 * layers * width^2 bytes and a little."""

    def zeros(*shape: int) -> Tensor:
        return torch.zeros(*shape, dtype=torch.float64, device=device)

    return LayerSums(
        first=first,
        count=0,
        shift_LH=zeros(layers, width),
        total_LH=zeros(layers, width),
        products_LHH=zeros(layers, width, width),
        classes_LCH=zeros(layers, curves, width),
        weights_C=zeros(curves),
    )


def add_states(sums: LayerSums, x_LNH: Tensor, weights_NC: Tensor) -> None:
    """Add the states [L, N, H] of some examples and their shares [N, C] of the curves.

    Raises:
        ValueError: shapes that do not fit, or states that are not finite.
    """
    layers, n, width = x_LNH.shape
    if (layers, width) != tuple(sums.shift_LH.shape) or tuple(weights_NC.shape) != (n, len(sums.weights_C)):
        raise ValueError(
            f"states {tuple(x_LNH.shape)} with shares {tuple(weights_NC.shape)} do not fit sums of "
            f"{tuple(sums.shift_LH.shape)} with {len(sums.weights_C)} curves"
        )
    if n == 0:
        return
    if not torch.isfinite(x_LNH).all():
        raise ValueError("some states are not finite; leave these examples out")
    if sums.count == 0:
        sums.shift_LH.copy_(x_LNH[:, 0])
    weights = weights_NC.to(sums.weights_C)
    step = max(1, WORK_BYTES // (8 * n * width))
    for a in range(0, layers, step):
        part = slice(a, a + step)
        x = x_LNH[part].to(sums.shift_LH) - sums.shift_LH[part, None]
        sums.total_LH[part] += x.sum(1)
        sums.products_LHH[part].baddbmm_(x.transpose(1, 2), x)
        sums.classes_LCH[part] += weights.T @ x
    sums.weights_C += weights.sum(0)
    sums.count += n


def solve_windows(
    sums: LayerSums, starts: Sequence[int], curves: Sequence[Tensor], max_condition: float = MAX_CONDITION
) -> WindowSolutions:
    """The least-squares readouts of all windows.

    Args:
        sums: of the training states.
        starts: first layers of the windows.
        curves: for each length n, ascending, the targets [C, n, K] of that many layers.
        max_condition: beyond it the min-norm solution; 0: always.

    Raises:
        ValueError: no examples, lengths not ascending, or windows that leave the layers of `sums`.
    """
    lengths = tuple(curve.shape[1] for curve in curves)
    layers, width = sums.shift_LH.shape
    _check_windows(sums, tuple(starts), lengths)
    n = sums.count
    device = sums.shift_LH.device
    share_C = sums.weights_C / n
    mean_LH = sums.shift_LH + sums.total_LH / n
    classes_LCH = sums.classes_LCH - share_C[:, None] * sums.total_LH[:, None]
    coefficients, aim_WK = _coefficients([c.to(sums.shift_LH) for c in curves], share_C)
    outputs = coefficients.shape[-1]
    out = WindowSolutions(
        starts=tuple(starts),
        lengths=lengths,
        weights_SWKF=torch.empty(len(starts), len(lengths), outputs, width + 1, dtype=torch.float64, device=device),
        condition_SW=torch.empty(len(starts), len(lengths), dtype=torch.float64, device=device),
        rank_SW=torch.empty(len(starts), len(lengths), dtype=torch.int64, device=device),
        fallback_SW=torch.empty(len(starts), len(lengths), dtype=torch.bool, device=device),
    )
    longest = lengths[-1]
    step = max(1, WORK_BYTES // (8 * width * width))
    count = torch.arange(1, longest + 1, dtype=torch.float64, device=device)[:, None]
    for s, start in enumerate(starts):
        at = start - sums.first
        mean = mean_LH[at : at + longest]
        from_first = mean - mean[0]
        running = from_first.cumsum(0) / count  # mean over the window's layers, relative to its first layer
        # Layer j moves the window's mean from running[j-1]; the scatter gains N (j-1)/j of that move, squared (Chan).
        moves = torch.zeros_like(from_first)
        moves[1:] = (from_first[1:] - running[:-1]) * (n * (1 - 1 / count[1:])).sqrt()
        rows = torch.cat([classes_LCH[at : at + longest], n * from_first[:, None]], dim=1)
        right_WKH = torch.einsum("wjck,jch->wkh", coefficients, rows)
        centre_WH = mean[0] + running[[length - 1 for length in lengths]]
        scatter = torch.zeros(width, width, dtype=torch.float64, device=device)
        for a in range(0, longest, step):
            b = min(a + step, longest)
            layer = slice(at + a, at + b)
            total = (
                sums.total_LH[layer] / n**0.5
            )  # the products are about the first example, the scatter about the mean
            left, right = torch.stack([moves[a:b], -total], dim=2), torch.stack([moves[a:b], total], dim=1)
            grown = torch.baddbmm(sums.products_LHH[layer], left, right)
            grown[0] += scatter
            for before, after in pairwise(grown.unbind()):  # several times as fast as cumsum over the first dimension
                after += before
            scatter = grown[-1].clone()
            here = [w for w, length in enumerate(lengths) if a < length <= b]
            if not here:
                continue
            ready = grown if len(here) == b - a else grown[[lengths[w] - 1 - a for w in here]]
            solved = _solve(ready, right_WKH[here], centre_WH[here], aim_WK[here], max_condition)
            for target, value in zip(
                (out.weights_SWKF, out.condition_SW, out.rank_SW, out.fallback_SW), solved, strict=True
            ):
                target[s, here] = value
    return out


def window_errors(
    solutions: WindowSolutions, curves: Sequence[Tensor], first: int, x_LNH: Tensor, weights_NC: Tensor
) -> Tensor:
    """Each example's error in each window, [S, W, N]: sum_{t,k} (output - target)^2 / sum_{t,k} target^2, no unit.

    NaN where the target is zero throughout. Outputs are made a layer at a time and never stored.

    Args:
        solutions: of `solve_windows`, for the same `curves`.
        curves: for each length the targets [C, n, K].
        first: number of the first layer in `x_LNH`.
        x_LNH: states; one product a layer and start serves all lengths.
        weights_NC: shares of the curves.
    """
    weights_SWKF = solutions.weights_SWKF
    weights_SKWF = weights_SWKF.transpose(1, 2).contiguous()
    starts, lengths = solutions.starts, solutions.lengths
    _, n, _ = x_LNH.shape
    w_NC = weights_NC.to(weights_SWKF)
    targets = [curve.to(weights_SWKF) for curve in curves]
    target_JKWN = torch.einsum("wjck,nc->jkwn", _padded(targets), w_NC).contiguous()
    errors_SWN = weights_SWKF.new_zeros(len(starts), len(lengths), n)
    ones = weights_SWKF.new_ones(n, 1)
    shortest = [sum(length <= j for length in lengths) for j in range(lengths[-1])]  # the first length that has layer j
    for t in range(min(starts), max(starts) + lengths[-1]):
        x_FN = torch.cat([x_LNH[t - first].to(weights_SWKF), ones], dim=1).T
        for s, start in enumerate(starts):
            j = t - start
            if not 0 <= j < lengths[-1]:
                continue
            error_WN = errors_SWN[s, shortest[j] :]
            for k, target_WN in enumerate(target_JKWN[j]):
                missed_WN = torch.addmm(target_WN[shortest[j] :], weights_SKWF[s, k, shortest[j] :], x_FN, beta=-1)
                error_WN.addcmul_(missed_WN, missed_WN)
    energy_WN = torch.stack([(w_NC @ target.flatten(1)).square().sum(1) for target in targets])
    errors_SWN /= energy_WN
    return errors_SWN.masked_fill_(energy_WN == 0, float("nan"))


def window_outputs(weights_KF: Tensor, x_LNH: Tensor) -> Tensor:
    """What one window's readout writes: [N, L, K] for the states [L, N, H] of its layers."""
    slope, intercept = weights_KF[:, :-1], weights_KF[:, -1]
    return (x_LNH.to(weights_KF) @ slope.T + intercept).transpose(0, 1)


def _check_windows(sums: LayerSums, starts: tuple[int, ...], lengths: tuple[int, ...]) -> None:
    if sums.count == 0:
        raise ValueError("the sums hold no examples; add states first")
    if not starts or not lengths or lengths[0] < 1 or any(a >= b for a, b in pairwise(lengths)):
        raise ValueError(f"starts are {starts}, lengths {lengths}; give some of each, lengths from 1 and ascending")
    last = sums.first + len(sums.shift_LH) - 1
    if min(starts) < sums.first or max(starts) + lengths[-1] - 1 > last:
        raise ValueError(
            f"windows from {min(starts)} to {max(starts) + lengths[-1] - 1} leave the layers {sums.first} to {last}; "
            "give smaller starts or lengths"
        )


def _padded(curves: Sequence[Tensor]) -> Tensor:
    """The curves of all lengths, [W, J, C, K], zero beyond each length; J is the longest."""
    longest = curves[-1].shape[1]
    return torch.stack([torch.nn.functional.pad(c, (0, 0, 0, longest - c.shape[1])).transpose(0, 1) for c in curves])


def _coefficients(curves: Sequence[Tensor], share_C: Tensor) -> tuple[Tensor, Tensor]:
    """What multiplies each layer's class sums and N times its mean in the right sides, [W, J, C+1, K]; mean targets."""
    mean_WJK = torch.einsum("wjck,c->wjk", _padded(curves), share_C)
    inside_WJ = torch.stack([torch.arange(curves[-1].shape[1], device=share_C.device) < c.shape[1] for c in curves]).to(
        share_C
    )
    aim_WK = mean_WJK.sum(1) / inside_WJ.sum(1)[:, None]
    centred = (mean_WJK - aim_WK[:, None]) * inside_WJ[:, :, None]
    return torch.cat([_padded(curves), centred[:, :, None]], dim=2), aim_WK


def _solve(
    scatter_WHH: Tensor, right_WKH: Tensor, centre_WH: Tensor, aim_WK: Tensor, max_condition: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Coefficients [W, K, F], condition, rank and fallback [W] for scatters with their right sides and means."""
    scale = scatter_WHH.diagonal(dim1=1, dim2=2).clamp(min=0).sqrt()
    scale = torch.where(scale > 0, scale, 1.0)
    scaled = (scatter_WHH / scale[:, :, None]).div_(scale[:, None])
    factor, info = torch.linalg.cholesky_ex(scaled)
    at = torch.arange(1, scaled.shape[1] + 1, dtype=scaled.dtype, device=scaled.device)
    probe = torch.stack([torch.cos(2.399963 * at), torch.cos(1.324718 * at * at)], dim=1)  # scattered, never random
    both = torch.cat([(right_WKH / scale[:, None]).mT, probe.expand(len(scaled), -1, -1)], dim=2)
    z_WHK, nearly_null = torch.cholesky_solve(both, factor).split([right_WKH.shape[1], 2], dim=2)
    # Two steps of inverse iteration on two vectors; each solve reads the factor, so the right sides share the first.
    nearly_null = nearly_null / nearly_null.norm(dim=1, keepdim=True)
    inverse = torch.cholesky_solve(nearly_null, factor).norm(dim=1).amax(1)
    condition = torch.where(info == 0, scaled.flatten(1).norm(dim=1) * inverse, float("inf"))
    slope = z_WHK.mT / scale[:, None]
    intercept = aim_WK - (slope @ centre_WH[:, :, None])[:, :, 0]
    weights = torch.cat([slope, intercept[:, :, None]], dim=2)
    rank = torch.full(condition.shape, weights.shape[2], device=weights.device)
    fallback = ~(condition <= max_condition)  # so written, NaN falls back too
    for w in torch.nonzero(fallback)[:, 0].tolist():
        weights[w], rank[w] = _min_norm(scatter_WHH[w], right_WKH[w], centre_WH[w], aim_WK[w])
    return weights, condition, rank, fallback


def _min_norm(scatter_HH: Tensor, right_KH: Tensor, centre_H: Tensor, aim_K: Tensor) -> tuple[Tensor, int]:
    """The least-squares solution of least norm over features and constant, [K, F], and the rank of [x, 1].

    The rows [x, 1] span the kept directions V of the centred states and [centre, 1]; so the least norm is that of
    slope = V g + a rest, intercept = a, with rest the part of the centre outside V, and a fixed by the mean target.
    """
    values, vectors = torch.linalg.eigh(scatter_HH)
    keep = values > len(values) * torch.finfo(values.dtype).eps * values[-1].clamp(min=0)
    v_HR = vectors[:, keep]
    g_RK = (v_HR.T @ right_KH.T) / values[keep, None]
    inside_R = v_HR.T @ centre_H
    rest_H = centre_H - v_HR @ inside_R
    a_K = (aim_K - inside_R @ g_RK) / (1 + rest_H @ rest_H)
    slope_KH = (v_HR @ g_RK).T + a_K[:, None] * rest_H
    return torch.cat([slope_KH, a_K[:, None]], dim=1), int(keep.sum()) + 1
