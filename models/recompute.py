"""Layers that are run again in the backward pass, so that only their inputs are kept: memory for time, equal numbers.

Dimensions: B batch, T tokens, H hidden, L layers.
"""

from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedConfig, PreTrainedModel

SAVED_WIDTHS = 24  # [B, T, H] that autograd keeps for a layer of feed-forward width 4H; about 20 are measured
SAVED_SCORES = 3  # [B, heads, T, T] that it keeps where attention is not fused, as with dropout on a CPU; measured


def layer_modules(model: PreTrainedModel) -> list[nn.Module]:
    """The layers of an encoder of the four types (or of a model with a head on one), each once where they are shared.

    Raises:
        ValueError: another type of model.
    """
    encoder: Any = model.base_model
    kind = model.config.model_type
    if kind in ("bert", "roberta"):
        return list(encoder.encoder.layer)
    if kind == "distilbert":
        return list(encoder.transformer.layer)
    if kind == "albert":
        return [layer for group in encoder.encoder.albert_layer_groups for layer in group.albert_layers]
    raise ValueError(f"models of the type {kind!r} have no known layers")


def recompute_layers(model: PreTrainedModel) -> None:
    """From now on keep the input of each layer alone and run it again in the backward pass, with the same dropout."""
    for layer in layer_modules(model):
        plain = layer.forward

        def forward(*args: Any, plain: Any = plain, **kwargs: Any) -> Any:
            return checkpoint(plain, *args, use_reentrant=False, preserve_rng_state=True, **kwargs)

        layer.forward = forward


def activation_bytes(config: PreTrainedConfig, layers: int, batch: int, tokens: int, itemsize: int) -> int:
    """Estimated bytes that autograd keeps for `layers` applications of a layer to [B, T] tokens.

    SAVED_WIDTHS H-vectors a token, more with a wider feed-forward part, and SAVED_SCORES attention matrices.
    """
    wide = config.hidden_dim if config.model_type == "distilbert" else config.intermediate_size
    widths = SAVED_WIDTHS / 4 * max(4.0, wide / config.hidden_size) * config.hidden_size
    scores = SAVED_SCORES * config.num_attention_heads * tokens
    return int(layers * batch * tokens * (widths + scores) * itemsize)
