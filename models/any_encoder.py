"""Encoders of every type that the library's `AutoModel` knows, bare or with a new classifier.

Levels of an encoder of L layers are 0, the output of the embeddings (for ALBERT already projected to H), to L, the last
layer's. The four types of `models.transformer` are drawn as there; of the others random weights are the library's own
initialisation.

Dimensions: B batch, T tokens, H hidden, L layers, C outputs.
"""

import inspect
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, MODEL_MAPPING

from models.initialisation import draw_weights
from models.transformer_config import ARCHITECTURES, longest
from models.weights import few, first_line, read_config, read_weights

Attention = Literal["fused", "eager"]
"""fused: what the library takes for the type. eager: every step is a plain operation, whose derivative `vmap` knows,
and probabilities can be asked for; some types (ModernBERT) take its softmax in float32 whatever the precision."""


def load_any_config(path_or_name: str | Path, revision: str | None = None) -> PreTrainedConfig:
    """The configuration of an encoder of any type, from a directory or from the hub at `revision`.

    Raises:
        ValueError: unreadable, or no encoder of tokens.
    """
    config = read_config(path_or_name, revision, "an encoder that AutoModel loads")
    check_encoder(config, str(path_or_name))
    return config


def check_encoder(config: PreTrainedConfig, name: str) -> None:
    """Refuse what does not take tokens, has a decoder, or no `AutoModel`.

    Raises:
        ValueError: with the type that it has.
    """
    kind = config.model_type
    if config.is_encoder_decoder or getattr(config, "is_decoder", False):
        raise ValueError(f"{name} (type {kind!r}) has a decoder; give an encoder")
    if type(config) not in MODEL_MAPPING:
        raise ValueError(f"{name} is of the type {kind!r}, which AutoModel does not load; give an encoder that it does")
    if not all(hasattr(config, field) for field in ("vocab_size", "hidden_size", "num_hidden_layers")):
        raise ValueError(f"{name} is of the type {kind!r}, which is no encoder of tokens; give one like BERT")


def load_any(
    path_or_name: str | Path,
    revision: str | None = None,
    dtype: torch.dtype = torch.float32,
    pickled: bool = False,
    attention: Attention = "fused",
) -> PreTrainedModel:
    """The encoder of a checkpoint in evaluation mode, whatever head it was saved with; without a pooler if it can be.

    Raises:
        ValueError: unreadable or no encoder; weights missing, or left over inside the encoder (named).
    """
    config = load_any_config(path_or_name, revision)
    kind = _class(MODEL_MAPPING, config, str(path_or_name))
    model, report = _read(kind, path_or_name, config, revision, dtype, pickled, attention, _no_pooler(kind))
    _check_keys(model, report, str(path_or_name), {name for name, _ in model.named_children()})
    return model.eval()


def random_any(
    config: PreTrainedConfig, seed: int, dtype: torch.dtype = torch.float32, attention: Attention = "fused"
) -> PreTrainedModel:
    """An encoder whose weights depend on (config, seed) alone, in evaluation mode; without a pooler if it can be.

    Drawn in float32 on the CPU, then cast; the global random state is left as it was.

    Raises:
        ValueError: the configuration of no encoder.
    """
    check_encoder(config, "the configuration")
    kind = _class(MODEL_MAPPING, config, "the configuration")
    return _draw(kind, config, seed, dtype, attention, _no_pooler(kind))


def load_classifier(
    path_or_name: str | Path,
    outputs: int,
    seed: int,
    revision: str | None = None,
    dtype: torch.dtype = torch.float32,
    pickled: bool = False,
    attention: Attention = "fused",
) -> PreTrainedModel:
    """The encoder of a checkpoint with a new classifier of C outputs, in evaluation mode.

    What the checkpoint lacks outside the encoder (the last layer always, the pooler of some) is drawn from the seed
    alone: weights N(0, initializer_range^2), biases 0.

    Raises:
        ValueError: as `load_any`; or the library has no classifier of this type.
    """
    config = load_any_config(path_or_name, revision)
    config.num_labels = outputs
    kind = _class(MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, config, str(path_or_name))
    model, report = _read(kind, path_or_name, config, revision, dtype, pickled, attention, {})
    prefix = model.base_model_prefix
    inner = {name for name, _ in model.base_model.named_children()} - {"pooler"}
    _check_keys(model, report, str(path_or_name), {f"{prefix}.{name}" for name in inner} | inner)
    generator = torch.Generator().manual_seed(seed)
    spread = getattr(config, "initializer_range", 0.02)
    with torch.no_grad():
        # The head is new even where the checkpoint has one: it was trained for another task.
        pooled = {name for name in report["missing_keys"] if ".pooler." in name}
        for name, parameter in model.named_parameters():
            if name in pooled or not name.startswith(f"{prefix}."):
                drawn = torch.zeros(parameter.shape)
                if not name.endswith("bias"):
                    drawn.normal_(std=spread, generator=generator)
                parameter.copy_(drawn)
    return model.eval()


def random_classifier(
    config: PreTrainedConfig,
    outputs: int,
    seed: int,
    dtype: torch.dtype = torch.float32,
    attention: Attention = "fused",
) -> PreTrainedModel:
    """A classifier of C outputs whose weights depend on (config, C, seed) alone, in evaluation mode.

    Raises:
        ValueError: no encoder, or the library has no classifier of this type.
    """
    check_encoder(config, "the configuration")
    # The names of the labels go, since they are those of the number of outputs before.
    fields = {key: value for key, value in config.to_dict().items() if key not in ("id2label", "label2id")}
    config = type(config).from_dict({**fields, "num_labels": outputs})
    kind = _class(MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, config, "the configuration")
    return _draw(kind, config, seed, dtype, attention, {})


def hidden_states(
    model: PreTrainedModel, input_ids: Tensor, token_type_ids: Tensor | None, attention_mask: Tensor
) -> tuple[Tensor, ...]:
    """The states [B, T, H] of the levels 0 … L, from one pass; each is part of the same graph of derivatives."""
    given = model_inputs(model, input_ids, token_type_ids, attention_mask)
    return model(**given, output_hidden_states=True).hidden_states


def attention_maps(
    model: PreTrainedModel, input_ids: Tensor, token_type_ids: Tensor | None, attention_mask: Tensor
) -> tuple[Tensor, ...]:
    """The attention probabilities [B, heads, T, T] (query, key) of each layer; the model must have eager attention."""
    given = model_inputs(model, input_ids, token_type_ids, attention_mask)
    return model(**given, output_attentions=True).attentions


def model_inputs(
    model: PreTrainedModel, input_ids: Tensor, token_type_ids: Tensor | None, attention_mask: Tensor
) -> dict[str, Tensor]:
    """The arguments of the model's forward; token types only where it tells them apart (DistilBERT, RoBERTa: not)."""
    given = {"input_ids": input_ids, "attention_mask": attention_mask}
    if token_type_ids is not None and getattr(model.config, "type_vocab_size", 1) > 1:
        given["token_type_ids"] = token_type_ids
    return given


def positions(config: PreTrainedConfig) -> int:
    """Tokens that a text may have; where the type sets no bound, a very large number."""
    if config.model_type in ("xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl", "roberta-prelayernorm"):
        return config.max_position_embeddings - (config.pad_token_id or 0) - 1
    return longest(config) if getattr(config, "max_position_embeddings", None) else 1 << 30


def _no_pooler(kind: Any) -> dict[str, Any]:
    return {"add_pooling_layer": False} if "add_pooling_layer" in inspect.signature(kind.__init__).parameters else {}


def _class(mapping: Any, config: PreTrainedConfig, name: str) -> Any:
    if type(config) not in mapping:
        raise ValueError(f"{name} is of the type {config.model_type!r}, which has no classifier in the library")
    found = mapping[type(config)]
    return found[0] if isinstance(found, tuple) else found


def _draw(
    kind: Any, config: PreTrainedConfig, seed: int, dtype: torch.dtype, attention: Attention, given: dict[str, Any]
) -> PreTrainedModel:
    config = type(config).from_dict(config.to_dict())
    config._attn_implementation = _implementation(attention)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind(config, **given)
    if config.model_type in ARCHITECTURES:
        draw_weights(model, "hf_default", torch.Generator().manual_seed(seed))
    return model.eval().to(dtype)


def _read(
    kind: Any,
    place: str | Path,
    config: PreTrainedConfig,
    revision: str | None,
    dtype: torch.dtype,
    pickled: bool,
    attention: Attention,
    given: dict[str, Any],
) -> tuple[Any, dict[str, Any]]:
    given |= {
        "config": config,
        "revision": revision or "main",
        "dtype": dtype,
        "attn_implementation": _implementation(attention),
        # Reported, and refused by `_check_keys` inside the encoder; a saved classifier may have other outputs.
        "ignore_mismatched_sizes": True,
    }
    try:
        with torch.random.fork_rng(devices=[]):  # what a checkpoint lacks is drawn, and drawn again by the caller
            return read_weights(kind, place, "weights", pickled=pickled, **given)
    except RuntimeError as problem:  # shapes that are not those of config.json
        raise ValueError(f"cannot load the weights of {place}: {first_line(problem)}") from problem


def _implementation(attention: Attention) -> str | None:
    return "eager" if attention == "eager" else None


def _check_keys(model: nn.Module, report: dict[str, Any], name: str, inner: set[str]) -> None:
    """Refuse weights that are missing or left over in the parts `inner` of a model.

    A missing one would be random in silence; one left over says that config.json describes another model. Heads may be
    left over. The base model's own prefix may stand before the names.
    """

    def inside(key: str) -> bool:
        bare = key.removeprefix(f"{getattr(model, 'base_model_prefix', '')}.")
        return any(f"{text}.".startswith(f"{part}.") for part in inner for text in (key, bare))

    missing = sorted(key for key in report["missing_keys"] if inside(key))
    if missing:
        raise ValueError(f"{name} lacks the weights {few(missing)}; save the whole model")
    wrong = sorted(str(entry[0]) for entry in report.get("mismatched_keys", ()) if inside(str(entry[0])))
    if wrong:
        raise ValueError(f"{name}: {few(wrong)} have other shapes than its config.json says; give the right one")
    extra = sorted(key for key in report["unexpected_keys"] if inside(key) and not key.endswith("position_ids"))
    if extra:
        raise ValueError(f"{name} has weights that its config.json has no place for: {few(extra)}; give the right one")
