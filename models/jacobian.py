"""Jacobians between the levels of an encoder: how the state of one position moves with the states of a lower level.

J[w, a, b] = d h_j[t, a] / d h_i[w, b] for the word w of the input level i, from one forward pass: the rows a are
vector-Jacobian products with one-hot vectors, many in one batch. One backward pass gives the
blocks of all input levels at once. Weights are constants; the pass needs eager attention, since `vmap` differentiates
plain operations alone in one batch.

Dimensions: B batch, T tokens, W words of one sentence, H hidden, I input levels, K rows of a chunk.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.activations import ACT2CLS

from models.any_encoder import hidden_states
from models.layer_norms import structural_nulls

MAX_ROWS = {"cpu": 64, "cuda": 256}
"""Rows of one batch at most: beyond, products are no faster and take more memory."""
ELEMENTWISE = tuple({kind[0] if isinstance(kind, tuple) else kind for kind in ACT2CLS.values()})
Inputs = tuple[Tensor, Tensor | None, Tensor]
"""Token ids, types and attention mask, each [B, T]."""


@dataclass(frozen=True, kw_only=True)
class LevelGraph:
    """The states of one pass, all in one graph of derivatives."""

    states: tuple[Tensor, ...]
    """[B, T, H] of the levels 0 … L."""
    nulls: tuple[int, ...]
    """For each level, the directions that its last module takes away: 2 where it is the output of a LayerNorm, 1 of an
    RMSNorm, 0 of anything else (a sum, a projection). So many singular values of every Jacobian into the level are
    zero, up to rounding and the norm's eps."""
    row_numbers: int
    """Numbers that the backward pass of one row holds beside its results: states, inner feed-forward states and
    attention scores of one layer, several of each at once."""


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """The Jacobian of one position's state."""

    input_level: int
    output_level: int
    position: int
    values: Tensor
    """J [W, H, H]: word of the input, component of the output, component of the input."""
    nulls: int
    """Structurally zero singular values of each block."""


def level_graph(
    model: PreTrainedModel, input_ids: Tensor, token_type_ids: Tensor | None, attention_mask: Tensor
) -> LevelGraph:
    """One forward pass, with derivatives from level to level but none by weights."""
    made: list[tuple[Tensor, int]] = []  # kept alive, so that no later tensor takes an address

    def after_norm(module: nn.Module, given: object, output: Tensor) -> None:
        made.append((output, structural_nulls(module)))

    words = model.get_input_embeddings().weight
    wanted = {parameter: parameter.requires_grad for parameter in model.parameters()}
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.enable_grad())
        for parameter in wanted:
            parameter.requires_grad_(parameter is words)  # level 0 depends on something, so that a graph begins there
            stack.callback(parameter.requires_grad_, wanted[parameter])
        for module in model.modules():
            if structural_nulls(module):
                stack.callback(module.register_forward_hook(after_norm).remove)
            elif isinstance(module, ELEMENTWISE):
                stack.callback(module.register_forward_hook(_with_slope).remove)
        states = hidden_states(model, input_ids, token_type_ids, attention_mask)
    config, (batch, tokens) = model.config, input_ids.shape
    inner = getattr(config, "intermediate_size", None) or getattr(config, "hidden_dim", 4 * config.hidden_size)
    return LevelGraph(
        states=states,
        nulls=tuple(next((n for x, n in made if _same(x, h_BTH)), 0) for h_BTH in states),
        row_numbers=batch * tokens * (8 * config.hidden_size + 3 * inner + 4 * config.num_attention_heads * tokens),
    )


def jacobian_blocks(
    model: PreTrainedModel,
    inputs: Inputs,
    *,
    positions: Sequence[int],
    input_levels: Sequence[int] = (0,),
    output_levels: Sequence[int] | None = None,
    budget_bytes: int,
) -> Iterator[Blocks]:
    """The Jacobians of one sentence, for each output level, position and input level below it; one forward pass.

    Memory: the blocks of as many input levels at once as fit (I W H H numbers), and a batch of as many rows as fit
    into the rest (`LevelGraph.row_numbers` and I W H each).

    Args:
        inputs: of one sentence without padding.
        positions: t, of the outputs.
        output_levels: None: the last.
        budget_bytes: memory beside that of the model and of the forward pass.

    Raises:
        ValueError: more than one sentence or padding; a level or a position that is not there; blocks that do not fit.
    """
    ids, _, mask = inputs
    if len(ids) != 1 or not bool(mask.bool().all()):
        raise ValueError(f"inputs of {len(ids)} sentences, {int(mask.sum())} of {mask.numel()} tokens; give one, cut")
    if wrong := [t for t in positions if not 0 <= t < ids.shape[1]]:
        raise ValueError(f"position {wrong[0]} is not in a sentence of {ids.shape[1]} tokens")
    graph = level_graph(model, *inputs)
    pairs = level_pairs(len(graph.states) - 1, input_levels, output_levels)
    for output, own in pairs.items():
        for position in positions:
            for group, rows in _groups(graph, own, budget_bytes):
                values = _pull_back(graph, output, position, group, rows)
                for level, J_BTHH in zip(group, values, strict=True):
                    yield Blocks(
                        input_level=level,
                        output_level=output,
                        position=position,
                        values=J_BTHH[0],
                        nulls=graph.nulls[output],
                    )


def whole_jacobians(
    model: PreTrainedModel,
    inputs: Inputs,
    *,
    input_levels: Sequence[int] = (0,),
    output_levels: Sequence[int] | None = None,
    budget_bytes: int,
) -> Iterator[tuple[int, Blocks]]:
    """The Jacobian [1, H, n H] of position 0 with respect to all n valid words of the same sentence, of each sentence.

    Sentences do not see each other, so the batch's outputs are summed and differentiated together: one pass for a
    padded batch (the published helper "cls-full"). Yields (row of the batch, its Jacobian); the columns are those
    of the first word, then of the second, …

    Raises:
        ValueError: a level that is not there, or blocks that do not fit into `budget_bytes`.
    """
    graph = level_graph(model, *inputs)
    for output, own in level_pairs(len(graph.states) - 1, input_levels, output_levels).items():
        for group, rows in _groups(graph, own, budget_bytes):
            for level, J_BTHH in zip(group, _pull_back(graph, output, 0, group, rows), strict=True):
                for number, real in enumerate(inputs[2].bool()):
                    yield (
                        number,
                        Blocks(
                            input_level=level,
                            output_level=output,
                            position=0,
                            values=J_BTHH[number, real].transpose(0, 1).flatten(1)[None],
                            nulls=graph.nulls[output],
                        ),
                    )


def level_pairs(
    last: int, input_levels: Sequence[int], output_levels: Sequence[int] | None = None
) -> dict[int, tuple[int, ...]]:
    """For each output level (None: the last) the input levels below it.

    Raises:
        ValueError: a level that an encoder of `last` layers lacks, or no pair.
    """
    outputs = (last,) if output_levels is None else tuple(output_levels)
    for level in (*input_levels, *outputs):
        if not 0 <= level <= last:
            raise ValueError(f"level {level} is asked for; this encoder has the levels 0 to {last}")
    pairs = {j: tuple(i for i in sorted(set(input_levels)) if i < j) for j in sorted(set(outputs))}
    pairs = {j: own for j, own in pairs.items() if own}
    if not pairs:
        raise ValueError(f"no input level of {tuple(input_levels)} is below an output level of {outputs}")
    return pairs


def _groups(graph: LevelGraph, own: Sequence[int], budget_bytes: int) -> list[tuple[tuple[int, ...], int]]:
    """Input levels that are computed together, and the rows of a batch then."""
    first = graph.states[0]
    B, T, H = first.shape
    block, size = B * T * H * H, first.element_size()
    left = budget_bytes // size
    most = min(MAX_ROWS.get(first.device.type, 64), H)
    row = graph.row_numbers
    # As many levels as leave room for a batch of eight rows; fewer rows than that are slow.
    fit = max(0, int((left - 8 * row) // (block + 8 * B * T * H)))
    if not fit:
        need = (block + B * T * H + row) * size
        if need > budget_bytes:
            raise ValueError(
                f"the Jacobian of one level takes {need:,} bytes for {B} x {T} words of width {H}, and "
                f"{budget_bytes:,} may be used; give shorter sentences (--max-length) or more memory"
            )
        fit = 1
    groups = [tuple(own[start : start + fit]) for start in range(0, len(own), fit)]
    return [
        (group, max(1, min(most, (left - len(group) * block) // (row + len(group) * B * T * H)))) for group in groups
    ]


def _pull_back(graph: LevelGraph, output: int, position: int, group: Sequence[int], rows: int) -> Tensor:
    """J [I, B, T, H, H] of a position's state, summed over the batch."""
    wanted = [graph.states[level] for level in group]
    y_H = graph.states[output][:, position].sum(0)
    (B, T, H), n = wanted[0].shape, len(y_H)
    J = y_H.new_empty(len(group), B, T, n, H)
    for start in range(0, n, rows):
        stop = min(start + rows, n)
        hot_KH = torch.zeros(stop - start, n, dtype=y_H.dtype, device=y_H.device)
        hot_KH[:, start:stop].fill_diagonal_(1)
        pulled = torch.autograd.grad(y_H, wanted, hot_KH, retain_graph=True, is_grads_batched=True)
        for level, g_KBTH in enumerate(pulled):
            J[level, :, :, start:stop] = g_KBTH.permute(1, 2, 0, 3)
    return J


class _Sloped(torch.autograd.Function):
    """A value whose derivative is known at each place: the product is one multiplication for each row of a batch."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(slope)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (slope,) = ctx.saved_tensors
        return grads[0] * slope, None, None


def _with_slope(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
    """Differentiate an elementwise activation once for all rows; else `vmap` does it again for each of them."""
    x = given[0].detach().requires_grad_(True)
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(module.forward(x).sum(), x)
    return _Sloped.apply(given[0], output.detach(), slope)  # pyright: ignore[reportReturnType]


def _same(x: Tensor, y: Tensor) -> bool:
    return x.data_ptr() == y.data_ptr() and x.shape == y.shape
