"""Linear heads on frozen features: all depths and seeds trained together, each as if alone (README 3).

One step gathers the features of the batch once and is two batched matrix products over all heads. Head initialisation,
data order and dropout come from the head seed alone and are shared over depths (as in the published runs, whose seed
was fixed); clipping goes by each head's own norm; AdamW is elementwise. So a head's weights do not depend on which
others are trained beside it; on a CPU not even in their last bit.

Dimensions: D depths, S seeds, N examples, B batch, H hidden, C outputs, G = D S heads.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tasks.training.loop import data_orders, is_curve_point, n_steps
from tasks.training.optimisers import clip_heads, learning_rate, make_optimiser, take_step
from tasks.training.seeds import torch_stream
from tasks.transient_chaos.glue_depth.stages import Training

LANES = 16  # heads begin at multiples of this, see `_stacked`
MASK_DRAWS = 1 << 20  # dropout draws at a time: few calls and few copies to a GPU, yet only 4 MB


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """Training losses at one moment."""

    step: int
    """Steps done."""
    epoch: float
    learning_rate: float
    loss: Tensor
    """[D, S], mean over the steps since the previous point, on the CPU."""


@dataclass(frozen=True, kw_only=True)
class Heads:
    """Trained heads: logits = z W^T + b."""

    weight: Tensor
    """W [D, S, C, H]."""
    bias: Tensor
    """b [D, S, C]."""
    curve: tuple[CurvePoint, ...] = ()

    @torch.no_grad()
    def logits(self, z_DNH: Tensor, d: int, s: int) -> Tensor:
        """[N, C] of one head. One product a head: a wider one would round differently with the number of seeds."""
        return torch.addmm(self.bias[d, s], z_DNH[d], self.weight[d, s].T)


def head_weight(seed: int, n_outputs: int, width: int) -> Tensor:
    """W_0 [C, H], float32 on the CPU: normal with sd 0.02 cut at 2 sd (README 3); the bias starts at 0."""
    return nn.init.trunc_normal_(
        torch.empty(n_outputs, width), std=0.02, a=-0.04, b=0.04, generator=torch_stream(seed, "head")
    )


def dropout_factors(generator: torch.Generator, rows: int, width: int, dropout: float) -> Tensor:
    """[rows, H], float32 on the CPU: 0 with probability `dropout`, else 1 / (1 - dropout).

    The stream runs over all positions of all epochs, however many rows are drawn at a time; drawing on the CPU makes it
    the same on every device.
    """
    uniform = torch.rand(rows, width, generator=generator)
    return uniform.ge_(dropout).div_(1 - dropout)


def loss_and_gradient(logits_DSBC: Tensor, labels_SB: Tensor) -> tuple[Tensor, Tensor]:
    """Each head's mean loss [D, S] over its batch and the loss's gradient [D, S, B, C] to the logits.

    Classes (integer labels): cross entropy, gradient (softmax - onehot) / B. Scores (float labels, C = 1): squared
    error, gradient 2 (score - label) / B.
    """
    B = logits_DSBC.shape[2]
    if labels_SB.is_floating_point():
        error = logits_DSBC - labels_SB[..., None]
        return error.square().mean(dim=(2, 3)), error * (2 / B)
    logp = torch.log_softmax(logits_DSBC, dim=-1)
    hot = labels_SB[..., None].expand(*logits_DSBC.shape[:3], 1)
    loss = -logp.gather(3, hot).mean(dim=(2, 3))
    onehot = hot == torch.arange(logp.shape[3], device=logp.device)
    return loss, logp.exp_().sub_(onehot.to(logp.dtype)).div_(B)


@torch.no_grad()
def train_heads(
    z_DNH: Tensor,
    labels_N: Tensor,
    n_outputs: int,
    seeds: Sequence[int],
    settings: Training,
    *,
    weights: Tensor | None = None,
    orders: Iterable[Tensor] | None = None,
) -> Heads:
    """Train a head for each depth and seed.

    Args:
        z_DNH: features [D, N, H]; the heads are trained on their device and in their precision.
        labels_N: integer classes, or float scores (then C = 1 and the loss is the squared error).
        weights: instead of the seeded initialisation, W_0 [S, C, H].
        orders: instead of the seeded orders, a permutation [S, N] for each epoch.

    Raises:
        ValueError: no examples, or labels that do not fit the features or the outputs.
    """
    (D, N, H), S, C = z_DNH.shape, len(seeds), n_outputs
    labels_N = _checked_labels(labels_N, N, C).to(z_DNH.device)
    if labels_N.is_floating_point():
        labels_N = labels_N.to(z_DNH.dtype)
    if weights is None:
        weights = torch.stack([head_weight(seed, C, H) for seed in seeds])
    if orders is None:
        streams = [data_orders(seed, N, settings.epochs) for seed in seeds]
        orders = (torch.stack(epoch) for epoch in zip(*streams, strict=True))
    # [D, S, …] flattened to G = D S, the layout in which the gathered features [D, S B, H] need no copy.
    G, B = D * S, min(settings.batch_size, N)
    W_flat, b_flat, dl_flat = (_stacked(G, size, z_DNH) for size in (C * H, C, B * C))
    W, W_grad = (t[:, : C * H].view(G, C, H) for t in W_flat)
    b, b_grad = (t[:, :C].view(G, 1, C) for t in b_flat)
    dl = dl_flat[1][:, : B * C].view(G, B, C)  # the loss's gradient to the logits
    W.copy_(weights.to(z_DNH).expand(D, S, C, H).reshape(G, C, H))
    optimiser = make_optimiser([W_flat[0]], [b_flat[0]], settings.optimiser, settings.weight_decay)
    total = n_steps(N, settings.batch_size, settings.epochs)
    drops = [torch_stream(seed, "dropout") for seed in seeds] if settings.dropout else []
    # One buffer for all steps: fresh memory costs more than the gather itself (page faults; measured 34 against 2 ms).
    x = z_DNH.new_empty(D, S * B, H)
    loss_DS, since, curve, step = z_DNH.new_zeros(D, S), 0, [], 0
    for order_SN in orders:
        for index_SB, factors_SBH in _batches(order_SN.to(z_DNH.device), drops, B, settings.dropout, z_DNH):
            n = index_SB.shape[1]  # an epoch's last batch may be short; its missing rows get no gradient
            torch.index_select(z_DNH, 1, functional.pad(index_SB, (0, B - n)).reshape(-1), out=x)
            if factors_SBH is not None:
                x.view(D, S, B, H)[:, :, :n].mul_(factors_SBH)
            x_GBH = x.view(G, B, H)
            logits = torch.baddbmm(b, x_GBH, W.transpose(1, 2)).view(D, S, B, C)
            loss, gradient = loss_and_gradient(logits[:, :, :n], labels_N[index_SB])
            if n < B:
                dl.zero_()
            dl.view(D, S, B, C)[:, :, :n] = gradient
            torch.bmm(dl.transpose(1, 2), x_GBH, out=W_grad)
            torch.sum(dl, dim=1, keepdim=True, out=b_grad)
            if settings.clip:
                clip_heads((W_flat[1], b_flat[1]), settings.clip)
            rate = learning_rate(settings.schedule, settings.learning_rate, step, total, settings.warmup)
            take_step(optimiser, settings.optimiser, rate, step, (W_flat[0],), settings.weight_decay)
            loss_DS, since = loss_DS + loss, since + 1
            if is_curve_point(step, total, settings.curve_points):
                epoch = (step + 1) * settings.epochs / total
                curve.append(CurvePoint(step=step + 1, epoch=epoch, learning_rate=rate, loss=(loss_DS / since).cpu()))
                loss_DS, since = torch.zeros_like(loss_DS), 0
            step += 1
    return Heads(weight=W.detach().reshape(D, S, C, H), bias=b.detach().reshape(D, S, C), curve=tuple(curve))


def _batches(
    order_SN: Tensor, drops: Sequence[torch.Generator], B: int, dropout: float, like_DNH: Tensor
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Each seed's examples [S, B] of the epoch's steps and their dropout factors [S, B, H]; the last may be short."""
    (S, N), H = order_SN.shape, like_DNH.shape[2]
    rows = B * max(1, MASK_DRAWS // (S * B * H))
    for first in range(0, N, rows):
        chunk_SR = order_SN[:, first : first + rows]
        factors = [None] * -(-chunk_SR.shape[1] // B)
        if drops:
            drawn = torch.stack([dropout_factors(drop, chunk_SR.shape[1], H, dropout) for drop in drops])
            factors = drawn.to(like_DNH).split(B, dim=1)
        yield from zip(chunk_SR.split(B, dim=1), factors, strict=True)


def _stacked(heads: int, size: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Zeros [G, size up to a multiple of LANES] with their gradient: a parameter of all heads in one tensor.

    The fused AdamW rounds a tensor's last few elements otherwise than those that fill a vector register, and MKL may
    round a matrix otherwise that does not begin at a cache line. With every head on whole lines, and batches of one
    size (see `dl`), no head's bits depend on how many heads there are.
    """
    values = like.new_zeros(heads, -(-size // LANES) * LANES).requires_grad_()
    values.grad = torch.zeros_like(values)
    return values, values.grad


def _checked_labels(labels_N: Tensor, N: int, C: int) -> Tensor:
    if N == 0 or labels_N.shape != (N,):
        raise ValueError(f"labels of shape {tuple(labels_N.shape)} do not fit {N} examples; give [N] with N at least 1")
    if labels_N.is_floating_point():
        if C != 1:
            raise ValueError(f"scores need 1 output, not {C}; give integer labels for classes")
        return labels_N
    if C < 2 or int(labels_N.min()) < 0 or int(labels_N.max()) >= C:
        raise ValueError(f"classes {int(labels_N.min())}..{int(labels_N.max())} do not fit {C} outputs; give 0..C-1")
    return labels_N.long()
