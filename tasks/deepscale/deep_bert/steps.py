"""One training step, and what is kept of each until it is fetched from the device.

The loss of a micro-batch is the mean cross entropy (nats) of its masked pieces plus that of its sequences' order; that
of a step is the mean over its micro-batches (dslm 4.1). The dropout of a micro-batch has its own stream, and workers
share a step's micro-batches, so that no number depends on how many they are.

Nothing waits for the device: losses and norms of steps stay there until they are fetched together. A step whose loss or
gradient norm is not finite changes no weight, nor does any later one; the optimiser's kernels look at a flag on the
device. So weights are the last finite ones when the host gets to know of it.

Dimensions: B sequences, T tokens, P masked pieces, V vocabulary.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tasks.deepscale.deep_bert.arrangement import Arrangement, total_norm
from tasks.deepscale.deep_bert.pretraining_params import PretrainParams
from tasks.deepscale.deep_bert.schedule import learning_rate
from tasks.deepscale.deep_bert.utilisation import training_flops
from tasks.deepscale.deep_bert.workers import Workers
from tasks.deepscale.pretraining_text.batches import MicroBatch
from tasks.training.dropout import dropout_stream
from tasks.training.optimisers import split_decay


@dataclass(frozen=True, kw_only=True)
class StepFacts:
    """What is known of one step, of all workers together."""

    mlm_loss: float
    order_loss: float
    tokens: float
    """Without padding."""
    positions: float
    """With padding."""
    flops: float
    gradient_norm: float
    """Before clipping."""


N_SUMS = 5  # the first fields above, which are sums over micro-batches


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """bfloat16 products where `precision` says so; else nothing."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def losses(mlm_logits_PV: Tensor, order_logits_B2: Tensor, batch: MicroBatch) -> tuple[Tensor, Tensor]:
    """Mean cross entropies of the masked pieces and of the order, at least in float32. Without a piece it is 0."""
    dtype = torch.promote_types(mlm_logits_PV.dtype, torch.float32)
    total = functional.cross_entropy(mlm_logits_PV.to(dtype), batch.labels, reduction="sum")
    return total / max(1, len(batch.labels)), functional.cross_entropy(order_logits_B2.to(dtype), batch.order)


def make_adam(model: nn.Module, params: PretrainParams) -> torch.optim.AdamW:
    """AdamW in one kernel for many tensors; no decay of biases and LayerNorms."""
    decayed, undecayed = split_decay(model)
    groups = [
        {"params": decayed, "weight_decay": params.weight_decay},
        {"params": undecayed, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups, lr=params.learning_rate, betas=(params.beta1, params.beta2), eps=params.adam_eps, fused=True
    )


class Stepper:
    """Takes the steps of one run."""

    def __init__(
        self, arrangement: Arrangement, optimiser: torch.optim.AdamW, params: PretrainParams, workers: Workers
    ):
        self.arrangement, self.optimiser = arrangement, optimiser
        self._params, self._workers = params, workers
        self._stopped = torch.zeros((), device=workers.device)  # 1 from the first step that was not finite
        self._kept: list[Tensor] = []

    def step(self, step: int, batches: Iterable[MicroBatch]) -> None:
        """Forward, backward, exchange, clip, update; nothing is fetched."""
        params, workers = self._params, self._workers
        sums = self._backward(step, batches)
        workers.total(sums)
        norm = total_norm(self.arrangement.model)
        finite = torch.isfinite(sums[0] + sums[1]) & torch.isfinite(norm)
        self._stopped = torch.maximum(self._stopped, (~finite).to(self._stopped.dtype))
        if params.clip:
            torch.nn.utils.clip_grads_with_norm_(self.arrangement.model.parameters(), params.clip, norm)
        rate = learning_rate(params.learning_rate, step, params.steps, params.warmup, params.legacy_schedule)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.found_inf = self._stopped  # pyright: ignore[reportAttributeAccessIssue]
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self._kept.append(torch.cat([sums, norm.detach().double()[None]]))

    def fetch(self) -> list[StepFacts]:
        """What happened in the steps since the last time. Waits for the device."""
        if not self._kept:
            return []
        rows = torch.stack(self._kept).tolist()
        self._kept = []
        names = [f.name for f in fields(StepFacts)]
        return [StepFacts(**dict(zip(names, row, strict=True))) for row in rows]

    def _backward(self, step: int, batches: Iterable[MicroBatch]) -> Tensor:
        """Gradients of this worker's micro-batches; returns their sums as float64 [N_SUMS], losses over all of them."""
        params, workers, arrangement = self._params, self._workers, self.arrangement
        n_micro = params.global_batch // params.micro_batch
        n_own = n_micro // workers.count
        losses_2 = torch.zeros(2, dtype=torch.float64, device=workers.device)
        tokens = positions = flops = 0.0
        done = 0
        for batch in batches:
            done += 1
            lengths_B = batch_lengths(batch)
            tokens += batch.n_tokens
            positions += batch.input_ids.numel()
            flops += training_flops(arrangement.model.config, lengths_B, len(batch.positions))
            here = batch.to(workers.device)
            stream = dropout_stream(workers.device, params.seed, "pretraining", step, batch.index)
            with stream, arrangement.last(done == n_own):
                with autocast(workers.device, params.precision):
                    logits = arrangement.call(here.input_ids, here.token_type_ids, here.mask, here.positions)
                    mlm, order = losses(*logits, here)
                ((mlm + order) / n_own).backward()  # gradients are then averaged over workers
            losses_2 += torch.stack([mlm.detach(), order.detach()]).double() / n_micro
        assert done == n_own, (done, n_own)
        counts = torch.tensor([tokens, positions, flops], dtype=torch.float64)
        return torch.cat([losses_2, counts.to(workers.device, non_blocking=True)])


def batch_lengths(batch: MicroBatch) -> Tensor:
    """Tokens of each sequence without padding, int64 [B]."""
    if batch.mask is None:
        B, T = batch.input_ids.shape
        return torch.full((B,), T)
    return batch.mask.sum(dim=1)
