"""Hidden states of all levels of a frozen encoder, in memory for as many windows at a time as fit (README 4, 9).

What is kept are states of positions in the probes' softmax, flat, in the order in which training wants the windows, so
that a batch is a slice. Encoding goes by batches of its own; how windows are put together changes a state by no more
than the rounding of its last bits.

Dimensions: L layers, levels 0 … L, B windows, T tokens, P positions in the softmax of all windows, H hidden.
"""

import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from models.transformer import hidden_states, n_layers, width
from orchestrator.experiment import Context
from tasks.encoders.transformer_loading import load_transformer_here
from tasks.squad.questions.windows import WindowBatch, Windows, open_windows
from tasks.squad.squad_probes.probes import ranked_targets
from tasks.squad.squad_probes.stages import FrozenParams
from tasks.training.numerics import synchronise

CHUNK = 512  # windows whose states are kept at most: enough to sort by length, all that a large one is good for
ENCODED_TOGETHER = {"cpu": 8, "cuda": 32}  # windows; more bring no speed, and on a CPU fall out of the cache
LAYER_WIDTHS = 20  # tensors [B, T, H] that one layer has in memory at once, with FFN 4H


@dataclass(kw_only=True)
class FrozenEncoder:
    """An encoder, the windows that it reads, and what that has cost so far."""

    model: PreTrainedModel
    windows: Windows
    mode: Literal["proper", "legacy"]
    max_length: int
    layer_passes: int = 0
    seconds: float = 0.0

    @property
    def n_levels(self) -> int:
        return n_layers(self.model) + 1

    @property
    def width(self) -> int:
        return width(self.model)

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of states and probes: float32, or the encoder's where that is wider."""
        return torch.promote_types(self.model.dtype, torch.float32)

    def positions(self, indices: np.ndarray) -> np.ndarray:
        """int64 [B]: how many positions of each window are in the softmax."""
        if self.mode == "legacy":
            return np.full(len(indices), self.max_length)
        own = self.windows.context_end[indices] - self.windows.context_start[indices]
        return 1 + own.astype(np.int64)

    @torch.no_grad()
    def states(self, indices: Sequence[int] | np.ndarray) -> tuple[tuple[Tensor, ...], WindowBatch]:
        """States [B, T, H] of the L + 1 levels on the encoder's device, and the batch, on the CPU.

        Proper batches are padded to their longest window; legacy ones to max_length, and all positions are `allowed`.

        Raises:
            ValueError: a state is not finite; with its level and question.
        """
        clock = time.perf_counter()
        batch = self.windows.batch(indices, pad_to=self.max_length if self.mode == "legacy" else None)
        if self.mode == "legacy":
            batch = dataclasses.replace(batch, allowed=torch.ones_like(batch.allowed))
        tokens = (batch.input_ids, batch.token_type_ids, batch.attention_mask)
        found = hidden_states(self.model, *(part.to(self.device) for part in tokens))
        levels = tuple(h.to(self.dtype) for h in found)
        for level, h in enumerate(levels):
            if not h.isfinite().all():
                bad = int((~h.isfinite()).flatten(1).any(dim=1).nonzero()[0])
                name = self.windows.questions.ids[int(batch.question[bad])]
                raise ValueError(
                    f"level {level} of the encoder has states that are not finite, first for question {name}; "
                    "its weights are broken, or too large for its precision"
                )
        self.layer_passes += (len(levels) - 1) * len(batch.question)
        synchronise(self.device)
        self.seconds += time.perf_counter() - clock
        return levels, batch


def open_frozen(params: FrozenParams, context: Context, split: str) -> FrozenEncoder:
    """The encoder of the parameters and the windows of one split (`context.needs["windows"]`).

    Raises:
        ValueError: no windows, or of other settings than planned; or an encoder that does not fit.
    """
    if "windows" not in context.needs:
        raise ValueError('context.needs has no "windows"; plan a windows job that this one needs')
    windows = open_windows(context.needs["windows"], "train" if split == "train" else "dev")
    for name in ("dataset", "max_length", "doc_stride", "max_query_length"):
        found, planned = windows.meta[name], getattr(params, name)
        if found != planned:
            raise ValueError(
                f"{context.needs['windows']} holds windows with {name} {found!r}, planned was {planned!r}; give the "
                "job's own windows"
            )
    model = load_transformer_here(
        params,
        context,
        vocab_size=windows.meta["vocab_size"],
        pad_token_id=windows.meta["pad_token_id"],
        longest=params.max_length if params.mode == "legacy" or not len(windows) else int(windows.lengths.max()),
    )
    return FrozenEncoder(model=model, windows=windows, mode=params.mode, max_length=params.max_length)


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """States and labels of some windows, in their given order."""

    states: Tensor
    """[levels, P, H]: the positions in the softmax of one window after another."""
    counts: np.ndarray
    """int64 [B]: how many each window has."""
    target: np.ndarray
    """int64 [2, B]: the number of the right one, of start and end."""
    weight: np.ndarray
    """float64 [2, B]: 1, or by class; 0 where it is ignored."""


def collect(
    encoder: FrozenEncoder,
    indices: np.ndarray,
    together: int,
    levels: Sequence[int],
    class_weight_2T: np.ndarray | None = None,
) -> Chunk:
    """The states of some levels for windows in this order, encoded `together` at a time, those of like length at once.

    Raises:
        ValueError: a state is not finite, or a label lies outside of its window's context.
    """
    counts = encoder.positions(indices)
    first = np.cumsum(counts) - counts
    target, weight = np.empty((2, len(indices)), dtype=np.int64), np.empty((2, len(indices)))
    states = torch.empty(len(levels), int(counts.sum()), encoder.width, dtype=encoder.dtype, device=encoder.device)
    by_length = np.argsort(-encoder.windows.lengths[indices], kind="stable")
    for low in range(0, len(indices), together):
        own = by_length[low : low + together]
        found, batch = encoder.states(indices[own])
        allowed = batch.allowed.numpy()
        labels = np.stack([batch.start.numpy(), batch.end.numpy()])
        target[:, own], weight[:, own] = ranked_targets(labels, allowed, class_weight_2T)
        rows = np.concatenate([np.arange(int(first[i]), int(first[i] + counts[i])) for i in own])
        place, kept = torch.from_numpy(rows).to(states.device), batch.allowed.to(states.device)
        for i, level in enumerate(levels):
            states[i].index_copy_(0, place, found[level][kept])
    return Chunk(states=states, counts=counts, target=target, weight=weight)


def chunks(
    order: np.ndarray, counts: np.ndarray, batch_size: int, rows: int, most: int = CHUNK
) -> Iterator[np.ndarray]:
    """Cut an order of windows where batches end, into pieces of at most `rows` positions and `most` windows.

    `counts` are the positions of each window of the order. A piece has at least one batch, however large that is.
    """
    low, size = 0, 0
    for start in range(0, len(order), batch_size):
        stop = min(start + batch_size, len(order))
        own = int(counts[start:stop].sum())
        if start > low and (size + own > rows or stop - low > most):
            yield order[low:start]
            low, size = start, 0
        size += own
    if low < len(order):
        yield order[low:]


def bytes_a_row(encoder: FrozenEncoder) -> int:
    """Memory of the states of one position at one level."""
    return encoder.width * encoder.dtype.itemsize


def encoded_together(encoder: FrozenEncoder, budget_bytes: int) -> int:
    """How many windows to encode at once: the largest power of two that pays and that there is room for.

    Raises:
        ValueError: there is no room for one.
    """
    config, T = encoder.model.config, encoder.max_length
    ffn = getattr(config, "intermediate_size", None) or getattr(config, "hidden_dim", 0)
    widths = encoder.n_levels + LAYER_WIDTHS * max(1.0, ffn / (4 * encoder.width))
    one = int((widths * T * encoder.width + config.num_attention_heads * T * T) * encoder.dtype.itemsize)
    if one > budget_bytes:
        raise ValueError(
            f"one window of {T} tokens takes about {one:,} bytes in the encoder, {budget_bytes:,} may be used for it; "
            "give the job more memory, or a smaller --max-length"
        )
    together = ENCODED_TOGETHER[encoder.device.type]
    while together * one > budget_bytes:
        together //= 2
    return together
