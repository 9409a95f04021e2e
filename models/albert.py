"""An ALBERT that is an iterated map of one shared layer: its configuration, its weights loaded or drawn.

The weights are Hugging Face's `AlbertModel`; `models.iteration`, whose names are here too, takes it apart.
"""

from pathlib import Path
from typing import Any, Literal

import torch
from transformers import AlbertConfig, AlbertModel

from models.initialisation import InitStyle, draw_weights
from models.iteration import (
    Layer,
    Observer,
    check_iterated,
    embed,
    iterate,
    layers_of,
    padding_mask,
    pool,
    shared_layer,
)
from models.weights import read_config, read_weights

Attention = Literal["sdpa", "eager"]

__all__ = [
    "Attention", "InitStyle", "Layer", "Observer", "check_iterated", "embed", "iterate", "layers_of", "load_albert",
    "load_config", "padding_mask", "pool", "random_albert", "scratch_config", "shared_layer",
]  # fmt: skip


def scratch_config(
    hidden_size: int,
    heads: int | None = None,
    intermediate_size: int | None = None,
    embedding_size: int = 128,
    vocab_size: int = 30000,
    max_position: int = 512,
    pad_token_id: int = 0,
    attention: Attention = "sdpa",
) -> AlbertConfig:
    """The configuration of an ALBERT with the v2 settings: gelu_new, LayerNorm eps 1e-12, no encoder dropout.

    Heads default to H/64 (at least 1), the feed-forward width to 4H: 768, 1024, 4096 are the published base, large,
    xxlarge; xlarge is 2048 with 16 heads (Lan et al., ALBERT, 2020, table 1). The number of layers is left at 1:
    depth is an argument of `iterate`, no property of the weights.

    Raises:
        ValueError: when the heads do not divide the width.
    """
    heads = heads or max(1, hidden_size // 64)
    if hidden_size % heads:
        raise ValueError(f"width {hidden_size} is no multiple of {heads} heads; give heads that divide it")
    config = AlbertConfig(
        vocab_size=vocab_size,
        embedding_size=embedding_size,
        hidden_size=hidden_size,
        num_hidden_layers=1,
        num_hidden_groups=1,
        inner_group_num=1,
        num_attention_heads=heads,
        intermediate_size=intermediate_size or 4 * hidden_size,
        hidden_act="gelu_new",
        layer_norm_eps=1e-12,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        classifier_dropout_prob=0.1,
        max_position_embeddings=max_position,
        pad_token_id=pad_token_id,
    )
    config._attn_implementation = attention  # what the keyword does, which the typed signature does not name
    return config


def load_config(path_or_name: str | Path, revision: str | None = None) -> AlbertConfig:
    """The checked configuration of a local directory or of a hub model at `revision`.

    Raises:
        ValueError: it cannot be read, or is no iterated map (`check_iterated`).
    """
    config = read_config(path_or_name, revision, "an ALBERT checkpoint, e.g. albert/albert-large-v2")
    check_iterated(config, str(path_or_name))
    return config


def load_albert(
    path_or_name: str | Path,
    revision: str | None = None,
    dtype: torch.dtype = torch.float32,
    attention: Attention = "sdpa",
    pickled: bool = False,
    pooler: bool = True,
) -> AlbertModel:
    """Load pretrained weights from a local directory or from the hub at `revision`, in evaluation mode.

    Only safetensors are read, since a pickle can run code; with `pickled`, where there are none, pytorch_model.bin too,
    of which torch then takes tensors alone. Every weight must be in the checkpoint: a missing one would be drawn at
    random in silence. Without `pooler` the model has none and its weights may be missing.

    Raises:
        ValueError: unreadable, no iterated map (`check_iterated`), or weights missing.
    """
    config = load_config(path_or_name, revision)
    config._attn_implementation = attention

    given: dict[str, Any] = {"config": config, "revision": revision or "main", "dtype": dtype}
    model, report = read_weights(
        AlbertModel, path_or_name, "weights", pickled=pickled, add_pooling_layer=pooler, **given
    )
    if missing := sorted(report["missing_keys"]):
        raise ValueError(
            f"{path_or_name} lacks the weights {', '.join(missing)}; save the whole AlbertModel, pooler included"
        )
    return model.eval()


def random_albert(
    config: AlbertConfig, init_style: InitStyle, seed: int, dtype: torch.dtype = torch.float32
) -> AlbertModel:
    """An AlbertModel whose weights depend on (config, init_style, seed) alone, in evaluation mode.

    Drawn in float32 on the CPU from an own generator in the order of `named_parameters`, then cast: float64 and float32
    models share their weights, and the global random state is left as it was. The styles are those of
    `models.initialisation`.

    Raises:
        ValueError: another style, or a configuration that is no iterated map.
    """
    check_iterated(config)
    with torch.random.fork_rng(devices=[]):  # the constructor draws weights of its own, which are overwritten below
        model = AlbertModel(config)
    draw_weights(model, init_style, torch.Generator().manual_seed(seed))
    return model.eval().to(dtype)  # pyright: ignore[reportArgumentType]  # the decorated method loses its `self`
