"""DeepBert on disk (config.json and model.safetensors), and from and to the library's BERT where they are one network.

They are one where DeepBert is post-LN with lambda = beta = 1 and no factor before the decoder: the library's LayerNorm
behind a sum is the one at the beginning of the next step here. In evaluation mode the outputs are equal; in training
the library drops out embeddings behind their LayerNorm, and this project before it, as the published runs did.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import BertConfig, BertForPreTraining

from models.deep_bert import DeepBert, DeepBertConfig
from models.weights import few, read_config, read_weights

CONFIG, WEIGHTS = "config.json", "model.safetensors"
MODEL_TYPE = "deep_bert"

# Ours to the library's; of a layer, with its number before both.
_TOP = {
    "embeddings.word.weight": "bert.embeddings.word_embeddings.weight",
    "embeddings.position.weight": "bert.embeddings.position_embeddings.weight",
    "embeddings.token_type.weight": "bert.embeddings.token_type_embeddings.weight",
    "mlm_dense": "cls.predictions.transform.dense",
    "mlm_norm": "cls.predictions.transform.LayerNorm",
    "mlm_bias": "cls.predictions.bias",
    "pooler": "bert.pooler.dense",
    "order": "cls.seq_relationship",
}
_LAYER = {
    "out": "attention.output.dense",
    "mlp_norm": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
}
_QKV = tuple(f"attention.self.{name}" for name in ("query", "key", "value"))


def save_deep_bert(model: DeepBert, directory: Path, weights: dict[str, Tensor] | None = None) -> None:
    """Write config.json and model.safetensors into an existing directory.

    Args:
        model: its configuration is written, and its weights.
        directory: there it is written.
        weights: instead of the model's own, where they are gathered from several processes.
    """
    state = model.state_dict() if weights is None else weights
    save_file({name: x.detach().to("cpu").contiguous() for name, x in state.items()}, directory / WEIGHTS)
    config = {"model_type": MODEL_TYPE, **dataclasses.asdict(model.config)}
    (directory / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def load_deep_bert(directory: Path, **changed: Any) -> DeepBert:
    """The model of a directory in evaluation mode, float32; `changed` replaces fields of its configuration (dropout).

    Raises:
        ValueError: no such checkpoint, another type, or weights that are missing, left over or of another shape.
    """
    try:
        given = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
        state = load_file(directory / WEIGHTS)
    except (OSError, ValueError, SafetensorError) as problem:
        raise ValueError(f"{directory}: no checkpoint of {MODEL_TYPE} can be read there: {problem}") from problem
    if not isinstance(given, dict) or given.pop("model_type", None) != MODEL_TYPE:
        raise ValueError(f"{directory / CONFIG} is not of the type {MODEL_TYPE}; give a directory that a sweep wrote")
    known = {field.name for field in dataclasses.fields(DeepBertConfig)}
    if wrong := sorted(given.keys() ^ known):
        raise ValueError(f"{directory / CONFIG}: fields missing or unknown: {', '.join(wrong)}")
    model = unset_deep_bert(DeepBertConfig(**(given | changed)))
    try:
        model.load_state_dict(state)
    except RuntimeError as problem:
        raise ValueError(f"{directory / WEIGHTS} does not fit its config.json: {problem}") from problem
    return model.eval()


def unset_deep_bert(config: DeepBertConfig) -> DeepBert:
    """A DeepBert whose weights mean nothing yet. The global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        return DeepBert(config)


def read_hugging_face(place: str | Path, revision: str | None = None, pickled: bool = False) -> DeepBert:
    """The library's BERT of a directory or of the hub as DeepBert, in evaluation mode, float32.

    Heads of pretraining that the checkpoint lacks are zero, since a model that is finetuned does not use them.

    Raises:
        ValueError: unreadable, no BERT, missing weights of the encoder or pooler, or another network than DeepBert.
    """
    config = read_config(place, revision, "a BERT checkpoint")
    if config.model_type != "bert":
        raise ValueError(f"{place} is of the type {config.model_type!r}; give a BERT checkpoint")
    given = {"config": config, "revision": revision, "dtype": torch.float32}
    model, report = read_weights(BertForPreTraining, place, "weights", pickled=pickled, **given)
    missing = sorted(report["missing_keys"])
    if lacking := [name for name in missing if name.startswith("bert.")]:
        raise ValueError(f"{place} lacks weights of the encoder: {few(lacking)}")
    with torch.no_grad():
        for name in missing:
            model.get_parameter(name).zero_()
    return from_hugging_face(model)


def from_hugging_face(model: BertForPreTraining) -> DeepBert:
    """A copy of the library's model with its heads, in evaluation mode.

    Raises:
        ValueError: its activation or its positions are others than DeepBert has.
    """
    theirs: Any = model.config
    if getattr(theirs, "position_embedding_type", "absolute") not in (None, "absolute"):
        raise ValueError(f"positions are {theirs.position_embedding_type!r}; expected absolute ones")
    config = DeepBertConfig(
        layers=theirs.num_hidden_layers,
        width=theirs.hidden_size,
        heads=theirs.num_attention_heads,
        intermediate=theirs.intermediate_size,
        vocab_size=theirs.vocab_size,
        max_length=theirs.max_position_embeddings,
        token_types=theirs.type_vocab_size,
        norm="post",
        activation=theirs.hidden_act,
        dropout=theirs.hidden_dropout_prob,
        attention_dropout=theirs.attention_probs_dropout_prob,
        norm_eps=theirs.layer_norm_eps,
    )
    state = model.state_dict()
    ours: dict[str, Tensor] = {}
    for mine, other in _names(config):
        ours[mine] = state[other] if isinstance(other, str) else torch.cat([state[name] for name in other])
    copy = unset_deep_bert(config).to(next(model.parameters()).dtype)
    copy.load_state_dict(ours)
    return copy.eval()


def to_hugging_face(model: DeepBert) -> BertForPreTraining:
    """A copy as the library's BertForPreTraining, in evaluation mode.

    Raises:
        ValueError: pre-LN, a scaled residual or a scaled head, which the library's BERT has not.
    """
    config = model.config
    if config.norm != "post" or (config.skip, config.branch, config.logit_scale) != (1.0, 1.0, 1.0):
        raise ValueError(
            f"norm is {config.norm}, lambda {config.skip:g}, beta {config.branch:g}, the head's factor "
            f"{config.logit_scale:g}; the library's BERT is post-LN with all three 1"
        )
    theirs = BertConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=config.intermediate,
        hidden_act=config.activation,
        hidden_dropout_prob=config.dropout,
        attention_probs_dropout_prob=config.attention_dropout,
        max_position_embeddings=config.max_length,
        type_vocab_size=config.token_types,
        layer_norm_eps=config.norm_eps,
    )
    with torch.random.fork_rng(devices=[]):
        copy = BertForPreTraining(theirs).to(model.mlm_bias.dtype)  # pyright: ignore[reportArgumentType]
    state = model.state_dict()
    given: dict[str, Tensor] = {}
    for mine, other in _names(config):
        if isinstance(other, str):
            given[other] = state[mine]
        else:
            given |= dict(zip(other, state[mine].chunk(3), strict=True))
    given["cls.predictions.decoder.weight"] = given["bert.embeddings.word_embeddings.weight"]
    given["cls.predictions.decoder.bias"] = given["cls.predictions.bias"]
    copy.load_state_dict(given)
    return copy.eval()


def _names(config: DeepBertConfig) -> list[tuple[str, str | tuple[str, ...]]]:
    """(name here, name or names of the library), of every tensor."""
    pairs: list[tuple[str, str | tuple[str, ...]]] = []

    def both(mine: str, other: str) -> None:
        pairs.extend((f"{mine}.{part}", f"{other}.{part}") for part in ("weight", "bias"))

    for mine, other in _TOP.items():
        if mine.endswith("weight") or mine == "mlm_bias":
            pairs.append((mine, other))
        else:
            both(mine, other)
    behind = "bert.embeddings.LayerNorm"  # the LayerNorm behind the previous sum is the one before this layer
    for i in range(config.layers):
        mine, other = f"layers.{i}", f"bert.encoder.layer.{i}"
        both(f"{mine}.attention_norm", behind)
        for part in ("weight", "bias"):
            pairs.append((f"{mine}.qkv.{part}", tuple(f"{other}.{name}.{part}" for name in _QKV)))
        for ours, theirs in _LAYER.items():
            both(f"{mine}.{ours}", f"{other}.{theirs}")
        behind = f"{other}.output.LayerNorm"
    both("final_norm", behind)
    return pairs
