"""The LayerNorms of any encoder: where they are applied, and what enters each application, by hooks.

A site is one application: the shared layer of an ALBERT of L layers has 2 L sites. Sites are numbered in the order of
application. One that is applied between the states of the levels n - 1 and n belongs to layer n, one before level 0 to
the embeddings (0).

Dimensions: B batch, T tokens, H width of what enters, L layers.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from models.any_encoder import hidden_states

OWN_NAMES = ("DebertaLayerNorm",)
"""LayerNorms that the library writes as modules of its own, with the same formula."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """One application of a LayerNorm in a pass."""

    name: str
    """Name of the module in the encoder."""
    layer: int
    """0: the embeddings; else 1 … L."""
    place: int
    """Which site of its layer, from 1."""
    kind: str
    """attention and ffn: the two of a layer whose residual sums enter them (BERT and its like); else the last part of
    the module's name."""
    eps: float
    gain: Tensor
    """|gamma| [H], what each feature is stretched by after it has been normalised."""


def is_layer_norm(module: nn.Module) -> bool:
    """Whether a module is gamma * (v - mean) / sqrt(var + eps) + beta over the last dimension."""
    return isinstance(module, nn.LayerNorm) or type(module).__name__ in OWN_NAMES


def structural_nulls(module: nn.Module) -> int:
    """Directions that a normalising module's derivative takes away: 2 of a LayerNorm, 1 of an RMSNorm, else 0.

    A LayerNorm does not see a constant added to all features, and what scales the centred features changes its output
    by no more than eps lets through. An RMSNorm has the second alone.
    """
    return 2 if is_layer_norm(module) else int(type(module).__name__.endswith("RMSNorm"))


@torch.no_grad()
def layer_norm_sites(
    model: PreTrainedModel, input_ids: Tensor, token_type_ids: Tensor | None, attention_mask: Tensor
) -> dict[int, Site]:
    """The sites by their number in the order of application, found in a pass of the first sentence.

    Numbers are left out where no states [B, T, H] enter: the LayerNorm of relative positions of some types.

    Raises:
        ValueError: a model without LayerNorms; says its type.
    """
    entered: list[tuple[str, nn.Module, tuple[int, ...]]] = []
    born: list[tuple[Tensor, int, bool]] = []  # kept alive, so that no later tensor takes an address

    def after(module: nn.Module, given: object, output: object) -> None:
        first = output[0] if isinstance(output, tuple) else output
        if isinstance(first, Tensor):
            born.append((first, len(entered), is_layer_norm(module)))

    one = [None if x is None else x[:1] for x in (input_ids, token_type_ids, attention_mask)]
    with contextlib.ExitStack() as stack:
        stack.enter_context(_before_norms(model, lambda name, module, v: entered.append((name, module, v.shape))))
        for module in model.modules():
            stack.callback(module.register_forward_hook(after).remove)
        states = hidden_states(model, one[0], one[1], one[2])  # pyright: ignore[reportArgumentType]
    ends, post = [], []  # of each level: the norms applied before it was there, whether one of them made it
    for h_BTH in states:
        found = [(n, norm) for x, n, norm in born if x.data_ptr() == h_BTH.data_ptr() and x.shape == h_BTH.shape]
        ends.append(found[0][0] if found else 0)
        post.append(bool(found) and found[0][1])
    layers: dict[int, list[int]] = {}
    for number, (_, _, shape) in enumerate(entered):
        if len(shape) == 3 and shape[1] == input_ids.shape[1]:
            layer = next((n for n, end in enumerate(ends) if number < end), len(ends) - 1)
            layers.setdefault(layer, []).append(number)
    sites = {}
    for layer, numbers in layers.items():
        named = ("attention", "ffn") if layer > 0 and post[layer] and len(numbers) == 2 else None
        for place, number in enumerate(numbers):
            name, module, shape = entered[number]
            sites[number] = Site(
                name=name,
                layer=layer,
                place=place + 1,
                kind=named[place] if named else name.rsplit(".", 1)[-1],
                eps=float(getattr(module, "eps", None) or getattr(module, "variance_epsilon", 0.0)),
                gain=_gain(module, shape[-1]),
            )
    return dict(sorted(sites.items()))


@contextlib.contextmanager
def watched_layer_norms(
    model: nn.Module, sites: Mapping[int, Site], seen: Callable[[int, Site, Tensor], None]
) -> Iterator[None]:
    """One pass of the model inside calls `seen(number, site, v [B, T, H])` for each site; nothing is kept.

    The hooks are gone when it ends, whatever happens.

    Raises:
        ValueError: a model without LayerNorms, or a pass that applies others than the sites say.
    """
    count = 0

    def before(name: str, module: nn.Module, v: Tensor) -> None:
        nonlocal count
        number, count = count, count + 1
        site = sites.get(number)
        if site is not None and site.name != name:
            raise ValueError(f"LayerNorm {number} of the pass is {name}, not {site.name}: run one pass at a time")
        if site is not None:
            seen(number, site, v)

    with _before_norms(model, before):
        yield


@contextlib.contextmanager
def _before_norms(model: nn.Module, seen: Callable[[str, nn.Module, Tensor], None]) -> Iterator[None]:
    norms = [(name, module) for name, module in model.named_modules() if is_layer_norm(module)]
    if not norms:
        kind = getattr(getattr(model, "config", None), "model_type", type(model).__name__)
        others = sorted({type(m).__name__ for m in model.modules() if type(m).__name__.endswith("Norm")})
        instead = f" (it has {', '.join(others)})" if others else ""
        raise ValueError(f"a model of the type {kind!r} has no LayerNorm{instead}; give one that has, like BERT")
    with contextlib.ExitStack() as stack:
        for name, module in norms:

            def before(module: nn.Module, given: tuple[Tensor, ...], name: str = name) -> None:
                seen(name, module, given[0])

            stack.callback(module.register_forward_pre_hook(before).remove)
        yield


def _gain(module: nn.Module, width: int) -> Tensor:
    weight = getattr(module, "weight", None)
    return torch.ones(width) if weight is None else weight.detach().abs()
