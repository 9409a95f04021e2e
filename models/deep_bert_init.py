"""How a DeepBert's weights are drawn: normal with mean 0, a standard deviation a tensor, biases 0, gains 1.

`vanilla`: 0.02 everywhere, BERT's own. `xavier`: the published comparison (tasks/deepscale/README.md 3). DeepScaleLM's
depend on depth, dropout and data; whoever builds the network works them out (`metrics.dslm`) and hands them over as
`Spreads`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.deep_bert import DeepBert, DeepBertConfig


@dataclass(frozen=True, kw_only=True)
class Spreads:
    """Standard deviations. The four of a layer are tuples of one value a layer."""

    embeddings: float
    """Standard deviation of the word, position and type tables."""
    query_key: tuple[float, ...]
    value: tuple[float, ...]
    out: tuple[float, ...]
    """The attention's output matrix."""
    mlp: tuple[float, ...]
    """Both MLP matrices."""
    dense: float
    """The dense matrix of the masked-language-model head, and the pooler."""
    order: float
    """The 2-way head."""


def vanilla_spreads(config: DeepBertConfig, spread: float = 0.02) -> Spreads:
    """One standard deviation everywhere, the original BERT's."""
    each = (spread,) * config.layers
    return Spreads(embeddings=spread, query_key=each, value=each, out=each, mlp=each, dense=spread, order=spread)


def xavier_spreads(config: DeepBertConfig) -> Spreads:
    """The published comparison's: sqrt(2 / (fan in + fan out)), with a head's own rows for queries, keys, values."""
    L, H, D = config.layers, config.width, config.width // config.heads
    head = (2 / (H + D)) ** 0.5
    return Spreads(
        embeddings=H**-0.5,
        query_key=(head,) * L,
        value=(head,) * L,
        out=(H**-0.5,) * L,
        mlp=((2 / (H + config.intermediate)) ** 0.5,) * L,
        dense=H**-0.5,
        order=(2 / (H + 2)) ** 0.5,
    )


@torch.no_grad()
def draw(model: DeepBert, spreads: Spreads, seed: int) -> None:
    """Overwrite every parameter; the weights depend on the configuration, the spreads and the seed alone.

    Drawn in float32 on the CPU, whatever the model's own type and device, so that they are the same everywhere.

    Raises:
        ValueError: spreads of another number of layers.
    """
    L, H = model.config.layers, model.config.width
    if any(len(s) != L for s in (spreads.query_key, spreads.value, spreads.out, spreads.mlp)):
        raise ValueError(f"the spreads are not of {L} layers, as the model is")
    generator = torch.Generator().manual_seed(seed)

    def fill(weight: Tensor, spread: float) -> None:
        weight.copy_(torch.empty(weight.shape, dtype=torch.float32).normal_(std=spread, generator=generator))

    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.zero_()
        elif "norm" in name:
            parameter.fill_(1.0)
    tables = model.embeddings
    for table in (tables.word, tables.position, tables.token_type):
        fill(table.weight, spreads.embeddings)
    for i, layer in enumerate(model.layer_list):
        fill(layer.qkv.weight[: 2 * H], spreads.query_key[i])
        fill(layer.qkv.weight[2 * H :], spreads.value[i])
        fill(layer.out.weight, spreads.out[i])
        fill(layer.up.weight, spreads.mlp[i])
        fill(layer.down.weight, spreads.mlp[i])
    fill(model.mlm_dense.weight, spreads.dense)
    fill(model.pooler.weight, spreads.dense)
    fill(model.order.weight, spreads.order)
