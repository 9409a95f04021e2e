"""Least-squares readouts of states over windows of layers, all windows from sums over layers.

One linear map W (with intercept) reads the states of all layers t in a window [i1, i1 + L) and all examples: example i
shall give y_it = sum_c w_ic curve_c[t - i1]. Its normal equations need, of each layer, only the mean, the scatter
C_t = sum_i (x_it - mu_t)(x_it - mu_t)^T and the class sums sum_i w_ic (x_it - mu_t). The window's scatter is the sum
of the layers' and of the scatter between their means; for a given start it grows layer by layer, so every length costs
one addition and one Cholesky decomposition instead of a decomposition of all states.

Conditioning is that of the squared states. So sums are float64 and centred, features are scaled to unit variance, and
where the condition number of the scaled scatter exceeds `MAX_CONDITION` the window gets the min-norm solution of
`metrics.least_squares`, which says what counts as constant.

Dimensions: N examples, L layers (of a window: its length), H features, F = H + 1 (the constant comes last), C curves,
K = 2 outputs, S starts, W lengths.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from metrics.layer_sums import LayerSums, growing_scatters, layer_means
from metrics.least_squares import SOLVERS, Problems, constant_directions, solve_cholesky, solve_eigen

MAX_CONDITION = 1e12
"""Largest condition number of the scaled scatter that is left to Cholesky."""


@dataclass(frozen=True, kw_only=True)
class WindowSolutions:
    """The readouts of all windows (start, length)."""

    starts: tuple[int, ...]
    lengths: tuple[int, ...]
    weights_SWKF: Tensor
    """Coefficients of the features, then the constant."""
    condition_SW: Tensor
    """Condition number of the scaled scatter as `solve_cholesky` estimates it; infinite where that is of no use."""
    rank_SW: Tensor
    """Independent features, the constant included; int64."""
    solver_SW: Tensor
    """Index into `metrics.least_squares.SOLVERS`; int64."""


def solve_windows(
    sums: LayerSums,
    starts: Sequence[int],
    curves: Sequence[Tensor],
    *,
    resolution: float = 0.0,
    max_condition: float = MAX_CONDITION,
) -> WindowSolutions:
    """The least-squares readouts of all windows.

    Args:
        sums: of the training states.
        starts: first layers of the windows.
        curves: for each length n, ascending, the targets [C, n, K] of that many layers.
        resolution: directions in which the states vary less than this share of their root mean square count as
            constant; float32 states are rounded to 1.2e-7 of themselves.
        max_condition: beyond it the min-norm solution; 0: always.

    Raises:
        ValueError: no examples, lengths not ascending, or windows that leave the layers of `sums`.
    """
    lengths = tuple(curve.shape[1] for curve in curves)
    width, longest = sums.shift_LH.shape[1], lengths[-1]
    _check_windows(sums, tuple(starts), lengths)
    like = sums.shift_LH
    share_C = sums.weights_C / sums.count
    mean_LH = layer_means(sums)
    classes_LCH = sums.classes_LCH - share_C[:, None] * sums.total_LH[:, None]
    coefficients, aim_WK = _coefficients([curve.to(like) for curve in curves], share_C)
    shape = (len(starts), len(lengths))
    out = WindowSolutions(
        starts=tuple(starts),
        lengths=lengths,
        weights_SWKF=like.new_empty(*shape, coefficients.shape[-1], width + 1),
        condition_SW=like.new_empty(*shape),
        rank_SW=torch.empty(*shape, dtype=torch.int64, device=like.device),
        solver_SW=torch.empty(*shape, dtype=torch.int64, device=like.device),
    )
    length_W = torch.tensor(lengths, dtype=like.dtype, device=like.device)
    for s, start in enumerate(starts):
        window = slice(start - sums.first, start - sums.first + longest)
        from_first = mean_LH[window] - mean_LH[window][0]
        rows = torch.cat([classes_LCH[window], sums.count * from_first[:, None]], dim=1)
        right_WKH = torch.einsum("wjck,jch->wkh", coefficients, rows)
        centre_WH = mean_LH[window][0] + from_first.cumsum(0)[length_W.long() - 1] / length_W[:, None]
        constant = _Constant(sums=sums, start=start, longest=longest, resolution=resolution)
        for a, grown in growing_scatters(sums, start, longest):
            here = [w for w, length in enumerate(lengths) if a < length <= a + len(grown)]
            if not here:
                continue
            scatter = grown if len(here) == len(grown) else grown[[lengths[w] - 1 - a for w in here]]
            problems = Problems(
                scatter_WHH=scatter,
                right_WKH=right_WKH[here],
                centre_WH=centre_WH[here],
                aim_WK=aim_WK[here],
                floor_W=_floor(scatter, centre_WH[here], sums.count * length_W[here], resolution),
            )
            solved = _solve(problems, constant, max_condition)
            for all_windows, value in zip(
                (out.weights_SWKF, out.condition_SW, out.rank_SW, out.solver_SW), solved, strict=True
            ):
                all_windows[s, here] = value
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


@dataclass(kw_only=True)
class _Constant:
    """What is constant in the longest window from a start, and so in all of them; found when first asked for.

    States with rounding fix these directions to that rounding only, so that other lengths shift solutions by as much.
    """

    sums: LayerSums
    start: int
    longest: int
    resolution: float
    found: list[Tensor] = field(default_factory=list)

    def directions(self) -> Tensor:
        """An orthonormal basis [H, Q]."""
        if not self.found:
            window = slice(self.start - self.sums.first, self.start - self.sums.first + self.longest)
            centre = layer_means(self.sums)[window].mean(0)
            *_, (_, grown) = growing_scatters(self.sums, self.start, self.longest)
            rows = torch.tensor(float(self.sums.count * self.longest))
            floor = _floor(grown[-1], centre, rows, self.resolution)
            self.found.append(constant_directions(grown[-1], float(floor)))
        return self.found[0]


def _floor(scatter: Tensor, centre: Tensor, rows: Tensor, resolution: float) -> Tensor:
    """The scatter of a direction in which `rows` states vary by `resolution` of their root mean square."""
    squares = rows * centre.square().sum(-1) + scatter.diagonal(dim1=-2, dim2=-1).sum(-1)
    return resolution**2 * squares / centre.shape[-1]


def _solve(problems: Problems, constant: _Constant, max_condition: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Coefficients [W, K, F], condition, rank and solver [W]: by Cholesky, with what is constant filled up, or eigen.

    The constant directions are sought when plain Cholesky first fails for a start, and then tried first: nearly always
    they are those that a LayerNorm leaves, in all windows.
    """
    width, outputs = problems.centre_WH.shape[1], problems.aim_WK.shape[1]
    weights = problems.right_WKH.new_empty(len(problems.right_WKH), outputs, width + 1)
    condition = torch.full_like(weights[:, 0, 0], float("inf"))
    solver = torch.full_like(condition, SOLVERS.index("eigen"), dtype=torch.int64)
    rank = torch.empty_like(solver)
    left = torch.arange(len(weights), device=weights.device)
    for name in ("deflated", "cholesky") if constant.found else ("cholesky", "deflated"):
        null_HQ = constant.directions() if name == "deflated" and len(left) and max_condition > 0 else None
        if not len(left) or (name == "deflated" and (null_HQ is None or not 0 < null_HQ.shape[1] < width)):
            continue
        weights[left], condition[left] = solve_cholesky(problems[left], null_HQ)
        rank[left] = width + 1 - (0 if null_HQ is None else null_HQ.shape[1])
        sound = condition[left] <= max_condition  # False for NaN
        solver[left[sound]] = SOLVERS.index(name)
        left = left[~sound]
    for w in left.tolist():
        weights[w], rank[w] = solve_eigen(problems, w)
    return weights, condition, rank, solver
