"""What both stages begin and end with: tokens, encoder and device on the one side, score rows on the other.

Dimensions: N examples, C outputs, B batch, T tokens.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import AlbertModel

from metrics.glue import glue_metrics
from orchestrator.experiment import Context
from tasks.data.examples import TaskInfo, task_info
from tasks.data.tokenised import Split, open_split, read_meta
from tasks.encoders.loading import load_encoder
from tasks.transient_chaos.glue_depth.stages import FinetunedParams, FrozenParams

Params = FrozenParams | FinetunedParams


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
