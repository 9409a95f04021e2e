"""Pooled features of every depth from one pass of the shared layer (transient_chaos 3.7, the prefix trick).

With frozen weights shared over depth, h_n for all n <= N are the intermediate states of one N-layer pass. Where the
features of all depths do not fit into memory together, they come in blocks of depths: the states at the end of a block
are kept, and the pass goes on from them, or, where these do not fit either, the pass begins anew for each block. The
numbers are the same either way, since the batches are: length-bucketed and of a fixed number of sequences.

Dimensions: B batch, T tokens, H hidden, D depths, N examples.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from transformers import AlbertModel

from models.albert import Layer, embed, iterate, padding_mask, pool, shared_layer
from tasks.data.tokenised import Split

BATCH_SEQUENCES = 64  # a constant, never from free memory: float32 kernels round differently for other batch shapes


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

    Raises:
        ValueError: see `plan_depth_blocks`.
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
