"""The stage `glue_finetuned`: encoder, pooler and head trained together, one depth and one seed (README 3).

The shared layer is applied `depth` times from the first step on, from the checkpoint's or from random weights. Encoders
of different depths drift apart, so nothing is shared between depths here.

Dimensions: B batch, T tokens, H hidden, N examples, C outputs.
"""

import contextlib
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers import AlbertModel

from models.albert import Layer, embed, iterate, padding_mask, pool, shared_layer
from orchestrator.experiment import Context
from tasks.data.tokenised import Split
from tasks.training.loop import data_orders, is_curve_point, n_steps
from tasks.training.numerics import exact_numerics, synchronise, usable_bytes
from tasks.training.optimisers import learning_rate, make_optimiser, split_decay, take_step
from tasks.training.seeds import torch_stream
from tasks.transient_chaos.glue_depth.features import CountedLayer, Inputs, length_batches, open_inputs, score_rows
from tasks.transient_chaos.glue_depth.heads import dropout_factors, head_weight
from tasks.transient_chaos.glue_depth.stages import FinetunedParams

SAVED_WIDTHS = 40  # tensors [B, T, H] that autograd keeps for one layer; 36 are measured with sdpa and FFN 4H


def finetuned(params: FinetunedParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `scores`, `curves` and `costs` of one run.

    The tokens are in `context.needs["tokens"]`, a checkpoint in `context.paths["model"]` (or on the hub).

    Raises:
        ValueError: data or encoder do not fit the parameters, or bf16 is asked for without CUDA.
    """
    device = torch.device(context.device)
    if params.precision == "bf16" and device.type != "cuda":
        raise ValueError(f"precision is bf16 on {device}; give float32, or a CUDA device")
    lead = {"task": params.task, "encoder": params.encoder, "training": "finetuned"}
    with exact_numerics():
        inputs = open_inputs(params, context)
        run = Run(
            inputs.model,
            inputs.info.n_outputs,
            params,
            recompute=needs_recompute(inputs, params, usable_bytes(context)),
        )
        clock = time.perf_counter()
        curve = run.train(inputs.train, inputs.labels(inputs.train))
        scores = [
            {**lead, "depth": params.depth, "seed": params.seed, **row}
            for name, split in inputs.evals.items()
            for row in score_rows(inputs.info, name, run.predict(split), inputs.labels(split))
        ]
        synchronise(device)
    cost = {
        **lead,
        **inputs.sizes,
        "n_depths": 1,
        "max_depth": params.depth,
        "n_seeds": 1,
        "layer_passes": run.layer.passes,
        "encoder_seconds": time.perf_counter() - clock,
        "head_seconds": 0.0,
        "depth_blocks": 1,
    }
    curves = [{**lead, "depth": params.depth, "seed": params.seed, **point} for point in curve]
    return {"scores": scores, "curves": curves, "costs": [cost]}


def activation_bytes(model: AlbertModel, batch: int, tokens: int, depth: int) -> int:
    """Estimated bytes that autograd keeps for `depth` layers: SAVED_WIDTHS H-vectors a token, more with a wider FFN."""
    config = model.config
    widths = SAVED_WIDTHS / 4 * max(4.0, config.intermediate_size / config.hidden_size)
    return int(depth * batch * tokens * config.hidden_size * widths * next(model.parameters()).element_size())


def needs_recompute(inputs: Inputs, params: FinetunedParams, budget_bytes: int) -> bool:
    """Whether the activations do not fit beside weights, gradients and both moments, so that layers are run twice."""
    model = inputs.model
    longest = int(np.max(inputs.train.lengths))
    weights = 4 * sum(p.numel() * p.element_size() for p in model.parameters())
    return weights + activation_bytes(model, params.batch_size, longest, params.depth) > budget_bytes


class Run:
    """One encoder with its head, and how they are trained."""

    def __init__(self, model: AlbertModel, n_outputs: int, params: FinetunedParams, recompute: bool = False):
        """`recompute`: keep each layer's input only and run it again in the backward pass; no number changes."""
        self.model, self.params = model, params
        weight = next(model.parameters())
        self.device, self.dtype = weight.device, weight.dtype
        self.weight = nn.Parameter(head_weight(params.seed, n_outputs, model.config.hidden_size).to(weight))
        self.bias = nn.Parameter(torch.zeros(n_outputs, dtype=self.dtype, device=self.device))
        self.layer = CountedLayer(layer=_recomputed(shared_layer(model)) if recompute else shared_layer(model))

    def logits(self, split: Split, indices: np.ndarray, factors_BH: Tensor | None = None) -> Tensor:
        """[B, C] of the examples `indices`, the pooled state multiplied by the dropout factors."""
        input_ids, token_type_ids, attention_mask = (tensor.to(self.device) for tensor in split.batch(indices))
        with self._precision():
            h = embed(self.model, input_ids, token_type_ids)
            h = iterate(self.layer, h, self.params.depth, padding_mask(self.model, attention_mask, h))
            z_BH = pool(self.model, h)
            if factors_BH is not None:
                z_BH = z_BH * factors_BH
            return functional.linear(z_BH, self.weight, self.bias).to(self.dtype)

    def train(self, split: Split, labels_N: Tensor) -> list[dict[str, Any]]:
        """Train in seeded order; return the curve's points (step, epoch, loss, learning_rate)."""
        p, N = self.params, len(split)
        labels_N = labels_N.to(self.device, self.dtype) if labels_N.is_floating_point() else labels_N.to(self.device)
        decayed, undecayed = split_decay(self.model)
        decayed, undecayed = [*decayed, self.weight], [*undecayed, self.bias]
        optimiser = make_optimiser(decayed, undecayed, p.optimiser, p.weight_decay)
        total = n_steps(N, p.batch_size, p.epochs)
        drop = torch_stream(p.seed, "dropout")
        points, sum_loss, since, step = [], torch.zeros((), dtype=self.dtype, device=self.device), 0, 0
        for order in data_orders(p.seed, N, p.epochs):
            for indices in order.split(p.batch_size):
                factors = None
                if p.dropout:
                    factors = dropout_factors(drop, len(indices), self.weight.shape[1], p.dropout)
                    factors = factors.to(self.device, self.dtype)
                logits = self.logits(split, indices.numpy(), factors)
                loss = _loss(logits, labels_N[indices.to(self.device)])
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                if p.clip:
                    nn.utils.clip_grad_norm_([*decayed, *undecayed], p.clip)
                rate = learning_rate(p.schedule, p.learning_rate, step, total, p.warmup)
                take_step(optimiser, p.optimiser, rate, step, decayed, p.weight_decay)
                sum_loss, since = sum_loss + loss.detach(), since + 1
                if is_curve_point(step, total, p.curve_points):
                    epoch = (step + 1) * p.epochs / total
                    mean = float(sum_loss) / since
                    points.append({"step": step + 1, "epoch": epoch, "loss": mean, "learning_rate": rate})
                    sum_loss, since = torch.zeros_like(sum_loss), 0
                step += 1
        return points

    @torch.no_grad()
    def predict(self, split: Split) -> Tensor:
        """[N, C] logits on the CPU, examples in their own order."""
        out = torch.empty(len(split), len(self.bias), dtype=self.dtype)
        for indices in length_batches(split):
            out[torch.from_numpy(indices)] = self.logits(split, indices).cpu()
        return out

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        if self.params.precision == "bf16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return contextlib.nullcontext()


def _recomputed(layer: Layer) -> Layer:
    def run(h: Tensor, mask: Tensor | None) -> Tensor:
        if not torch.is_grad_enabled():
            return layer(h, mask)
        # No random state to keep: the encoder has no dropout.
        result = checkpoint(layer, h, mask, use_reentrant=False, preserve_rng_state=False)
        assert isinstance(result, Tensor)
        return result

    return run


def _loss(logits_BC: Tensor, labels_B: Tensor) -> Tensor:
    if labels_B.is_floating_point():
        return functional.mse_loss(logits_BC[:, 0], labels_B)
    return functional.cross_entropy(logits_BC, labels_B)
