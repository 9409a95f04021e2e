"""Span probes of all levels, seeds and learning rates, trained together, each as if alone (README 4, 9).

A probe is two vectors: a window's token with state h gets the start logit w_s.h and the end logit w_e.h, and a softmax
over the window's positions says where the answer starts and ends. There is no bias: a softmax does not see a shift, so
that the published one only gathers rounding noise. The probes of a level read the same states, so that their logits
are one product and their gradients, softmax - onehot times states, are another; no autograd is needed. Clipping goes by
each head's own norm and the update is elementwise, so that no probe sees the others.

Only positions in the softmax are kept: P of them in a batch, those of a window one after another in `Layout`.

Dimensions: L levels, B windows of a batch, P positions of all of them, N positions of the longest, H hidden, S seeds,
R learning rates, 2 heads (0 start, 1 end), G heads of all probes of a level.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tasks.training.seeds import stream_seed, torch_stream

BETAS = (0.9, 0.999)
EPS = 1e-8
FIRST_SD = 0.02  # the report of the published runs says 0.2; their code has this
LEVELS = 1 << 16  # of the 16 random bits that decide whether an entry is dropped


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which of P rows of states belong to which window: those of window b are start[b], start[b] + 1, …"""

    start: Tensor
    """int64 [B]."""
    window: Tensor
    """int64 [P]: the window of each row."""
    rank: Tensor
    """int64 [P]: the number of the row within its window."""
    place: Tensor
    """int64 [B, N]: the row of each position of a window, P where a window has fewer than N."""


def make_layout(counts: np.ndarray, device: torch.device | str) -> Layout:
    """The layout of windows with so many positions [B] each, 1 or more."""
    start = np.cumsum(counts) - counts
    total, longest = int(counts.sum()), np.arange(counts.max())
    window = np.repeat(np.arange(len(counts)), counts)
    place = np.where(longest < counts[:, None], start[:, None] + longest, total)
    parts = {"start": start, "window": window, "rank": np.arange(total) - start[window], "place": place}
    return Layout(**{name: torch.from_numpy(part.astype(np.int64)).to(device) for name, part in parts.items()})


def losses_and_gradients(
    x_LPH: Tensor, w_LGH: Tensor, layout: Layout, target_GB: Tensor, share_GB: Tensor
) -> tuple[Tensor, Tensor]:
    """Cross entropies [L, G] in nats, summed over the windows by their shares, and their gradients [L, G, H].

    `target_GB` is the number of the right row within its window; its value does not matter where the share is 0.
    """
    B, N = layout.place.shape
    z_LGP = torch.bmm(w_LGH, x_LPH.transpose(1, 2))
    padded = functional.pad(z_LGP, (0, 1), value=-torch.inf).index_select(-1, layout.place.flatten())
    log_sum_LGB = padded.view(*z_LGP.shape[:2], B, N).logsumexp(dim=-1)
    rows_GB = layout.start + target_GB
    right_LGB = z_LGP.gather(-1, rows_GB.expand(*z_LGP.shape[:2], B))
    losses_LG = ((log_sum_LGB - right_LGB) * share_GB).sum(dim=-1)
    dz_LGP = z_LGP.sub_(log_sum_LGB.index_select(-1, layout.window)).exp_()
    dz_LGP -= (target_GB.index_select(-1, layout.window) == layout.rank).to(dz_LGP)
    dz_LGP *= share_GB.index_select(-1, layout.window)
    return losses_LG, torch.bmm(dz_LGP, x_LPH)


def ranked_targets(
    target_2B: np.ndarray, allowed_BT: np.ndarray, class_weight_2T: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the target positions among the allowed ones of their windows int64 [2, B], and weights float64 [2, B].

    Positions are clamped to [0, T] as published; T means that the window is ignored: it has weight 0. The others weigh
    1, or as the class weights of their positions say.

    Raises:
        ValueError: a target is no allowed position, so that its probability is 0.
    """
    B, T = allowed_BT.shape
    clamped = target_2B.clip(0, T)
    used, place = clamped < T, clamped.clip(0, T - 1)
    allowed = np.take_along_axis(np.broadcast_to(allowed_BT, (2, B, T)), place[..., None], axis=2)[..., 0]
    if not (allowed | ~used).all():
        head, b = np.argwhere(used & ~allowed)[0]
        raise ValueError(
            f"the {('start', 'end')[head]} of window {b}, position {target_2B[head, b]}, is outside of [CLS] and the "
            "context; make the windows anew"
        )
    rank = (np.cumsum(allowed_BT, axis=1) - 1)[np.arange(B), place]
    weights = np.ones((2, T)) if class_weight_2T is None else class_weight_2T
    return np.where(used, rank, 0), np.where(used, np.take_along_axis(weights, place, axis=1), 0.0)


def first_weights(seed: int, levels: int, width: int) -> Tensor:
    """float32 [L, 2, H] ~ N(0, 0.02^2), out of one stream in the published order: level by level, start, end."""
    stream = torch_stream(seed, "squad_probes", "weights")
    return FIRST_SD * torch.randn(levels, 2, width, generator=stream)


@dataclass(frozen=True, kw_only=True)
class ProbeSettings:
    """How probes are trained; the fields are those of `AdamParams`."""

    learning_rates: tuple[float, ...]
    seeds: tuple[int, ...]
    dropout: float = 0.1
    clip: float = 1.0


class ProbeTrainer:
    """The probes of all levels and the published optimiser: Adam without bias correction, decay or schedule.

    m <- 0.9 m + 0.1 g, v <- 0.999 v + 0.001 g^2, w <- w - lr m / (sqrt(v) + 1e-8), after the gradient g of
    (start loss + end loss)/2 was clipped head by head.

    Dropout masks are drawn for each seed and head and shared by levels and learning rates, so that each probe alone
    has the published distribution, and learning rates are compared on the same masks.
    """

    def __init__(self, weights_LS2H: Tensor, settings: ProbeSettings):
        """`weights_LS2H`: the first weights of each seed, the same at all learning rates; they are copied."""
        rates = torch.tensor(settings.learning_rates, dtype=torch.float64)
        self.settings, self.step = settings, 0
        self.weights = weights_LS2H[:, :, None].repeat(1, 1, len(rates), 1, 1)  # [L, S, R, 2, H]
        self.rates = rates.to(self.weights)[:, None, None]
        self.m, self.v = torch.zeros_like(self.weights), torch.zeros_like(self.weights)

    def take(self, x_LPH: Tensor, layout: Layout, target_2B: Tensor, weight_2B: Tensor) -> Tensor:
        """One step on a batch: cross entropies [L, S, R, 2] before it, in nats, means over the windows.

        `target_2B` is the number of the right row within its window. `weight_2B` weighs the windows of the mean: 0 for
        those that are ignored. Where all are, the loss of that head is NaN, and only its averages decay.
        """
        L, S, R, _, H = self.weights.shape
        total_2 = weight_2B.sum(dim=1)
        share_2B = weight_2B / total_2.where(total_2 > 0, 1)[:, None]
        losses = self.weights.new_empty(L, S, R, 2)
        gradients = torch.empty_like(self.weights)
        if self.settings.dropout:
            for s, seed in enumerate(self.settings.seeds):
                for head in (0, 1):
                    self._with_dropout(x_LPH, layout, target_2B[head], share_2B[head], s, seed, head, losses, gradients)
        else:
            found = losses_and_gradients(
                x_LPH, self.weights.view(L, -1, H), layout, target_2B.repeat(S * R, 1), share_2B.repeat(S * R, 1)
            )
            losses, gradients = found[0].view(losses.shape), found[1].view(gradients.shape)
        self._update(gradients)
        return losses.masked_fill_(total_2 == 0, torch.nan)

    def _with_dropout(
        self,
        x_LPH: Tensor,
        layout: Layout,
        target_B: Tensor,
        share_B: Tensor,
        s: int,
        seed: int,
        head: int,
        losses: Tensor,
        gradients: Tensor,
    ) -> None:
        """Fill in losses and gradients of one head of one seed."""
        (L, P, H), R = x_LPH.shape, self.weights.shape[2]
        given = {"device": x_LPH.device, "dtype": x_LPH.dtype}
        mask_PH = dropout_mask(seed, head, self.step, P, H, self.settings.dropout, **given)
        target_RB, share_RB = target_B.expand(R, -1), share_B.expand(R, -1)
        # On a CPU one level at a time stays in the cache between its three uses; a GPU wants few and large products.
        many = L if x_LPH.is_cuda else 1
        dropped = torch.empty(many, P, H, **given)
        for low in range(0, L, many):
            torch.mul(x_LPH[low : low + many], mask_PH, out=dropped)
            w_LRH = self.weights[low : low + many, s, :, head]
            found = losses_and_gradients(dropped, w_LRH, layout, target_RB, share_RB)
            losses[low : low + many, s, :, head], gradients[low : low + many, s, :, head] = found

    def _update(self, g: Tensor) -> None:
        g *= 0.5  # the loss is the mean of both heads' and they share no weights
        if self.settings.clip:
            norm = torch.linalg.vector_norm(g, dim=-1, keepdim=True)
            g *= (self.settings.clip / (norm + 1e-6)).clamp_(max=1)
        self.m.mul_(BETAS[0]).add_(g, alpha=1 - BETAS[0])
        self.v.mul_(BETAS[1]).addcmul_(g, g, value=1 - BETAS[1])
        self.weights -= self.rates * self.m / (self.v.sqrt() + EPS)
        self.step += 1


def dropout_mask(
    seed: int, head: int, step: int, rows: int, width: int, p: float, *, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Inverted dropout [P, H]: 0 with probability `p`, else 1/(1 - p), from a stream of seed, head and step alone.

    CUDA draws numbers of its own, so that masks there are others than on a CPU.
    """
    names = ("squad_probes", "dropout", step, head)
    if device.type == "cuda":
        stream = torch_stream(seed, *names, device=str(device))
        kept = torch.empty(rows, width, dtype=dtype, device=device).bernoulli_(1 - p, generator=stream)
        return kept.div_(1 - p)
    kept = torch.from_numpy(kept_entries(stream_seed(seed, *names), rows, width, p))
    return kept.to(device=device, dtype=dtype).div_(1 - p)


def kept_entries(seed: int, rows: int, width: int, p: float) -> np.ndarray:
    """bool [P, H], True with probability 1 - p.

    On CPUs drawing masks is most of the published probes' training time (README 9): torch draws a Bernoulli number in
    9 ns. Here 16 random bits decide: below floor(65536 p) is dropped, above is kept, and the one value in 65,536 that
    lies on the border is decided by a uniform number, so that p is exact.
    """
    bits = np.random.SFC64(seed)
    size = rows * width
    # As little-endian on every machine, so that the same seed drops the same entries.
    words = bits.random_raw(-(-size // 4)).astype("<u8", copy=False).view("<u2")[:size]
    whole = int(p * LEVELS)
    kept = words > whole
    border = np.flatnonzero(words == whole)
    kept[border] = np.random.Generator(bits).random(len(border)) >= p * LEVELS - whole
    return kept.reshape(rows, width)
