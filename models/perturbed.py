"""An encoder evaluated at weights with noise; its own weights are never touched (Liu et al. 2020, arXiv:2004.08249).

Dimensions: B batch, T tokens, H hidden, P parameters.
"""

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Generator, Tensor
from torch.func import functional_call
from transformers import PreTrainedModel

from models.transformer import model_inputs
from models.weights import few

Inputs = tuple[Tensor, Tensor | None, Tensor]
"""input_ids, token_type_ids and attention_mask, [B, T] each."""
Noise = Literal["absolute", "relative"]
"""absolute: the same standard deviation for every weight, as published. relative: in units of the root mean square of
the tensor that the weight is in; a tensor of zeros gets none."""


def unit_noise(model: PreTrainedModel, generator: Generator) -> dict[str, Tensor]:
    """Standard normal noise for every parameter tensor (biases, LayerNorms, embeddings; what layers share once).

    Drawn in float32 on the CPU in the order of `named_parameters`, so that it is the same in every precision and on
    every device; on the model's device.
    """
    return {
        name: torch.empty(p.shape, dtype=torch.float32).normal_(generator=generator).to(p.device)
        for name, p in model.named_parameters()
    }


def first_states(model: PreTrainedModel, inputs: Inputs, dtype: torch.dtype | None = None) -> Tensor:
    """The last level at position 0, [B, H], at the model's own weights, computed in `dtype` (None: the model's)."""
    if dtype in (None, model.dtype):
        return _first(model, {}, inputs)
    return _first(model, {name: p.detach().to(dtype) for name, p in model.named_parameters()}, inputs, dtype)


def perturbed_states(
    model: PreTrainedModel,
    inputs: Inputs,
    noise: Mapping[str, Tensor],
    std: float,
    *,
    kind: Noise = "absolute",
    dtype: torch.dtype | None = None,
) -> Tensor:
    """The last level at position 0, [B, H], at the weights plus `std` times noise, computed in `dtype`.

    Beside weights and noise this holds one copy of the weights, in `dtype`.

    Args:
        noise: a tensor for each parameter, as `unit_noise` makes them; a pooler's, which no level depends on, may be
            left over.

    Raises:
        ValueError: noise is missing, left over, or of another shape (named).
    """
    kept = dtype or model.dtype
    weights = dict(model.named_parameters())
    _check_noise(weights, noise)
    moved = {}
    for name, weight in weights.items():
        exact = weight.detach().to(kept)
        size = std if kind == "absolute" else std * root_mean_square(weight)
        moved[name] = torch.add(exact, noise[name].to(exact), alpha=size)
    return _first(model, moved, inputs, kept)


def perturbation_distances(
    model: PreTrainedModel,
    inputs: Inputs,
    noise: Mapping[str, Tensor],
    std: float = 1.0,
    *,
    kind: Noise = "absolute",
    dtype: torch.dtype | None = None,
) -> Tensor:
    """||y(theta) - y(theta + std noise)||_2 over H, [B], where y is the last level at position 0.

    Raises:
        ValueError: as `perturbed_states`.
    """
    clean = first_states(model, inputs, dtype)
    return distances(clean, perturbed_states(model, inputs, noise, std, kind=kind, dtype=dtype))


def distances(clean_BH: Tensor, noisy_BH: Tensor) -> Tensor:
    """The length of the difference of two states, [B], in the wider of their precisions."""
    return torch.linalg.vector_norm(noisy_BH - clean_BH, dim=-1)


def root_mean_square(weight: Tensor) -> float:
    """sqrt(mean w^2), in float64."""
    return math.sqrt(float(weight.detach().double().square().mean()))


@torch.no_grad()
def _first(
    model: PreTrainedModel, weights: dict[str, Tensor], inputs: Inputs, dtype: torch.dtype | None = None
) -> Tensor:
    given = model_inputs(model, *inputs)
    if not weights:
        return model(**given).last_hidden_state[:, 0]
    # Buffers that take part in the computation, such as rotary frequencies, must have the precision of the weights.
    floats = {name: b.to(dtype) for name, b in model.named_buffers() if b.is_floating_point()}
    return functional_call(model, {**weights, **floats}, args=(), kwargs=given).last_hidden_state[:, 0]


def _check_noise(weights: Mapping[str, Tensor], noise: Mapping[str, Tensor]) -> None:
    if missing := sorted(set(weights) - set(noise)):
        raise ValueError(f"there is no noise for {few(missing)}; give one tensor a parameter")
    if extra := sorted(name for name in set(noise) - set(weights) if not name.startswith("pooler.")):
        raise ValueError(f"there is noise for {few(extra)}, which the model does not have; give the model's own names")
    if wrong := sorted(name for name, weight in weights.items() if noise[name].shape != weight.shape):
        raise ValueError(f"the noise for {few(wrong)} has another shape than the weights")
