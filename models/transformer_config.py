"""Configurations of the four types of encoder: ALBERT, BERT, DistilBERT, RoBERTa. Read, checked, or made from sizes."""

from pathlib import Path
from typing import Any, Literal, get_args

from transformers import AlbertConfig, BertConfig, DistilBertConfig, PreTrainedConfig, RobertaConfig

from models.weights import read_config

Architecture = Literal["albert", "bert", "distilbert", "roberta"]
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)


def scratch_transformer_config(
    architecture: Architecture,
    *,
    layers: int,
    width: int,
    heads: int | None = None,
    intermediate: int | None = None,
    embedding: int | None = None,
    vocab_size: int = 30000,
    positions: int = 512,
    pad_token_id: int = 0,
) -> PreTrainedConfig:
    """The configuration of a model of these sizes with the other settings of the published checkpoint.

    That is dropout 0.1 (none in ALBERT v2), GELU and LayerNorm eps of each, and a standard deviation of new weights of
    0.02 sqrt(768 / width). Heads default to H/64 (at least 1), the feed-forward width to 4H, the embedding size
    (ALBERT's alone) to 128. `positions` are usable ones.

    Raises:
        ValueError: another architecture, heads that do not divide the width, or an embedding size for another model.
    """
    heads = heads or max(1, width // 64)
    if width % heads:
        raise ValueError(f"width {width} is no multiple of {heads} heads; give heads that divide it")
    if embedding is not None and architecture != "albert":
        raise ValueError(f"embedding is {embedding}; {architecture} has its width there, only albert takes another one")
    wide = intermediate or 4 * width
    # At the published width of 768 this is the published 0.02; at another one a layer has the same gain as there.
    spread = 0.02 * (768 / width) ** 0.5
    shared: dict[str, Any] = {"vocab_size": vocab_size, "pad_token_id": pad_token_id, "initializer_range": spread}
    usual: dict[str, Any] = {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": wide,
    }
    if architecture == "albert":
        return AlbertConfig(
            **shared, **usual, embedding_size=embedding or 128, max_position_embeddings=positions,
            hidden_act="gelu_new", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, layer_norm_eps=1e-12,
        )  # fmt: skip
    if architecture == "bert":
        return BertConfig(**shared, **usual, max_position_embeddings=positions)
    if architecture == "distilbert":
        return DistilBertConfig(
            **shared, dim=width, n_layers=layers, n_heads=heads, hidden_dim=wide, max_position_embeddings=positions
        )
    if architecture == "roberta":
        # Its positions are counted from the padding's id onwards.
        taken = positions + pad_token_id + 1
        return RobertaConfig(**shared, **usual, max_position_embeddings=taken, type_vocab_size=1, layer_norm_eps=1e-5)
    raise ValueError(f"architecture is {architecture!r}; choose {choices()}")


def load_transformer_config(path_or_name: str | Path, revision: str | None = None) -> PreTrainedConfig:
    """The configuration of a local directory or of a hub model at `revision`.

    Raises:
        ValueError: it cannot be read, wants to run code of its own, or is of another type than the four.
    """
    config = read_config(path_or_name, revision, f"a checkpoint of the type {choices()}")
    check_transformer(config, str(path_or_name))
    return config


def check_transformer(config: PreTrainedConfig, name: str) -> None:
    """Refuse what is no encoder of the four types.

    Raises:
        ValueError: with the type that it has.
    """
    if config.model_type not in ARCHITECTURES:
        raise ValueError(f"{name} is of the type {config.model_type!r}; give a model of the type {choices()}")
    if getattr(config, "is_decoder", False):
        raise ValueError(f"{name} is a decoder (is_decoder in its config.json); give an encoder")


def layers_of_config(config: PreTrainedConfig) -> int:
    """L: an ALBERT group may hold several layers, each of which makes a level."""
    inner = config.inner_group_num if isinstance(config, AlbertConfig) else 1
    return config.num_hidden_layers * inner


def longest(config: PreTrainedConfig) -> int:
    """Tokens that a text may have: RoBERTa counts its positions from the padding's id onwards."""
    taken = (config.pad_token_id or 0) + 1 if config.model_type == "roberta" else 0
    return config.max_position_embeddings - taken


def choices() -> str:
    """The four types, for a message."""
    return f"{', '.join(ARCHITECTURES[:-1])} or {ARCHITECTURES[-1]}"
