"""One training step: its loss, learning rate and operations, and what is kept of it until fetched from the device.

The loss of a micro-batch is the mean cross entropy (nats) of its masked tokens plus that of its sequences' order; that
of a step is the mean over its micro-batches, as published. The dropout of a micro-batch has its own stream, and workers
share a step's micro-batches, so that no number depends on how many they are.

Nothing waits for the device: losses and norms of steps stay there until they are fetched together. A step whose loss or
gradient norm is not finite changes no weight, nor does any later one; the optimiser's kernels look at a flag on the
device. So weights are the last finite ones when the host gets to know of it.

Model-FLOPs utilisation counts the products of the model as it is defined: forward 2 operations a weight of a matrix
and token, and 4 T H a token and layer for attention's two products; backward twice that. The heads count where they are
needed: masked tokens, first tokens. Padding, recomputed layers, lookups, LayerNorms, dropout and the optimiser do not
count, so 100 % is out of reach (Chowdhery et al. 2022, appendix B, says so for PaLM).

Dimensions: B sequences, T tokens, H width, V vocabulary, P masked tokens, S tokens of a batch without padding.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.deep_bert import DeepBertConfig
from tasks.deepscale.deep_bert.arrangement import Arrangement, Workers, total_norm
from tasks.deepscale.deep_bert.stages import PretrainParams
from tasks.deepscale.pretraining_text.batches import MicroBatch
from tasks.training.numerics import dropout_stream
from tasks.training.optimisers import split_decay


@dataclass(frozen=True)
class StepFacts:
    """What is known of one step, of all workers together."""

    mlm_loss: float
    order_loss: float
    tokens: float  # without padding
    positions: float  # with padding
    flops: float
    gradient_norm: float  # before clipping


N_SUMS = 5  # the first fields above, which are sums over micro-batches


def losses(mlm_logits_PV: Tensor, order_logits_B2: Tensor, batch: MicroBatch) -> tuple[Tensor, Tensor]:
    """Mean cross entropies of the masked tokens and of the order, at least in float32. Without a token it is 0."""
    dtype = torch.promote_types(mlm_logits_PV.dtype, torch.float32)
    total = functional.cross_entropy(mlm_logits_PV.to(dtype), batch.labels, reduction="sum")
    return total / max(1, len(batch.labels)), functional.cross_entropy(order_logits_B2.to(dtype), batch.order)


def make_adam(model: nn.Module, params: PretrainParams) -> torch.optim.AdamW:
    """AdamW in one kernel for many tensors; no decay of biases and LayerNorms."""
    decayed, undecayed = split_decay(model)
    groups = [{"params": decayed, "weight_decay": params.weight_decay}, {"params": undecayed, "weight_decay": 0.0}]
    betas = params.beta1, params.beta2
    return torch.optim.AdamW(groups, lr=params.learning_rate, betas=betas, eps=params.adam_eps, fused=True)


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
        return [StepFacts(*row) for row in rows]

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
                with torch.autocast(workers.device.type, torch.bfloat16, enabled=params.precision == "bf16"):
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


def learning_rate(highest: float, step: int, total: int, warmup: float, legacy: bool = False) -> float:
    """The learning rate of step `step` = 0, 1, …, total - 1.

    With w = warmup * total (not rounded), published: highest * step/w while step <= w, then highest * (total - step) /
    (total - w). So the first step has 0 and is lost (README 4); by default the rise is one step ahead,
    highest * min(1, (step + 1)/w), and the fall is as published.

    Args:
        highest: its peak.
        step: steps done.
        total: steps of the run.
        warmup: share of the steps with a rising rate.
        legacy: the published rise.
    """
    rising = warmup * total
    done = step if legacy else step + 1
    if rising and done <= rising:
        return highest * done / rising
    return highest * min(1.0, (total - step) / (total - rising))


# Dense, without sparsity, in operations a second, as NVIDIA's data sheets say them. First match of the name counts.
_PEAKS = (
    ("B200", {"bf16": 2.25e15, "float32": 75e12, "float64": 37e12}),
    ("H200", {"bf16": 989e12, "float32": 67e12, "float64": 67e12}),
    ("H100 PCIe", {"bf16": 756e12, "float32": 51e12, "float64": 51e12}),
    ("H100", {"bf16": 989e12, "float32": 67e12, "float64": 67e12}),
    ("A100", {"bf16": 312e12, "float32": 19.5e12, "float64": 19.5e12}),
    ("A10", {"bf16": 125e12, "float32": 31.2e12}),
    ("L40S", {"bf16": 362e12, "float32": 91.6e12}),
    ("L4", {"bf16": 121e12, "float32": 30.3e12}),
)
_SIZE, _TRIES = 768, 5  # of the product that is timed on a CPU


def training_flops(config: DeepBertConfig, lengths_B: Tensor, n_masked: int) -> float:
    """Operations of the forward and backward pass of one micro-batch.

    Args:
        config: of the network.
        lengths_B: tokens of each sequence without padding.
        n_masked: P, how many positions the masked-language-model head sees.
    """
    H, inner = config.width, config.intermediate
    S, pairs = float(lengths_B.sum()), float(lengths_B.double().square().sum())
    layer = 2 * S * (4 * H * H + 2 * H * inner) + 4 * H * pairs
    heads = 2 * n_masked * (H * H + H * config.vocab_size) + 2 * len(lengths_B) * (H * H + 2 * H)
    return 3 * (config.layers * layer + heads)


def peak_flops(device: torch.device, precision: str) -> float:
    """Operations a second that the device can do at most; NaN where it is not known.

    Of a GPU from the data sheet of its name. Of a CPU what a large product of matrices does, with the threads that
    torch has here, measured when asked for: others who use the machine make it smaller, and the utilisation larger.
    """
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        return next((peaks.get(precision, float("nan")) for known, peaks in _PEAKS if known in name), float("nan"))
    if device.type != "cpu":
        return float("nan")
    dtype = {"bf16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64}[precision]
    a = torch.ones(_SIZE, _SIZE, dtype=dtype)
    best = float("inf")
    for _ in range(_TRIES):
        start = time.perf_counter()
        torch.mm(a, a)
        best = min(best, time.perf_counter() - start)
    return 2 * _SIZE**3 / best
