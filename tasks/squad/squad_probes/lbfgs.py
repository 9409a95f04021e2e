"""L-BFGS for many independent smooth problems at once (Nocedal & Wright, Numerical Optimization, algorithms 7.4, 7.5).

The two-loop recursion, the step length and the stopping are each problem's own, done for all by one vectorised
operation; what is shared is one evaluation of all losses and gradients a trial. Step lengths satisfy the weak Wolfe
conditions, found by bisection and doubling (Lewis & Overton, Nonsmooth optimization via quasi-Newton methods, 2013,
algorithm 2.6). Where two losses differ by less than their rounding, the slope decides instead (the approximate Wolfe
condition of Hager & Zhang, 2005). A problem that has converged stays where it is.

Dimensions: G problems, H unknowns each, M remembered steps.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Objective = Callable[[Tensor], tuple[Tensor, Tensor]]
"""w [G, H] -> losses [G] and gradients [G, H]; problem g depends on row g alone."""

REMEMBERED = 10
DECREASE, CURVATURE = 1e-4, 0.9
TRIALS = 40


@dataclass(frozen=True, kw_only=True)
class Solution:
    """Where each problem stopped."""

    w: Tensor
    """[G, H]."""
    loss: Tensor
    """[G]."""
    gradient: Tensor
    """[G]: the largest absolute entry."""
    iterations: Tensor
    """int64 [G]."""
    converged: Tensor
    """bool [G]: whether `gradient` came down to the tolerance."""


def minimise(
    objective: Objective, w_GH: Tensor, *, tolerance: float, max_iterations: int, rounding: float = 1e-12
) -> Solution:
    """Minimise each problem from its row of `w_GH` until no entry of its gradient is larger than `tolerance`.

    `rounding` is the relative error of a loss. A problem that no step improves, from a fresh start either, stops there
    without having converged.

    Raises:
        ValueError: a loss or gradient at the first point is not finite.
    """
    w, (loss, g) = w_GH.clone(), objective(w_GH)
    bad = ~(loss.isfinite() & g.isfinite().all(dim=1))
    if bad.any():
        raise ValueError(f"loss or gradient of problem {int(bad.nonzero()[0])} is not finite at the first point")
    G, H = w.shape
    s_MGH, y_MGH = w.new_zeros(REMEMBERED, G, H), w.new_zeros(REMEMBERED, G, H)
    rho_MG = w.new_zeros(REMEMBERED, G)  # 0: nothing is remembered there
    iterations = torch.zeros(G, dtype=torch.int64, device=w.device)
    active, scale = _largest(g) > tolerance, _first_scale(g)
    for _ in range(max_iterations):
        if not active.any():
            break
        d = _direction(g, s_MGH, y_MGH, rho_MG, scale)
        uphill = active & ~((d * g).sum(dim=1) < 0)  # by rounding
        d = torch.where(uphill[:, None], -g * _first_scale(g)[:, None], d)
        d = d.masked_fill(~active[:, None], 0)
        alpha, new_loss, new_g, found = _step_lengths(objective, w, loss, g, d, active, rounding)
        fresh = (rho_MG == 0).all(dim=0)
        lost = active & ~found
        rho_MG = rho_MG.masked_fill(lost | uphill, 0)
        scale = torch.where(lost | uphill, _first_scale(g), scale)
        s, y = alpha[:, None] * d, torch.where(found[:, None], new_g - g, 0)
        sy, yy = (s * y).sum(dim=1), y.square().sum(dim=1)
        useful = found & (sy > 1e-12 * s.norm(dim=1) * y.norm(dim=1)) & (sy > 0)
        s_MGH, y_MGH = torch.cat([s_MGH[1:], s[None]]), torch.cat([y_MGH[1:], y[None]])
        rho_MG = torch.cat([rho_MG[1:], torch.where(useful, 1 / sy.where(useful, 1), 0)[None]])
        scale = torch.where(useful, sy / yy.where(useful, 1), scale)
        w, loss, g = w + s, torch.where(found, new_loss, loss), torch.where(found[:, None], new_g, g)
        iterations += found
        active = active & (found | ~fresh) & (_largest(g) > tolerance)
    largest = _largest(g)
    return Solution(w=w, loss=loss, gradient=largest, iterations=iterations, converged=largest <= tolerance)


def _largest(g_GH: Tensor) -> Tensor:
    return g_GH.abs().amax(dim=1)


def _first_scale(g_GH: Tensor) -> Tensor:
    """Nothing is known of the curvature yet: a first step of length 1, or |g| where that is shorter."""
    return 1 / g_GH.norm(dim=1).clamp(min=1.0)


def _direction(g: Tensor, s_MGH: Tensor, y_MGH: Tensor, rho_MG: Tensor, scale_G: Tensor) -> Tensor:
    """Minus the approximate inverse Hessian times the gradient [G, H] (the two-loop recursion, algorithm 7.4)."""
    q, alphas = g.clone(), []
    for s, y, rho in zip(s_MGH.flip(0), y_MGH.flip(0), rho_MG.flip(0), strict=True):
        alphas.append(rho * (s * q).sum(dim=1))
        q -= alphas[-1][:, None] * y
    r = scale_G[:, None] * q
    for s, y, rho, alpha in zip(s_MGH, y_MGH, rho_MG, reversed(alphas), strict=True):
        r += (alpha - rho * (y * r).sum(dim=1))[:, None] * s
    return -r


def _step_lengths(
    objective: Objective, w: Tensor, loss: Tensor, g: Tensor, d: Tensor, active: Tensor, rounding: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Step lengths [G] along `d`, loss and gradient there, and where one was found; 0 and the old ones elsewhere."""
    slope = (d * g).sum(dim=1)
    alpha, low = active.to(w), torch.zeros_like(loss)
    high = torch.full_like(loss, torch.inf)
    taken, new_loss, new_g = torch.zeros_like(loss), loss.clone(), g.clone()
    pending, found = active.clone(), torch.zeros_like(active)
    for _ in range(TRIALS):
        trial_loss, trial_g = objective(w + alpha[:, None] * d)
        trial_slope = (trial_g * d).sum(dim=1)
        lower = trial_loss <= loss + DECREASE * alpha * slope
        level = (trial_loss <= loss + rounding * loss.abs()) & (trial_slope <= (2 * DECREASE - 1) * slope)
        descended = lower | level
        good = pending & descended & (trial_slope >= CURVATURE * slope)
        taken, new_loss = torch.where(good, alpha, taken), torch.where(good, trial_loss, new_loss)
        new_g = torch.where(good[:, None], trial_g, new_g)
        found, pending = found | good, pending & ~good
        if not pending.any():
            break
        high = torch.where(pending & ~descended, alpha, high)
        low = torch.where(pending & descended, alpha, low)
        alpha = torch.where(pending, torch.where(high.isinf(), 2 * alpha, (low + high) / 2), taken)
    return taken, new_loss, new_g, found
