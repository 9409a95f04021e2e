"""What both stages begin and end with: tokens and encoder, pooled features of every depth from one pass, score rows.

With frozen weights shared over depth, h_n for all n <= N are the intermediate states of one N-layer pass (README 3).
Where the features of all depths do not fit into memory together, they come in blocks of depths: the states at the end
of a block are kept, and the pass goes on from them, or, where these do not fit either, the pass begins anew for each
block. The numbers are the same either way, since the batches are: length-bucketed and of a fixed number of sequences.

Dimensions: B batch, T tokens, H hidden, D depths, N examples, C outputs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import AlbertModel

from metrics.glue import glue_metrics
from models.albert import Layer, embed, iterate, padding_mask, pool, shared_layer
from orchestrator.experiment import Context
from tasks.data.examples import TaskInfo, task_info
from tasks.data.tokenised import Split, open_split, read_meta
from tasks.encoders.loading import load_encoder
from tasks.transient_chaos.glue_depth.stages import FinetunedParams, FrozenParams

BATCH_SEQUENCES = 64  # a constant, never from free memory: float32 kernels round differently for other batch shapes


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """A task's data and the encoder, on the device."""

    info: TaskInfo
    train: Split
    evals: Mapping[str, Split]
    """Evaluation splits: `dev`, or MNLI's `dev_matched` and `dev_mismatched`."""
    model: AlbertModel

    @property
    def sizes(self) -> dict[str, int]:
        """Numbers of examples, as columns of `costs`."""
        return {"n_train": len(self.train), "n_dev": sum(len(split) for split in self.evals.values())}

    def labels(self, split: Split) -> Tensor:
        """[N]: float64 scores for regression, else int64 classes."""
        kind = np.float64 if self.info.is_regression else np.int64
        return torch.from_numpy(np.asarray(split.labels).astype(kind))


def open_inputs(params: FrozenParams | FinetunedParams, context: Context) -> Inputs:
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


@dataclass(kw_only=True)
class CountedLayer:
    """A layer that counts its applications to one sequence in `passes`."""

    layer: Layer
    passes: int = 0

    def __call__(self, h: Tensor, mask: Tensor | None) -> Tensor:
        self.passes += h.shape[0]
        return self.layer(h, mask)


@dataclass(frozen=True, kw_only=True)
class DepthPlan:
    """How the depths are spread over blocks, in ascending order."""

    blocks: tuple[tuple[int, ...], ...]
    carry: bool
    """Whether the states at a block's end are kept for the next one."""

    @property
    def layers(self) -> int:
        """Layer applications that each sequence takes."""
        return self.blocks[-1][-1] if self.carry else sum(block[-1] for block in self.blocks)


def length_batches(split: Split, size: int = BATCH_SEQUENCES) -> list[np.ndarray]:
    """Indices of the examples in batches of `size`, sorted by length (equal lengths in the original order)."""
    order = np.argsort(np.asarray(split.lengths), kind="stable")
    return [order[start : start + size] for start in range(0, len(order), size)]


def plan_depth_blocks(
    depths: Sequence[int], n_examples: int, width: int, itemsize: int, budget_bytes: int, state_bytes: int
) -> DepthPlan:
    """Blocks of depths whose features [D, N, H] fit into `budget_bytes`, as few and as even as possible.

    Keeping the states between blocks costs `state_bytes` of the budget and saves the repeated passes; it is done
    whenever one depth fits beside them.

    Raises:
        ValueError: the depths are not ascending, or not even one depth fits.
    """
    depths = tuple(depths)
    if not depths or any(a >= b for a, b in pairwise(depths)) or depths[0] < 0:
        raise ValueError(f"depths are {depths}; give ascending numbers from 0")
    each = max(1, n_examples * width * itemsize)
    if len(depths) * each <= budget_bytes:
        return DepthPlan(blocks=(depths,), carry=True)
    carry = budget_bytes - state_bytes >= each
    room = (budget_bytes - (state_bytes if carry else 0)) // each
    if room < 1:
        raise ValueError(
            f"the features of one depth take {each:,} bytes of {budget_bytes:,} that may be used; "
            "give the job more memory, or limit the examples"
        )
    count = -(-len(depths) // room)
    cuts = [len(depths) * i // count for i in range(count + 1)]
    return DepthPlan(blocks=tuple(depths[a:b] for a, b in pairwise(cuts)), carry=carry)


def state_bytes(splits: Mapping[str, Split], width: int, itemsize: int, size: int = BATCH_SEQUENCES) -> int:
    """Bytes of the states [B, T, H] of all batches of all splits."""
    total = 0
    for split in splits.values():
        lengths = np.asarray(split.lengths)
        total += sum(len(batch) * int(lengths[batch].max()) for batch in length_batches(split, size))
    return total * width * itemsize


@torch.no_grad()
def pooled_prefix(
    model: AlbertModel,
    split: Split,
    depths: Sequence[int],
    *,
    layer: Layer | None = None,
    size: int = BATCH_SEQUENCES,
    states: list[Tensor] | None = None,
    start: int = 0,
) -> Tensor:
    """z [D, N, H]: the pooler's output after each of `depths` layers, examples in their own order, from one pass.

    Args:
        model: frozen encoder in evaluation mode; the features are on its device and in its precision.
        depths: ascending, all > `start` when the pass goes on.
        layer: counted layer; the model's own by default.
        size: sequences a batch.
        states: h_start of every batch, replaced by the states at the last depth, so that the next block goes on from
            there. Empty: begin at the embeddings. None: begin there and keep nothing.
        start: the depth of `states`.
    """
    layer = layer or shared_layer(model)
    weight = model.pooler.weight  # pyright: ignore[reportOptionalMemberAccess]
    z_DNH = torch.empty(len(depths), len(split), model.config.hidden_size, dtype=weight.dtype, device=weight.device)
    place = {depth: d for d, depth in enumerate(depths)}
    goes_on = bool(states)
    for b, indices in enumerate(length_batches(split, size)):
        input_ids, token_type_ids, attention_mask = (tensor.to(weight.device) for tensor in split.batch(indices))
        rows = torch.from_numpy(np.ascontiguousarray(indices)).to(weight.device)
        h = states[b] if goes_on and states else embed(model, input_ids, token_type_ids)

        def keep(t: int, h_BTH: Tensor, rows: Tensor = rows) -> None:
            if t in place:
                z_DNH[place[t], rows] = pool(model, h_BTH)

        first = start if goes_on else 0
        h = iterate(layer, h, depths[-1] - first, padding_mask(model, attention_mask, h), (keep,), start=first)
        if states is not None:
            states[b : b + 1] = [h]
    return z_DNH


def feature_blocks(
    model: AlbertModel,
    splits: Mapping[str, Split],
    depths: Sequence[int],
    budget_bytes: int,
    *,
    layer: Layer | None = None,
    size: int = BATCH_SEQUENCES,
) -> Iterator[tuple[tuple[int, ...], dict[str, Tensor]]]:
    """Yield (depths of a block, {split: z [D, N, H]}), block after block.

    A block's dict is emptied when the next one is asked for, so that two are never in memory together.
    """
    itemsize = next(model.parameters()).element_size()
    width = model.config.hidden_size
    examples = sum(len(split) for split in splits.values())
    plan = plan_depth_blocks(
        depths, examples, width, itemsize, budget_bytes, state_bytes(splits, width, itemsize, size)
    )
    carried: dict[str, list[Tensor]] | None = (
        {name: [] for name in splits} if plan.carry and len(plan.blocks) > 1 else None
    )
    start = 0
    for block in plan.blocks:
        features = {
            name: pooled_prefix(
                model, split, block, layer=layer, size=size, states=carried[name] if carried else None, start=start
            )
            for name, split in splits.items()
        }
        start = block[-1]
        yield block, features
        features.clear()


def score_rows(info: TaskInfo, split_name: str, logits_NC: Tensor, labels_N: Tensor) -> Iterator[dict[str, Any]]:
    """Rows of metric and value for one evaluation split: GLUE's metrics and `loss`, the mean over its examples.

    MNLI's two dev sets have names of their own (`accuracy_matched`, `loss_mismatched`), published they had one.
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
