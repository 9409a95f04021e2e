"""The stage `probe_train_adam`: probes of all levels, learning rates and seeds of one frozen encoder, in one job.

An epoch passes the encoder once, in chunks whose states are in memory while the updates of all probes go through them
batch by batch. What both trainings share stands here too: windows to train on, probes kept, costs.

Dimensions: L layers, S seeds, R learning rates, G probes a level, N windows, T tokens, P positions, H hidden.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from orchestrator.experiment import Context
from tasks.squad.squad_probes.artifacts import write_probes
from tasks.squad.squad_probes.probes import ProbeSettings, ProbeTrainer, first_weights, make_layout
from tasks.squad.squad_probes.stages import AdamParams, FrozenParams
from tasks.squad.squad_probes.states import (
    Chunk,
    FrozenEncoder,
    bytes_a_row,
    chunks,
    collect,
    encoded_together,
    open_frozen,
)
from tasks.training.loop import data_orders, is_curve_point, n_steps
from tasks.training.numerics import exact_numerics, synchronise, usable_bytes

Rows = list[dict[str, Any]]
HEADS = ("start", "end")
COPIES = 5  # of the probes' weights: themselves, their gradient, two averages, and the update


@dataclass(frozen=True, kw_only=True)
class Room:
    """How much is in memory at once."""

    rows: int
    """Positions of a chunk of windows, at all levels."""
    together: int
    """Windows in one pass of the encoder."""


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


def train_adam(params: AdamParams, context: Context) -> dict[str, Rows]:
    """Train the probes with the published optimiser; they are kept after each epoch.

    Raises:
        ValueError: windows or encoder do not fit the parameters or each other, nothing to train on, states that are not
            finite, or a batch of states does not fit into memory.
    """
    with exact_numerics():
        directory, encoder = artifact_directory(context), open_frozen(params, context, "train")
        chosen = trainable(encoder)
        rates, seeds = params.learning_rates, params.seeds
        first = [first_weights(seed, encoder.n_levels, encoder.width) for seed in seeds]
        settings = ProbeSettings(learning_rates=rates, seeds=seeds, dropout=params.dropout, clip=params.clip)
        trainer = ProbeTrainer(torch.stack(first, dim=1).to(encoder.device, encoder.dtype), settings)
        room = adam_memory(encoder, params, chosen, usable_bytes(context))
        class_weight = class_weights(encoder, chosen) if params.legacy_class_weights else None
        total = n_steps(len(chosen), params.batch_size, params.epochs)
        curves, kept, seconds = Curves(params=params, total=total), [], 0.0
        for order in data_orders(params.data_seed, len(chosen), params.epochs):
            ordered = chosen[order.numpy()]
            seconds += one_epoch(encoder, trainer, ordered, params.batch_size, room, class_weight, curves.add)
            kept.append(trainer.weights.flatten(1, 2).to("cpu", torch.float32, copy=True))
    probes = [
        {"solver": "adam", "learning_rate": rate, "l2": 0.0, "seed": seed, "epoch": epoch}
        for epoch in range(1, params.epochs + 1)
        for seed in seeds
        for rate in rates
    ]
    cost = cost_row(encoder, len(chosen), len(seeds) * len(rates), seconds)
    weights = keep_probes(params, directory, encoder, torch.cat(kept, dim=1), probes)
    return {"curves": curves.rows, "weights": weights, "costs": [cost]}


def one_epoch(
    encoder: FrozenEncoder,
    trainer: ProbeTrainer,
    order: np.ndarray,
    batch_size: int,
    room: Room,
    class_weight_2T: np.ndarray | None = None,
    seen: Callable[[Tensor], None] = lambda losses: None,
) -> float:
    """Train on the windows in this order, batch by batch; seconds that went into the probes.

    `seen` is called after each step with the cross entropies [L+1, S, R, 2] before it.
    """
    seconds = 0.0
    for own in chunks(order, encoder.positions(order), batch_size, room.rows):
        chunk = collect(encoder, own, room.together, range(encoder.n_levels), class_weight_2T)
        seconds += one_chunk(chunk, trainer, batch_size, seen)
        del chunk  # before the states of the next are made
    return seconds


def one_chunk(chunk: Chunk, trainer: ProbeTrainer, batch_size: int, seen: Callable[[Tensor], None]) -> float:
    """Train on a chunk, batch by batch; seconds. Apart from `one_epoch`, so that no view of its states outlives it."""
    clock = time.perf_counter()
    for batch in batches(chunk, batch_size):
        seen(trainer.take(*batch))
    synchronise(chunk.states.device)
    return time.perf_counter() - clock


def adam_memory(encoder: FrozenEncoder, params: AdamParams, chosen: np.ndarray, budget: int) -> Room:
    """Room for chunks, whose states take at most half of the budget.

    Raises:
        ValueError: a batch of windows does not fit; with both numbers.
    """
    weights = (
        (COPIES + params.epochs)
        * len(params.seeds)
        * len(params.learning_rates)
        * 2
        * encoder.n_levels
        * bytes_a_row(encoder)
    )
    rows = (budget // 2) // (encoder.n_levels * bytes_a_row(encoder))
    counts = encoder.positions(chosen)
    needed = min(params.batch_size, len(counts)) * int(counts.max())
    if needed > rows or weights > budget // 4:
        raise ValueError(
            f"the states of a batch of {params.batch_size} windows at {encoder.n_levels} levels take "
            f"{needed * encoder.n_levels * bytes_a_row(encoder):,} bytes of {budget // 2:,} that may be used for them, "
            f"the probes {weights:,} of {budget // 4:,}; give the job more memory, or a smaller --batch-size, fewer "
            "--seeds or --learning-rates"
        )
    return Room(rows=rows, together=encoded_together(encoder, budget // 4))


def trainable(encoder: FrozenEncoder) -> np.ndarray:
    """Indices of the windows whose labels can be trusted.

    Raises:
        ValueError: there is none.
    """
    chosen = np.flatnonzero(encoder.windows.trainable)
    if not len(chosen):
        raise ValueError("no window to train on; give questions whose answers are in their contexts")
    return chosen


def class_weights(encoder: FrozenEncoder, chosen: np.ndarray) -> np.ndarray:
    """N / count of each position among the training targets, float64 [2, T]; 0 where none is."""
    targets = (encoder.windows.start[chosen], encoder.windows.end[chosen])
    counts = np.stack([np.bincount(part, minlength=encoder.max_length) for part in targets])
    return np.where(counts > 0, len(chosen) / np.maximum(counts, 1), 0.0)


def batches(chunk: Chunk, batch_size: int) -> Iterator[tuple[Tensor, Any, Tensor, Tensor]]:
    """What `ProbeTrainer.take` takes, for one batch of a chunk after another."""
    device, dtype = chunk.states.device, chunk.states.dtype
    edges = np.concatenate([[0], np.cumsum(chunk.counts)])
    for low in range(0, len(chunk.counts), batch_size):
        own = slice(low, min(low + batch_size, len(chunk.counts)))
        yield (
            chunk.states[:, edges[own.start] : edges[own.stop]],
            make_layout(chunk.counts[own], device),
            torch.from_numpy(chunk.target[:, own]).to(device),
            torch.from_numpy(chunk.weight[:, own]).to(device, dtype),
        )


def artifact_directory(context: Context) -> Path:
    """Where probes are written to.

    Raises:
        ValueError: the context names no such place.
    """
    if context.artifact is None:
        raise ValueError("training writes probes: give context.artifact, an empty directory")
    return context.artifact


def keep_probes(
    params: FrozenParams, directory: Path, encoder: FrozenEncoder, weights: Tensor, probes: Sequence[dict[str, Any]]
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
