"""The encoder as an iterated map: h_0 from the embeddings, h_{t+1} = F(h_t), a pooled first token.

For ALBERT F is one shared layer, for BERT-like encoders the layers in their order. One pass to depth N yields the
states of every depth n <= N. That is the same computation as N separate passes iff the weights are frozen, the encoder
is deterministic and, where depth is free, there is one hidden group with one inner layer; `check_iterated`
refuses configurations that break the last two.

Dimensions: B batch, T tokens, E embedding, H hidden.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import AlbertModel
from transformers.masking_utils import create_bidirectional_mask

Layer = Callable[[Tensor, Tensor | None], Tensor]
"""F: (h [B, T, H], mask) -> h [B, T, H]."""
Observer = Callable[[int, Tensor], None]
"""Called with (t, h_t [B, T, H]) on the device; a state that it does not keep is freed."""


def check_iterated(config: Any, name: str = "the model") -> None:
    """Refuse what is no deterministic iterated map of one layer.

    The frozen encoder runs in evaluation mode, where dropout is off anyway. Yet a checkpoint that was published with
    dropout (ALBERT v1, which also has another activation) gives other numbers than the v2 one that the experiments are
    about, and a trained encoder would use it; so it is refused for both.

    Raises:
        ValueError: no ALBERT, several hidden groups or inner layers, or encoder dropout.
    """
    kind = getattr(config, "model_type", None)
    if kind != "albert":
        raise ValueError(f"{name} is of model type {kind!r}; give an ALBERT checkpoint, e.g. albert/albert-large-v2")
    for field in ("num_hidden_groups", "inner_group_num"):
        if getattr(config, field) != 1:
            raise ValueError(f"{name} has {field} = {getattr(config, field)}; depth needs one shared layer, so 1")
    for field in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
        if getattr(config, field) != 0:
            raise ValueError(
                f"{name} has {field} = {getattr(config, field)}; give a v2 checkpoint, or set it to 0 in config.json"
            )


def shared_layer(model: AlbertModel) -> Layer:
    """F, the one encoder layer."""
    groups: Any = model.encoder.albert_layer_groups
    return groups[0].albert_layers[0]


def layers_of(model: Any) -> Layer | list[Layer]:
    """What `iterate` applies: an ALBERT's one shared layer, or the layers of a BERT-like encoder in their order.

    Raises:
        ValueError: an ALBERT of several layers, or an encoder without a list of layers.
    """
    if model.config.model_type == "albert":
        check_iterated(model.config)
        return shared_layer(model)
    layers = getattr(getattr(model, "encoder", None), "layer", None)
    if layers is None:
        raise ValueError(f"{type(model).__name__} has no `encoder.layer`; give an ALBERT or a BERT-like encoder")
    return list(layers)


def embed(model: Any, input_ids: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
    """h_0 [B, T, H] of `input_ids` [B, T] and `token_type_ids` [B, T]: embeddings and LayerNorm, for ALBERT followed by
    the projection to H."""
    e_BTE = model.embeddings(input_ids, token_type_ids=token_type_ids)
    return model.encoder.embedding_hidden_mapping_in(e_BTE) if model.config.model_type == "albert" else e_BTE


def padding_mask(model: Any, attention_mask: Tensor | None, h: Tensor) -> Tensor | None:
    """The mask that the layer wants for `attention_mask` [B, T] (1 a token, 0 padding) and states like `h` [B, T, H].

    None (nothing is masked) when there is no padding or `attention_mask` is None. The kind follows the model's
    attention: boolean [B, 1, T, T] for sdpa, additive for eager. Padding positions still ask, they only are not asked.
    """
    return create_bidirectional_mask(config=model.config, inputs_embeds=h, attention_mask=attention_mask)


def iterate(
    layers: Layer | Sequence[Layer],
    h: Tensor,
    steps: int,
    mask: Tensor | None = None,
    observers: Sequence[Observer] = (),
    start: int = 0,
) -> Tensor:
    """Apply `steps` layers to `h` = h_start [B, T, H] and return h_{start+steps} [B, T, H].

    One layer is applied again and again; of a sequence (`layers_of`) layer t makes h_t, each being used once. Observers
    see every state: h_0 too, but not h_start of a pass that goes on from `start` > 0, which the earlier part has shown
    already. No state is kept here.

    Raises:
        ValueError: a negative number of steps, or more than a sequence has layers.
    """
    if steps < 0:
        raise ValueError(f"steps is {steps}; give 0 or more")
    if isinstance(layers, Sequence) and not 0 <= start <= start + steps <= len(layers):
        raise ValueError(
            f"layers {start + 1} to {start + steps} of an encoder that has {len(layers)}; give fewer steps"
        )
    if start == 0:
        for observe in observers:
            observe(0, h)
    for t in range(start + 1, start + steps + 1):
        h = (layers[t - 1] if isinstance(layers, Sequence) else layers)(h, mask)
        for observe in observers:
            observe(t, h)
    return h


def pool(model: AlbertModel, h: Tensor) -> Tensor:
    """z [B, H] = tanh(W h[:, 0] + b): ALBERT's pooler on the first token of `h` [B, T, H]."""
    assert model.pooler is not None  # `load_albert` and `random_albert` always make one
    return torch.tanh(model.pooler(h[:, 0]))
