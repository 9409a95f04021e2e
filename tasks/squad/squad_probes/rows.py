"""Rows of the tables that training writes, and its artifact.

Dimensions: L layers, S seeds, R learning rates, G probes a level, H hidden.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from orchestrator.experiment import Context
from tasks.squad.squad_probes.artifacts import write_probes
from tasks.squad.squad_probes.lbfgs import Solution
from tasks.squad.squad_probes.stages import AdamParams, FrozenParams, LbfgsParams
from tasks.squad.squad_probes.states import FrozenEncoder
from tasks.training.steps import is_curve_point

Rows = list[dict[str, Any]]
HEADS = ("start", "end")


@dataclass(kw_only=True)
class Curves:
    """Training curves: means of the losses since the previous point."""

    params: AdamParams
    total: int
    """Steps of the whole training."""
    rows: Rows = field(default_factory=list)
    _step: int = 0
    _since: int = 0
    _sum: Tensor | None = None

    def add(self, losses_LSR2: Tensor) -> None:
        """The cross entropies of one step."""
        mean_LSR = losses_LSR2.mean(dim=-1)
        self._sum = mean_LSR if self._sum is None else self._sum + mean_LSR
        self._step, self._since = self._step + 1, self._since + 1
        p = self.params
        if not is_curve_point(self._step - 1, self.total, p.curve_points):
            return
        point = {"step": self._step, "epoch": self._step * p.epochs / self.total}
        self.rows += [
            {"level": level, "learning_rate": rate, "seed": seed, **point, "loss": loss}
            for level, by_seed in enumerate((self._sum / self._since).tolist())
            for seed, by_rate in zip(p.seeds, by_seed, strict=True)
            for rate, loss in zip(p.learning_rates, by_rate, strict=True)
        ]
        self._sum, self._since = None, 0


def solution_rows(params: LbfgsParams, level: int, solution: Solution) -> Rows:
    """How the problems of one level were solved; they are in the order (strength, head)."""
    rows, squares = [], solution.w.square().sum(dim=1).tolist()
    keys = [(l2, head) for l2 in params.l2 for head in HEADS]
    for g, (l2, head) in enumerate(keys):
        objective = float(solution.loss[g])
        rows.append(
            {
                "level": level,
                "l2": l2,
                "head": head,
                "loss": objective - l2 / 2 * squares[g],
                "objective": objective,
                "gradient": float(solution.gradient[g]),
                "iterations": int(solution.iterations[g]),
                "converged": bool(solution.converged[g]),
            }
        )
    return rows


def artifact_directory(context: Context) -> Path:
    """Where probes are written to.

    Raises:
        ValueError: the context names no such place.
    """
    if context.artifact is None:
        raise ValueError("training writes probes: give context.artifact, an empty directory")
    return context.artifact


def keep_probes(
    params: FrozenParams,
    directory: Path,
    encoder: FrozenEncoder,
    weights: Tensor,
    probes: Sequence[dict[str, Any]],
) -> Rows:
    """Write weights [L+1, G, 2, H] into the directory; rows of the table `weights`."""
    settings = {"mode": params.mode, "revision": params.revision, "n_levels": encoder.n_levels, "width": encoder.width}
    write_probes(directory, weights, probes, settings)
    norms = weights.norm(dim=-1).tolist()
    return [
        {"level": level, **probe, "head": head, "norm": norms[level][g][h]}
        for level in range(encoder.n_levels)
        for g, probe in enumerate(probes)
        for h, head in enumerate(HEADS)
    ]


def cost_row(encoder: FrozenEncoder, n_windows: int, n_probes: int, probe_seconds: float) -> dict[str, Any]:
    """The row of the table `costs`."""
    return {
        "n_windows": n_windows,
        "n_probes": n_probes,
        "n_levels": encoder.n_levels,
        "layer_passes": encoder.layer_passes,
        "encoder_seconds": encoder.seconds,
        "probe_seconds": probe_seconds,
    }
