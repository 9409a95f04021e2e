"""The two AdamW variants and the two schedules of the published runs (Inoue et al., Transient Chaos in BERT, 2022).

With m, v the moving averages, c1 = 1 - beta1^k, c2 = 1 - beta2^k at step k = 1, 2, …:

    adamw     p <- p (1 - lr wd);  p <- p - lr/c1 * m / (sqrt(v/c2) + eps)
    hf_adamw  p <- p - lr sqrt(c2)/c1 * m / (sqrt(v) + eps);  p <- p (1 - lr wd)

`hf_adamw` is the optimiser of transformers before 5.0. Both are elementwise, so heads that are stacked in one tensor
are optimised just as each alone would be; the total gradient norm is not, so heads that are trained together are
clipped one by one.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

BETAS = (0.9, 0.999)
EPS = 1e-8
LEGACY_DECAY = 0.9995  # a step, whatever the length of an epoch, as published

Optimiser = Literal["adamw", "hf_adamw"]
Schedule = Literal["legacy", "linear"]


def learning_rate(schedule: Schedule, highest: float, step: int, total: int, warmup: int = 0) -> float:
    """The learning rate of step `step` = 0, 1, …, total - 1.

    `legacy`: highest * 0.9995^step. `linear`: from zero to `highest` over `warmup` steps, then linearly to zero, which
    would be reached at step `total` (transformers' `get_linear_schedule_with_warmup`).

    Raises:
        ValueError: an unknown schedule.
    """
    if schedule == "legacy":
        return highest * LEGACY_DECAY**step
    if schedule == "linear":
        if step < warmup:
            return highest * step / max(1, warmup)
        return highest * max(0.0, (total - step) / max(1, total - warmup))
    raise ValueError(f"schedule is {schedule!r}; choose legacy or linear")


def make_optimiser(
    decayed: Iterable[Tensor],
    undecayed: Iterable[Tensor],
    kind: Optimiser,
    weight_decay: float,
    betas: tuple[float, float] = BETAS,
) -> torch.optim.AdamW:
    """An AdamW over `decayed` and `undecayed` (biases, LayerNorm gains) tensors; use `take_step` to step it.

    Other `betas` than the published ones go with `adamw` alone: `take_step` takes the old optimiser's from `BETAS`.

    Raises:
        ValueError: an unknown kind.
    """
    if kind not in ("adamw", "hf_adamw"):
        raise ValueError(f"optimiser is {kind!r}; choose adamw or hf_adamw")
    # The old optimiser decays after its update, which `take_step` does, so torch's own decay stays off for it.
    own = weight_decay if kind == "adamw" else 0.0
    groups = [{"params": list(decayed), "weight_decay": own}, {"params": list(undecayed), "weight_decay": 0.0}]
    # Fused: one pass over memory instead of ten, which is what bounds both the heads and the encoder on a CPU.
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=1.0, betas=betas, eps=EPS, fused=True)


def take_step(
    optimiser: torch.optim.AdamW,
    kind: Optimiser,
    rate: float,
    step: int,
    decayed: Iterable[Tensor],
    weight_decay: float,
) -> None:
    """Update the parameters from their gradients with learning rate `rate`, at step `step` = 0, 1, …

    torch's AdamW with eps_k = eps / sqrt(c2) is the old one without decay: lr/c1 m/(sqrt(v/c2) + eps/sqrt(c2)) =
    lr sqrt(c2)/c1 m/(sqrt(v) + eps). Its decay of the `decayed` tensors follows here.
    """
    eps = EPS if kind == "adamw" else EPS / math.sqrt(1 - BETAS[1] ** (step + 1))
    for group in optimiser.param_groups:
        group["lr"], group["eps"] = rate, eps
    optimiser.step()
    if kind == "hf_adamw" and weight_decay:
        with torch.no_grad():
            for parameter in decayed:
                parameter.mul_(1 - rate * weight_decay)


def split_decay(module: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """The trainable parameters of `module` with and without weight decay: biases and LayerNorm gains have none."""
    gains = {id(m.weight) for m in module.modules() if isinstance(m, nn.LayerNorm)}
    decayed, undecayed = [], []
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            plain = name.endswith("bias") or id(parameter) in gains
            (undecayed if plain else decayed).append(parameter)
    return decayed, undecayed


def clip_heads(gradients: Sequence[Tensor], clip: float) -> None:
    """Scale the contiguous gradients [G, …] of each head to a total norm of at most `clip`, like `clip_grad_norm_`."""
    rows = [g.flatten(1) for g in gradients]
    square_G = torch.zeros_like(rows[0][:, 0])
    for row in rows:
        # The sum over a single row is done in another order, so one head is taken twice.
        norm = (row if len(row) > 1 else torch.cat([row, row])).norm(dim=1)
        square_G = square_G + norm[: len(row)].square()
    factor_G1 = (clip / (square_G.sqrt() + 1e-6)).clamp_(max=1.0)[:, None]
    for row in rows:
        row.mul_(factor_G1)
