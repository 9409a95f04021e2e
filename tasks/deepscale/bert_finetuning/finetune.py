"""The stage `bert_finetune`: one checkpoint, one task, one learning rate, one seed (README 5).

A step's loss is the mean cross entropy of its examples, in nats. They may pass the network in several micro-batches of
similar length, whose gradients are summed: without dropout the numbers are the same. Dropout is seeded by the seed, the
step and the number of the micro-batch, so neither a machine's memory nor a repetition changes a number.

Dimensions: N examples or questions, C classes or choices, R rows of a micro-batch, T tokens.
"""

import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.deep_bert_classifier import DeepBertClassifier
from orchestrator.experiment import Context
from tasks.deepscale.bert_finetuning.data import TaskData, batch_on, open_task, predict, score_rows
from tasks.deepscale.bert_finetuning.stages import DIVERGED, FINISHED, FinetuneParams
from tasks.deepscale.bert_finetuning.starting import needs_recompute, new_classifier
from tasks.deepscale.deep_bert.steps import learning_rate
from tasks.training.loop import data_orders, is_curve_point
from tasks.training.numerics import dropout_stream, exact_numerics, synchronise, usable_bytes
from tasks.training.optimisers import make_optimiser, split_decay

FETCH = 25  # steps after which the host looks at the losses, at the latest: a run that diverges goes on no longer


def bert_finetune(params: FinetuneParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `scores`, `curves` and `finetunings` of one run.

    The tokens are in `context.needs["tokens"]`; where the checkpoint is, `starting.new_classifier` says.

    Raises:
        ValueError: tokens or checkpoint do not fit, fewer examples than a batch, bf16 without CUDA, or too little
            memory.
    """
    device = torch.device(context.device)
    if params.precision == "bf16" and device.type != "cuda":
        raise ValueError(f"precision is bf16 on {device}; give --finetune-precision float32, or a CUDA device")
    data = open_task(params, context)
    if len(data.train) < params.batch_size:
        raise ValueError(
            f"{params.task} has {len(data.train)} training examples, fewer than one batch of {params.batch_size}, and "
            "partial batches are dropped; give a smaller --finetune-batch or more data"
        )
    with exact_numerics():
        model = new_classifier(params, context, data)
        rows = (params.micro_batch or params.batch_size) * data.choices
        recompute = needs_recompute(model, rows, int(np.max(data.train.lengths)), usable_bytes(context))
        model.bert.recompute(recompute)
        run = Run(params=params, data=data, model=model)
        scores = []
        dev_seconds = 0.0
        for epoch, order in enumerate(data_orders(params.seed, len(data.train), params.epochs), start=1):
            logits = None
            if run.train_epoch(order.numpy()):
                clock = time.perf_counter()
                logits = {name: predict(model, split, params.precision) for name, split in data.evals.items()}
                dev_seconds += time.perf_counter() - clock
            scores += score_rows(data, logits, epoch)
    outcome = {
        "status": DIVERGED if run.diverged else FINISHED,
        "step": run.step,
        "steps": run.total,
        "n_train": len(data.train),
        "n_dev": sum(len(split) for split in data.evals.values()),
        "tokens": run.tokens,
        "padding": 1 - run.tokens / max(1, run.positions),
        "train_seconds": run.seconds,
        "dev_seconds": dev_seconds,
        "recomputed": recompute,
    }
    return {"scores": scores, "curves": run.curve, "finetunings": [outcome]}


def micro_batches(indices: np.ndarray, lengths_N: np.ndarray, size: int | None) -> list[np.ndarray]:
    """The examples of a batch as micro-batches of at most `size`, sorted by length where there are several."""
    if size is None or size >= len(indices):
        return [indices]
    ordered = indices[np.argsort(lengths_N[indices], kind="stable")]
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


@dataclass(kw_only=True)
class Run:
    """A model in training, and what happened so far."""

    params: FinetuneParams
    data: TaskData
    model: DeepBertClassifier
    step: int = 0
    """Steps done, all of them finite as far as the host has looked."""
    diverged: bool = False
    curve: list[dict[str, Any]] = field(default_factory=list)
    tokens: int = 0
    positions: int = 0
    seconds: float = 0.0

    def __post_init__(self):
        self.per_epoch = len(self.data.train) // self.params.batch_size
        self.total = self.per_epoch * self.params.epochs
        self.device = self.model.head.weight.device
        self._lengths_N = np.asarray(self.data.train.lengths)
        labels = np.asarray(self.data.train.labels).astype(np.int64)
        self._labels_N = torch.from_numpy(labels).to(self.device)
        decayed, undecayed = split_decay(self.model)
        self._weights = [*decayed, *undecayed]
        self._optimiser = make_optimiser(decayed, undecayed, "adamw", self.params.weight_decay)
        self._pending: list[Tensor] = []  # loss and gradient norm of each step that the host has not looked at
        self._since: list[list[float]] = []  # those of the steps since the last point of the curve

    def train_epoch(self, order_N: np.ndarray) -> bool:
        """Go once through the examples in this order, but for what is left of a batch; False if the run diverged."""
        if self.diverged:
            return False
        clock = time.perf_counter()
        for indices in order_N[: self.per_epoch * self.params.batch_size].reshape(self.per_epoch, -1):
            at = self.step + len(self._pending)
            self._pending.append(self.take_step(indices, at))
            if is_curve_point(at, self.total, self.params.curve_points) or len(self._pending) == FETCH:
                self._fetch()
                if self.diverged:
                    break
        if not self.diverged:
            self._fetch()
        synchronise(self.device)
        self.seconds += time.perf_counter() - clock
        return not self.diverged

    def take_step(self, indices: np.ndarray, step: int) -> Tensor:
        """One step on the examples `indices`; returns its loss and gradient norm [2], on the device."""
        params = self.params
        self._optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for number, part in enumerate(micro_batches(indices, self._lengths_N, params.micro_batch)):
            loss = self.backward(part, len(indices), step, number)
            total += loss.double()
        norm = nn.utils.clip_grad_norm_(self._weights, params.clip or math.inf)
        rate = self._rate(step)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.step()
        return torch.stack([total, norm.detach().double()])

    def backward(self, part: np.ndarray, examples: int, step: int, number: int) -> Tensor:
        """Add the gradient of a micro-batch's share of the mean over `examples`; returns that share, detached."""
        ids, types, mask = batch_on(self.data.train, part, self.device)
        labels = self._labels_N[torch.from_numpy(np.ascontiguousarray(part)).to(self.device)]
        self.positions += ids.numel()
        # Where an example is one row, its length says how many tokens it has without a wait for the device.
        real = self._lengths_N[part] if self.data.choices == 1 else mask
        self.tokens += ids.numel() if real is None else int(real.sum())
        # Around the backward pass too: layers that are run again there draw the same dropout from the same stream.
        with dropout_stream(self.device, self.params.seed, "finetuning", step, number):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.params.precision == "bf16"):
                logits = self.model(ids, types, mask)
            dtype = torch.promote_types(logits.dtype, torch.float32)
            loss = functional.cross_entropy(logits.to(dtype), labels, reduction="sum") / examples
            loss.backward()
        return loss.detach()

    def _rate(self, step: int) -> float:
        p = self.params
        return learning_rate(p.learning_rate, step, self.total, p.warmup, p.legacy_first_step)

    def _fetch(self) -> None:
        """Look at the steps that are pending: points of the curve, or the end of a run that is not finite."""
        rows = torch.stack(self._pending).tolist() if self._pending else []
        self._pending = []
        for loss, norm in rows:
            self.diverged = not math.isfinite(loss + norm)
            self._since.append([loss, norm])
            if self.diverged:
                self._point(self.step + 1)
                return
            self.step += 1
            if is_curve_point(self.step - 1, self.total, self.params.curve_points):
                self._point(self.step)

    def _point(self, step: int) -> None:
        losses, norms = zip(*self._since, strict=True)
        self.curve.append(
            {
                "step": step,
                "epoch": step / self.per_epoch,
                "loss": math.fsum(losses) / len(losses) if all(map(math.isfinite, losses)) else math.nan,
                "gradient_norm": math.fsum(norms) / len(norms) if all(map(math.isfinite, norms)) else math.nan,
                "rate": self._rate(step - 1),
            }
        )
        self._since = []
