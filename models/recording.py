"""What an observer may want beside the state: attention maps and the inner states of one layer application.

Dimensions: B batch, S chosen sentences, T tokens, H hidden, A heads, I feed-forward width.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.iteration import Layer
from models.layer import albert_layer, run_attention, run_tail


@dataclass(frozen=True)
class LayerRecord:
    """One application of the layer to S sentences."""

    attention: Tensor
    """Attention probabilities [S, A, T, T], query before key; rows sum to 1, padding keys have 0."""
    context: Tensor
    """c [S, T, H], the heads' outputs side by side, before W_o."""
    block: Tensor
    """p [S, T, H], the attention block's output: after W_o, residual and LayerNorm."""
    activation: Tensor
    """g(W_1 p + b_1) [S, T, I]."""
    output: Tensor
    """F(h) [S, T, H], as with eager attention."""


@torch.no_grad()
def record_layer(
    layer: Layer, h_BTH: Tensor, mask: Tensor | None = None, sentences: Sequence[int] | None = None
) -> LayerRecord:
    """Apply the layer once more to the chosen `sentences` (all without them) of h_t and keep what is inside of F.

    An observer that gets h_t records what layer t + 1 does with it; only the chosen sentences cost anything.

    Raises:
        ValueError: `layer` is no ALBERT layer, or a sentence that is not in the batch.
    """
    shared = albert_layer(layer)
    if sentences is not None:
        if wrong := [s for s in sentences if not 0 <= s < len(h_BTH)]:
            raise ValueError(f"sentence {wrong[0]} is not in a batch of {len(h_BTH)}; give 0 to {len(h_BTH) - 1}")
        chosen = torch.as_tensor(sentences, device=h_BTH.device)
        h_BTH = h_BTH[chosen]
        mask = mask if mask is None else mask[chosen]
    attention = run_attention(shared, h_BTH, mask)
    tail = run_tail(shared, h_BTH + attention.output)
    return LayerRecord(
        attention=attention.probabilities,
        context=attention.context,
        block=tail.block.value,
        activation=tail.activation,
        output=tail.output.value,
    )


def finite_rows(h: Tensor) -> Tensor:
    """Which sentences of `h` [B, ...] have only finite entries, bool [B]."""
    # NaN passes through minimum and maximum; a sum of finite entries could overflow.
    flat = h.flatten(1)
    return torch.isfinite(flat.amin(1)) & torch.isfinite(flat.amax(1))
