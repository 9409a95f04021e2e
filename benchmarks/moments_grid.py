"""Grid points one after another in the published way, and together as built. Part of `benchmarks/moments.py`.

Dimensions: B trials, T tokens, D features.
"""

import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from metrics.token_moments import token_moments, token_sums
from tasks.deepscale.component_moments import operations
from tasks.deepscale.component_moments.canonical import sizes_of, uses, widths
from tasks.deepscale.component_moments.config import Component, Effort, Point, points
from tasks.deepscale.component_moments.moments import scaled
from tasks.deepscale.component_moments.simulation import simulate

Row = tuple[str, float, float, float]
NAMES = ("x_mean", "x_var", "x_cov", "g_var", "g_cov")
MOST_Z = 5.0
ONE_ROUND = Effort(target=0.0, most=1)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A cut of one component's published grid."""

    component: Component
    axes: dict[str, tuple[float, ...]]
    trials: int
    most: int | None = None

    @property
    def grid(self) -> list[Point]:
        found = [point for point, _ in points(self.component, {}, beyond=False) if self._inside(point)]
        return found[:: max(1, len(found) // self.most)] if self.most else found

    def _inside(self, point: Point) -> bool:
        return all(point[name] in values for name, values in self.axes.items())


def plain_point(component: Component, point: Point, trials: int, seed: int) -> tuple[dict[str, float], list[Tensor]]:
    """The moments of one point in the published way, and the draws that they are of: x, g, weights, mask."""
    torch.manual_seed(seed)
    sizes = sizes_of(point)
    T, (d_in, d_out) = sizes["L"], widths(component, sizes)
    x = _tokens(point["sigma_x"], point["r_x"], T, trials, d_in) + point.get("mu", 0.0)
    g = _tokens(point["sigma_g"], point["r_g"], T, trials, d_out)
    others = _weights(component, point, trials)
    x.requires_grad_()
    y = _graph(component, x, others)
    (y * g).sum().backward()
    assert x.grad is not None
    mean, var, cov = _matrix_moments(y.detach())
    _, g_var, g_cov = _matrix_moments(x.grad)
    return dict(zip(NAMES, (mean, var, cov, g_var, g_cov), strict=True)), [x.detach(), g, *others]


def _tokens(sigma: float, r: float, T: int, trials: int, D: int) -> Tensor:
    """[B, T, D] from the T x T covariance."""
    covariance = sigma**2 * (torch.full((T, T), r) + (1 - r) * torch.eye(T))
    return MultivariateNormal(torch.zeros(T), covariance).sample((trials, D)).transpose(1, 2).contiguous()


def _weights(component: Component, point: Point, trials: int) -> list[Tensor]:
    if component != "attention":
        return []
    d, dk, T, p = int(point["d"]), int(point["dk"]), int(point["L"]), point["p"]
    spreads = (point["sigma_qk"], point["sigma_qk"], point["sigma_v"])
    found = [torch.randn(trials, d, dk) * spread / d**0.5 for spread in spreads]  # fresh, so that both laws are one
    return [*found, (torch.rand(trials, T, T) >= p).float() / (1 - p)]


def _graph(component: Component, x: Tensor, others: list[Tensor]) -> Tensor:
    if component == "relu":
        return torch.relu(x)
    if component == "layernorm":
        return torch.nn.functional.layer_norm(x, x.shape[-1:])
    query, key, value, mask = others
    scores = (x @ query) @ (x @ key).mT / query.shape[-1] ** 0.5
    return (scores.softmax(-1) * mask) @ (x @ value)


def _matrix_moments(y_BTD: Tensor) -> tuple[float, float, float]:
    """Mean, variance, and the mean off-diagonal element of the T x T sample covariance."""
    mean, square = y_BTD.double().mean(), y_BTD.double().square().mean()
    T = y_BTD.shape[1]
    matrix = torch.cov(y_BTD.transpose(0, 1).flatten(1).double())
    return float(mean), float(square - mean**2), float((matrix.sum() - matrix.trace()) / (T * (T - 1)))


def same_draws(component: Component, held: Sequence[Tensor]) -> dict[str, float]:
    """The moments of these draws as built: without graph and matrix."""
    x, g, *others = (value[None] for value in held)
    operation = {"relu": operations.relu, "layernorm": operations.layernorm}.get(component)
    if operation is None:
        query, key, value, mask = others
        operation = operations.attention(query, key, value, mask[:, :, None])
    y, back = operation(x)
    found = (*token_moments(token_sums(y)), *token_moments(token_sums(back(g)))[1:])
    return {name: float(value) for name, value in zip(NAMES, found, strict=True)}


def as_built(case: Case) -> list[dict[str, Any]]:
    """The estimates of every grid point."""
    used = [uses(case.component, point) for point in case.grid]
    simulations = list(dict.fromkeys(use.simulation for several in used for use in several))
    with torch.inference_mode():
        measured = simulate(simulations, case.trials, ONE_ROUND, device=torch.device("cpu"), budget=1 << 30)
    known = dict(zip(simulations, measured, strict=True))
    return [scaled(several, known) for several in used]


def plain(case: Case) -> list[tuple[dict[str, float], list[Tensor], float]]:
    """Moments, draws (of the first point alone) and seconds of every grid point."""
    found = []
    for number, point in enumerate(case.grid):
        clock = time.process_time()
        moments, held = plain_point(case.component, point, case.trials, number)
        found.append((moments, held if number == 0 else [], time.process_time() - clock))
    return found


def measure(case: Case) -> list[Row]:
    """Rows: all grid points, and those of them that are a simulation of their own, as if nothing were shared."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    small = Case(component=case.component, axes=case.axes, trials=2, most=1)
    plain(small)  # libraries load when first used
    as_built(small)
    clock = time.process_time()
    ours = as_built(case)
    seconds = time.process_time() - clock
    theirs = plain(case)
    torch.set_num_threads(threads)
    _check_law(case, ours, [moments for moments, _, _ in theirs])
    moments, held, _ = theirs[0]
    again = same_draws(case.component, held)
    root = {name: moments["x_var" if name.startswith("x") else "g_var"] for name in NAMES}
    apart = max(abs(again[name] - moments[name]) / root[name] for name in NAMES)
    first = {uses(case.component, point)[0].simulation: at for at, point in reversed(list(enumerate(case.grid)))}
    grown = " against ".join(f"{_grown(function, case):,.0f} MB" for function in (_one_plain, _one_built))
    sizes = " ".join(f"{name}={size}" for name, size in sizes_of(case.grid[0]).items())
    what = f"{case.component}, {sizes}, {case.trials} trials"
    whole = f"{what}: {len(case.grid)} grid points; one takes {grown}"
    rows = [(whole, sum(each[2] for each in theirs), seconds, apart)]
    if len(first) < len(case.grid):
        alone = sum(theirs[at][2] for at in first.values())
        rows.append((f"{what}: {len(first)} of these, which no scaling makes of others", alone, seconds, apart))
    return rows


def _check_law(case: Case, ours: Sequence[dict[str, Any]], theirs: Sequence[dict[str, float]]) -> None:
    """End the program unless both ways' moments agree: the errors of both are those of ours, as trials are equal."""
    for point, own, other in zip(case.grid, ours, theirs, strict=True):
        for name in NAMES:
            value, error = own[name]
            scale = abs(own["x_var" if name.startswith("x") else "g_var"].value)
            z = abs(value - other[name]) / np.hypot(2**0.5 * error, 1e-6 * scale + 1e-30)
            if name != "x_mean" and not z < MOST_Z:
                sys.exit(f"{case.component} {point} {name}: {value:.6g} and {other[name]:.6g} are {z:.1f} errors apart")


def _grown(function: Callable[[Case], object], case: Case) -> float:
    """Megabytes by which a fresh process grows while it does one point."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (function, case))


def _peak(function: Callable[[Case], object], case: Case) -> float:
    torch.set_num_threads(1)
    function(Case(component=case.component, axes=case.axes, trials=2, most=1))
    before = _high_water()
    function(case)
    return _high_water() - before


def _high_water() -> float:
    """Megabytes that this process has held at most; what getrusage says begins at the parent's."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def _one_plain(case: Case) -> object:
    return plain_point(case.component, case.grid[0], case.trials, 0)


def _one_built(case: Case) -> object:
    one = uses(case.component, case.grid[0])[0].simulation
    with torch.inference_mode():
        return simulate([one], case.trials, ONE_ROUND, device=torch.device("cpu"), budget=1 << 30)
