"""The sentences of a diagnostic in the order of its seed, shifted, and the network that reads them.

Dimensions: B sentences of a batch, T tokens, N sentences of the split, V vocabulary.
"""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from models.any_encoder import Attention
from orchestrator.experiment import Context
from tasks.data.examples import TaskInfo, task_info
from tasks.data.tokenised import TokenisedSplit, open_split, read_meta
from tasks.encoders.transformer_loading import load_any_here
from tasks.training.numerics import dropout_stream
from tasks.training.seeds import numpy_stream
from tasks.transfer.diagnostics.options import DiagnosticParams


@dataclass(frozen=True, kw_only=True)
class Batch:
    """B sentences on the device, padded on the right to the longest of them (or further, if asked for)."""

    input_ids: Tensor
    """[B, T], already shifted, padding too."""
    token_type_ids: Tensor
    """[B, T]."""
    attention_mask: Tensor
    """[B, T]: 1 for text, 0 for padding."""
    labels: Tensor
    """[B]: classes, or float scores of a regression."""
    sentences: np.ndarray
    """[B]: their numbers in the split."""

    @property
    def inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """The arguments of `models.any_encoder.hidden_states` after the model."""
        return self.input_ids, self.token_type_ids, self.attention_mask


@dataclass(frozen=True, kw_only=True)
class Sentences:
    """The train split of a task in the random order of a seed."""

    info: TaskInfo
    split: TokenisedSplit
    order_N: np.ndarray
    shift: int
    vocab_size: int
    device: torch.device
    dtype: torch.dtype

    def __len__(self) -> int:
        return len(self.order_N)

    @property
    def longest(self) -> int:
        """Tokens of the longest sentence."""
        return int(self.split.lengths.max())

    def batch(self, indices: np.ndarray, pad_to: int | None = None) -> Batch:
        """These sentences; T is the longest of them, or `pad_to`."""
        ids, types, mask = self.split.batch(indices, pad_to)
        kind = self.dtype if self.info.is_regression else torch.int64
        labels = torch.from_numpy(np.asarray(self.split.labels)[indices].copy()).to(kind)
        to = self.device
        return Batch(
            input_ids=shift_ids(ids, self.shift, self.vocab_size).to(to),
            token_type_ids=types.to(to),
            attention_mask=mask.to(to),
            labels=labels.to(to),
            sentences=indices,
        )

    def batches(self, count: int, size: int, pad_to: int | None = None, *, whole: bool = False) -> Iterator[Batch]:
        """The first `count` batches of `size` sentences, fewer where the split ends; the last may be smaller, unless
        batches must be `whole`."""
        for start in range(0, min(len(self), count * size), size):
            indices = self.order_N[start : start + size]
            if len(indices) == size or not whole:
                yield self.batch(indices, pad_to)

    def n_batches(self, count: int, size: int, *, whole: bool = False) -> int:
        """How many batches `batches` gives."""
        there = len(self) // size if whole else math.ceil(len(self) / size)
        return min(count, there)


def shift_ids(ids: Tensor, shift: int, vocab_size: int) -> Tensor:
    """(id + shift) mod V, for special tokens and padding too (README 0).

    Raises:
        ValueError: an id outside 0 … V - 1.
    """
    if ids.numel() and (int(ids.min()) < 0 or int(ids.max()) >= vocab_size):
        raise ValueError(f"token ids from {int(ids.min())} to {int(ids.max())}; the vocabulary has {vocab_size}")
    return (ids + shift) % vocab_size


def open_sentences(params: DiagnosticParams, context: Context, least: int) -> Sentences:
    """The sentences of the tokens job (`context.needs["tokens"]`).

    Raises:
        ValueError: no tokens, those of another task, or fewer than the `least` sentences that are needed.
    """
    if "tokens" not in context.needs:
        raise ValueError('context.needs has no "tokens"; plan a tokens job that this one needs')
    directory = context.needs["tokens"]
    meta = read_meta(directory)
    if meta["task"] != params.task:
        raise ValueError(f"{directory} holds tokens of {meta['task']}, not {params.task}; give the task's own tokens")
    split = open_split(directory, "train")
    if len(split) < least:
        raise ValueError(
            f"{params.task} has {len(split)} sentences to train on, at least {least} are needed; give a task with "
            "more, a larger --train-limit, or fewer and smaller batches"
        )
    return Sentences(
        info=task_info(params.task),
        split=split,
        order_N=numpy_stream(params.seed, "order", params.task).permutation(len(split)),
        shift=params.shift,
        vocab_size=meta["vocab_size"],
        device=torch.device(context.device),
        dtype=getattr(torch, params.dtype),
    )


def open_network(
    params: DiagnosticParams,
    context: Context,
    sentences: Sentences,
    *,
    attention: Attention = "fused",
    classifier: bool = False,
    pad_to: int | None = None,
) -> PreTrainedModel:
    """The network in evaluation mode: bare, or with a new classifier for the task; it must have the positions that the
    longest sentence needs, or `pad_to`.

    Raises:
        ValueError: as `tasks.encoders.transformer_loading.load_any_here`.
    """
    given: dict[str, Any] = {"outputs": sentences.info.n_outputs} if classifier else {}
    return load_any_here(
        params,
        context,
        vocab_size=sentences.vocab_size,
        pad_token_id=sentences.split.pad_token_id,
        longest=max(sentences.longest, pad_to or 0),
        attention=attention,
        head_seed=params.seed,
        **given,
    )


def published_dropout(
    model: PreTrainedModel, params: DiagnosticParams, *names: str | int
) -> contextlib.AbstractContextManager[None]:
    """A context in which the dropout of a model in training mode is that of (seed, names); else nothing is drawn."""
    return dropout_stream(model.device, params.seed, *names) if model.training else contextlib.nullcontext()
