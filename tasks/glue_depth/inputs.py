"""What both stages begin and end with: tokens, encoder and device on the one side, score rows on the other.

Dimensions: N examples, C outputs, B batch, T tokens.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import AlbertModel

from metrics.glue import glue_metrics
from models.albert import load_albert, load_config, random_albert, scratch_config
from models.checkpoints import directory_revision
from orchestrator.experiment import Context
from tasks.data.examples import TaskInfo, task_info
from tasks.data.tokenised import open_split, read_meta
from tasks.glue_depth.params import SCRATCH, FinetunedParams, FrozenParams
from tasks.seeds import stream_seed

Params = FrozenParams | FinetunedParams


class Split(Protocol):
    """What is used of a `TokenisedSplit`."""

    @property
    def labels(self) -> np.ndarray: ...
    @property
    def lengths(self) -> np.ndarray: ...
    def __len__(self) -> int: ...
    def batch(self, indices: Any) -> tuple[Tensor, Tensor, Tensor]: ...


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """A task's data and the encoder, on the device."""

    info: TaskInfo
    train: Split
    evals: Mapping[str, Split]
    """Evaluation splits: `dev`, or MNLI's `dev_matched` and `dev_mismatched`."""
    model: AlbertModel

    def labels(self, split: Split) -> Tensor:
        """[N]: float64 scores for regression, else int64 classes."""
        kind = np.float64 if self.info.is_regression else np.int64
        return torch.from_numpy(np.asarray(split.labels).astype(kind))


def open_inputs(params: Params, context: Context) -> Inputs:
    """Open the tokens (`context.needs["tokens"]`) and load or draw the encoder.

    Raises:
        ValueError: no tokens, tokens of another task, an empty split, or an encoder that does not fit the tokens.
    """
    if "tokens" not in context.needs:
        raise ValueError('context.needs has no "tokens"; plan a tokens job that this one needs')
    directory = context.needs["tokens"]
    meta = read_meta(directory)
    if meta["task"] != params.task:
        raise ValueError(f"{directory} holds tokens of {meta['task']}, not {params.task}; give the task's own tokens")
    info = task_info(params.task)
    train = _checked(open_split(directory, "train"), params.train_limit, "train")
    evals = {name: _checked(open_split(directory, name), params.dev_limit, name) for name in info.eval_splits}
    longest = max(int(np.max(split.lengths)) for split in (train, *evals.values()))
    model = load_encoder(
        params, context, vocab_size=meta["vocab_size"], pad_token_id=meta["pad_token_id"], longest=longest
    )
    return Inputs(info=info, train=train, evals=evals, model=model)


def _checked(split: Split, limit: int | None, name: str) -> Split:
    if len(split) == 0:
        raise ValueError(f"the split {name} is empty; give data with at least one example")
    if limit is not None and len(split) > limit:
        raise ValueError(
            f"the split {name} has {len(split)} examples, the limit is {limit}; plan tokens with this limit"
        )
    return split


def load_encoder(params: Params, context: Context, *, vocab_size: int, pad_token_id: int, longest: int) -> AlbertModel:
    """The encoder on the context's device, in the parameters' precision and evaluation mode.

    Random weights are drawn from `encoder_seed` alone, so the encoder is the same at every depth, head seed and task of
    one vocabulary.

    Raises:
        ValueError: the checkpoint is not the planned one, its vocabulary or positions are too few for the tokens, or it
            is no iterated map.
    """
    dtype = getattr(torch, params.dtype)
    place, revision = params.model, params.revision or None
    pickled = "pickled_weights" in context.paths
    if "model" in context.paths and params.model != SCRATCH:
        place, revision = context.paths["model"], None
        if (found := directory_revision(Path(place), pickled)) != params.revision:
            raise ValueError(f"{place} holds revision {found}, planned was {params.revision}; start the sweep anew")
    if params.encoder == "pretrained":
        model = load_albert(place, revision, dtype, pickled=pickled)
    else:
        assert params.init_style is not None  # both are checked by the parameters
        assert params.encoder_seed is not None
        if params.model == SCRATCH:
            assert params.width is not None
            config = scratch_config(
                params.width,
                heads=params.heads,
                intermediate_size=params.intermediate,
                embedding_size=params.embedding or 128,
                vocab_size=vocab_size,
                max_position=max(512, params.max_length),
                pad_token_id=pad_token_id,
            )
        else:
            config = load_config(place, revision)
        if params.init_range is not None:
            config.initializer_range = params.init_range
        model = random_albert(config, params.init_style, stream_seed(params.encoder_seed, "encoder"), dtype)
    if vocab_size > model.config.vocab_size:
        raise ValueError(
            f"the tokens need {vocab_size} ids, {params.model} has {model.config.vocab_size}; give its tokenizer"
        )
    if longest > model.config.max_position_embeddings:
        raise ValueError(
            f"the longest example has {longest} tokens, {params.model} has "
            f"{model.config.max_position_embeddings} positions; give a smaller max_length"
        )
    return model.to(context.device)  # pyright: ignore[reportArgumentType]  # the decorated method loses its `self`


def score_rows(info: TaskInfo, split_name: str, logits_NC: Tensor, labels_N: Tensor) -> Iterator[dict[str, Any]]:
    """Rows of metric and value for one evaluation split: GLUE's metrics and `loss`, the mean over its examples.

    MNLI's two dev sets have names of their own (`accuracy_matched`, `loss_mismatched`), quirk 3 of transient_chaos 3.6.
    """
    suffix = split_name.removeprefix("dev")
    logits = logits_NC.detach().to("cpu", torch.float64)
    values = glue_metrics(info.metrics, logits.numpy(), labels_N.numpy(), suffix)
    if info.is_regression:
        loss = functional.mse_loss(logits[:, 0], labels_N.double())
    else:
        loss = functional.cross_entropy(logits, labels_N)
    values["loss" + suffix] = float(loss)
    for metric, value in values.items():
        yield {"metric": metric, "value": value}


@contextlib.contextmanager
def exact_numerics() -> Iterator[None]:
    """Plain float32 and repeatable kernels on CUDA, as they were before when it ends.

    TF32 keeps 10 bits of the mantissa: over 100 layers of a chaotic map that changes the states visibly
    (transient_chaos 3.7). Backward passes of embeddings and attention add atomically, in any order, unless told not to.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when it starts
    matmul = torch.backends.cuda.matmul
    before = (
        matmul.allow_tf32,
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    fill = torch.utils.deterministic.fill_uninitialized_memory  # pyright: ignore[reportAttributeAccessIssue]
    matmul.allow_tf32 = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        matmul.allow_tf32 = before[0]
        torch.use_deterministic_algorithms(before[1], warn_only=before[2])
        torch.utils.deterministic.fill_uninitialized_memory = fill  # pyright: ignore[reportAttributeAccessIssue]


def usable_bytes(context: Context) -> int:
    """Memory for features or activations, in bytes; the rest is for weights, one layer's work and torch itself."""
    device = torch.device(context.device)
    if device.type == "cuda":
        return int(0.7 * torch.cuda.mem_get_info(device)[0])
    return context.memory_bytes // 2


def synchronise(device: torch.device) -> None:
    """Wait for the GPU, so that a clock read after it means what it says."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
