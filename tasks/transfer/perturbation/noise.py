"""The stage `perturbation`: all levels of noise against one pass without it (README 3).

A batch has one draw of noise, which every level scales: its levels are a paired comparison, and none depends on what
others are asked for.

Dimensions: B sentences of a batch, T tokens, H hidden.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from models.perturbed import distances, first_states, perturbed_states, unit_noise
from models.transformer import n_layers, width
from orchestrator.experiment import Context
from tasks.training.numerics import exact_numerics, synchronise, usable_bytes
from tasks.training.seeds import torch_stream
from tasks.transfer.diagnostics.inputs import Batch, open_network, open_sentences, published_dropout
from tasks.transfer.perturbation.stages import PerturbationParams

Rows = list[dict[str, Any]]
PRECISIONS = {torch.float32: "float32", torch.float64: "float64"}


def perturbation(params: PerturbationParams, context: Context) -> dict[str, Rows]:
    """Rows of all tables for one network on one task.

    The tokens are in `context.needs["tokens"]`, a checkpoint in `context.paths["model"]`, in `context.needs["model"]`
    (the model small) or on the hub.

    Raises:
        ValueError: sentences or network do not fit the parameters or each other, or noise and a copy of the weights do
            not fit into memory.
    """
    with exact_numerics():
        sentences = open_sentences(params, context, 1)
        pad_to = params.max_length if params.legacy_padding else None
        model = open_network(params, context, sentences, pad_to=pad_to)
        model.train(params.legacy_dropout)
        room = usable_bytes(context)  # of a GPU it is what is left beside the weights
        levels = {std: _precision(params, model, std) for std in params.stds}
        _check_memory(model, max(dtype.itemsize for dtype in levels.values()), room)
        work = Work(params=params, model=model, levels=levels)
        moved: Rows = []
        floors: Rows = []
        for number, batch in enumerate(sentences.batches(params.batches, params.batch_size, pad_to)):
            clean = work.clean(number, batch)
            moved += work.distances(number, batch, clean)
            if len(clean) > 1:
                floors += _rows(number, batch, distances(clean[torch.float64], clean[torch.float32]))
    cost = {
        "sentences": work.sentences,
        "batches_read": work.batches,
        "hidden": width(model),
        "parameters": sum(p.numel() for p in model.parameters()),
        "clean_passes": work.clean_passes,
        "noisy_passes": work.noisy_passes,
        "layer_passes": work.layer_passes,
        "noise_seconds": work.noise_seconds,
        "encoder_seconds": work.encoder_seconds,
    }
    return {"distances": moved, "floors": floors, "costs": [cost]}


@dataclass(kw_only=True)
class Work:
    """One encoder at work, and what that has cost so far."""

    params: PerturbationParams
    model: PreTrainedModel
    levels: dict[float, torch.dtype]
    """Precision of each level."""
    sentences: int = 0
    batches: int = 0
    clean_passes: int = 0
    noisy_passes: int = 0
    layer_passes: int = 0
    noise_seconds: float = 0.0
    encoder_seconds: float = 0.0

    def clean(self, number: int, batch: Batch) -> dict[torch.dtype, Tensor]:
        """The states [B, H] without noise in each precision that a level is computed in."""
        self.sentences += len(batch.sentences)
        self.batches += 1
        found = {}
        for dtype in sorted(set(self.levels.values()), key=str):
            with self._pass(batch, number, "clean", PRECISIONS[dtype]):
                found[dtype] = first_states(self.model, batch.inputs, dtype)
            self.clean_passes += 1
        return found

    def distances(self, number: int, batch: Batch, clean: dict[torch.dtype, Tensor]) -> Rows:
        """Rows of `distances` for all levels and kinds of noise."""
        clock = time.perf_counter()
        noise = unit_noise(self.model, torch_stream(self.params.seed, "noise", number))
        synchronise(self.model.device)
        self.noise_seconds += time.perf_counter() - clock
        rows: Rows = []
        for kind in self.params.noises:
            for std, dtype in self.levels.items():
                with self._pass(batch, number, kind, repr(std)):
                    noisy = perturbed_states(self.model, batch.inputs, noise, std, kind=kind, dtype=dtype)
                self.noisy_passes += 1
                lead = {"noise": kind, "std": std, "precision": PRECISIONS[dtype]}
                rows += [{**lead, **row} for row in _rows(number, batch, distances(clean[dtype], noisy))]
        return rows

    @contextlib.contextmanager
    def _pass(self, batch: Batch, *names: str | int) -> Iterator[None]:
        """Time a pass and count its layers; with dropout its masks are those of a stream of these names."""
        clock = time.perf_counter()
        with published_dropout(self.model, self.params, "perturbation", *names):
            yield
        synchronise(self.model.device)
        self.layer_passes += n_layers(self.model) * len(batch.sentences)
        self.encoder_seconds += time.perf_counter() - clock


def _rows(number: int, batch: Batch, distances_B: Tensor) -> Rows:
    values = zip(batch.sentences.tolist(), distances_B.tolist(), strict=True)
    return [{"batch": number, "sentence": sentence, "distance": distance} for sentence, distance in values]


def _precision(params: PerturbationParams, model: PreTrainedModel, std: float) -> torch.dtype:
    return torch.float64 if std <= params.double_below else model.dtype


def _check_memory(model: PreTrainedModel, itemsize: int, room: int) -> None:
    """Refuse noise (float32) and a copy of the weights that do not fit.

    Raises:
        ValueError: with both numbers and what to ask less of.
    """
    count = sum(p.numel() for p in model.parameters())
    needed = count * (torch.float32.itemsize + itemsize)
    if needed > room:
        raise ValueError(
            f"the noise of {count:,} weights and a copy of them take {needed:,} bytes of {room:,} that may be used; "
            "give the job more memory, or --double-below 0, which computes all levels in --dtype"
        )
