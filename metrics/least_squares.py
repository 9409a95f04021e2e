"""Least squares with a constant, from scatter matrices: Cholesky where it is sound, min-norm where it is not.

For features x with mean m and targets y with mean a the scatter C = sum (x - m)(x - m)^T and the right side
b = sum (x - m) y^T give the slope C^-1 b and the intercept a - slope m. That squares the condition number of the
states, so nothing can be said of directions in which they vary less than sqrt(H * 2.2e-16) of the widest one (5e-7 at
H = 1024). Such directions, and those in which they vary less than the caller's floor (the rounding of the states),
count as constant, and the solution is the one of least norm over slope and intercept, which is what least squares of
the states themselves gives where they do not vary at all.

States that come out of a LayerNorm with gain g and bias b always have such a direction: sum_h (x_h - b_h) / g_h = 0.

Dimensions: W problems, H features, F = H + 1 (the constant comes last), K outputs, Q constant directions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

SOLVERS = ("cholesky", "deflated", "eigen")
"""Cholesky; Cholesky after known constant directions were filled up; eigendecomposition."""


@dataclass(frozen=True, kw_only=True)
class Problems:
    """W least-squares problems of one shape."""

    scatter_WHH: Tensor
    right_WKH: Tensor
    centre_WH: Tensor
    """Means of the features."""
    aim_WK: Tensor
    """Means of the targets."""
    floor_W: Tensor
    """Scatter below which a direction counts as constant; 0: only what cannot be told from rounding of the scatter."""

    def __getitem__(self, at: Tensor) -> "Problems":
        parts = {name: getattr(self, name)[at] for name in self.__dataclass_fields__}
        return Problems(**parts)


def constant_directions(scatter_HH: Tensor, floor: float) -> Tensor:
    """An orthonormal basis [H, Q] of the directions that count as constant."""
    values, vectors = torch.linalg.eigh(scatter_HH)
    return vectors[:, values <= _least(values[-1:], len(values), floor)]


def solve_cholesky(problems: Problems, null_HQ: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Coefficients [W, K, F] and, of the scatter scaled to unit diagonal, the estimated condition |R|_F |R^-1|_2 [W].

    The condition is infinite where the coefficients are of no use: the scatter is not positive definite, some direction
    is below the floor, or one of `null_HQ` is not constant. These directions are filled up before, and the solution is
    the min-norm one.
    """
    scatter, right = problems.scatter_WHH, problems.right_WKH
    diagonal = scatter.diagonal(dim1=1, dim2=2).clamp(min=0)
    sound = torch.ones(len(scatter), dtype=torch.bool, device=scatter.device)
    if null_HQ is not None:
        left_over = ((scatter @ null_HQ) * null_HQ).sum(1).amax(1)
        sound = left_over <= _least(diagonal.amax(1), diagonal.shape[1], problems.floor_W)
        scatter = scatter + diagonal.mean(1)[:, None, None] * (null_HQ @ null_HQ.T)
        right = right - right @ null_HQ @ null_HQ.T
        diagonal = scatter.diagonal(dim1=1, dim2=2).clamp(min=0)
    scale = torch.where(diagonal > 0, diagonal, 1.0).sqrt()
    scaled = (scatter / scale[:, :, None]).div_(scale[:, None])
    factor, info = torch.linalg.cholesky_ex(scaled)
    # Inverse iteration for the least eigenvalues of the scaled and of the unscaled scatter. Each solve reads the
    # factors, which is what takes the time, so the right sides share the first.
    at = torch.arange(1, scale.shape[1] + 1, dtype=scaled.dtype, device=scaled.device)
    probe = torch.stack([torch.cos(2.399963 * at), torch.cos(1.324718 * at * at)], dim=1)  # scattered, never random
    probe = torch.cat([probe.expand(len(scaled), -1, -1), probe / scale[:, :, None]], dim=2)
    slope_WHK, probe = torch.cholesky_solve(torch.cat([(right / scale[:, None]).mT, probe], dim=2), factor).split(
        [right.shape[1], 4], dim=2
    )
    unscaled = probe[:, :, 2:] / scale[:, :, None]
    probe = torch.cat([probe[:, :, :2], unscaled / scale[:, :, None]], dim=2)
    norms = torch.cat([probe[:, :, :2].norm(dim=1), unscaled.norm(dim=1)], dim=1)
    probe = torch.cholesky_solve(probe, factor)
    grown = torch.cat([probe[:, :, :2].norm(dim=1), (probe[:, :, 2:] / scale[:, :, None]).norm(dim=1)], dim=1) / norms
    sound &= (info == 0) & (1 / grown[:, 2:].amax(1) >= problems.floor_W)
    condition = torch.where(sound, scaled.flatten(1).norm(dim=1) * grown[:, :2].amax(1), float("inf"))
    return _with_intercept(slope_WHK.mT / scale[:, None], problems, null_HQ), condition


def solve_eigen(problems: Problems, w: int) -> tuple[Tensor, int]:
    """The min-norm coefficients [K, F] of problem `w`, and the number of independent features with the constant."""
    values, vectors = torch.linalg.eigh(problems.scatter_WHH[w])
    keep = values > _least(values[-1:], len(values), float(problems.floor_W[w]))
    v_HR = vectors[:, keep]
    slope_KH = (problems.right_WKH[w] @ v_HR / values[keep]) @ v_HR.T
    one = problems[torch.tensor([w], device=values.device)]
    return _with_intercept(slope_KH[None], one, vectors[:, ~keep])[0], int(keep.sum()) + 1


def _least(widest: Tensor, features: int, floor: Tensor | float) -> Tensor:
    """The scatter up to which a direction counts as constant, where that of the widest one is `widest`."""
    return torch.clamp(features * torch.finfo(widest.dtype).eps * widest, min=0).maximum(
        torch.as_tensor(floor, dtype=widest.dtype, device=widest.device)
    )


def _with_intercept(slope_WKH: Tensor, problems: Problems, null_HQ: Tensor | None) -> Tensor:
    """Slopes and intercepts [W, K, F]; with constant directions those of least norm.

    The rows [x, 1] span the other directions and [centre, 1]. So the least norm has slope + a rest with the intercept
    a, where rest is the part of the centre in the constant directions, and a is fixed by the mean target.
    """
    centre_WH, aim_WK = problems.centre_WH, problems.aim_WK
    if null_HQ is None:
        intercept_WK = aim_WK - (slope_WKH @ centre_WH[:, :, None])[:, :, 0]
    else:
        slope_WKH = slope_WKH - slope_WKH @ null_HQ @ null_HQ.T
        rest_WH = centre_WH @ null_HQ @ null_HQ.T
        intercept_WK = aim_WK - (slope_WKH @ centre_WH[:, :, None])[:, :, 0]
        intercept_WK = intercept_WK / (1 + rest_WH.square().sum(1, keepdim=True))
        slope_WKH = slope_WKH + intercept_WK[:, :, None] * rest_WH[:, None]
    return torch.cat([slope_WKH, intercept_WK[:, :, None]], dim=2)
