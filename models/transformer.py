"""Any encoder of the BERT family: ALBERT, BERT, DistilBERT, RoBERTa, with or without a span head.

The weights are Hugging Face's `…Model` and, with the head, `…ForQuestionAnswering`. Levels of an encoder of L layers
are 0, the output of the embeddings (for ALBERT already projected to H), to L, the last layer's.

Dimensions: B batch, T tokens, H hidden, L layers.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AlbertForQuestionAnswering,
    BertForQuestionAnswering,
    DistilBertForQuestionAnswering,
    PreTrainedConfig,
    PreTrainedModel,
    RobertaForQuestionAnswering,
)

from models.any_encoder import hidden_states, load_any, model_inputs, random_any
from models.transformer_config import (
    ARCHITECTURES,
    Architecture,
    check_transformer,
    layers_of_config,
    load_transformer_config,
    longest,
    scratch_transformer_config,
)
from models.weights import few, first_line, read_weights

__all__ = [
    "ARCHITECTURES", "Architecture", "check_transformer", "hidden_states", "layers_of_config", "load_reader",
    "load_transformer", "load_transformer_config", "longest", "model_inputs", "n_layers", "new_reader",
    "random_transformer", "scratch_transformer_config", "span_logits", "width",
]  # fmt: skip

READERS: dict[str, Any] = {
    "albert": AlbertForQuestionAnswering,
    "bert": BertForQuestionAnswering,
    "distilbert": DistilBertForQuestionAnswering,
    "roberta": RobertaForQuestionAnswering,
}


def load_transformer(
    path_or_name: str | Path, revision: str | None = None, dtype: torch.dtype = torch.float32, pickled: bool = False
) -> PreTrainedModel:
    """The encoder of a checkpoint in evaluation mode, whatever head it was saved with; without a pooler.

    Every weight must be in the checkpoint: a missing one would be drawn at random in silence. `pickled` is explained in
    `models.weights`.

    Raises:
        ValueError: unreadable, of another type, weights missing, or left over inside the encoder.
    """
    load_transformer_config(path_or_name, revision)
    return load_any(path_or_name, revision, dtype, pickled)


def load_reader(
    path_or_name: str | Path, revision: str | None = None, dtype: torch.dtype = torch.float32, pickled: bool = False
) -> PreTrainedModel:
    """The encoder of a checkpoint with the span head that it was saved with, in evaluation mode.

    Raises:
        ValueError: unreadable, of another type, without a span head, or other weights missing.
    """
    config = load_transformer_config(path_or_name, revision)
    if config.num_labels != 2:
        raise ValueError(f"{path_or_name} has a head of {config.num_labels} outputs, a span head has 2 (start, end)")
    model, missing = _read(READERS[config.model_type], path_or_name, config, revision, dtype, pickled)
    if any(name.startswith("qa_outputs.") for name in missing):
        raise ValueError(
            f"{path_or_name} has no span head (qa_outputs): it was not trained to answer questions; "
            "give a checkpoint that was, or train it first"
        )
    if missing:
        raise ValueError(f"{path_or_name} lacks the weights {few(missing)}; save the whole model")
    return model.eval()


def random_transformer(config: PreTrainedConfig, seed: int, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """An encoder whose weights depend on (config, seed) alone, in evaluation mode: `hf_default`, without a pooler.

    Drawn in float32 on the CPU from an own generator in the order of `named_parameters`, then cast; the global random
    state is left as it was.

    Raises:
        ValueError: a configuration of another type.
    """
    check_transformer(config, "the configuration")
    return random_any(config, seed, dtype)


def new_reader(encoder: PreTrainedModel, seed: int) -> PreTrainedModel:
    """The encoder's weights with a new span head, in evaluation mode: weights N(0, initializer_range²) from the seed
    alone, biases 0."""
    config = type(encoder.config).from_dict(encoder.config.to_dict() | {"num_labels": 2})
    with torch.random.fork_rng(devices=[]):
        model = READERS[config.model_type](config).to(encoder.dtype)
    missing, unexpected = model.base_model.load_state_dict(encoder.state_dict(), strict=False)
    assert not missing  # a pooler of the encoder has no place in a reader
    assert all(name.startswith("pooler.") for name in unexpected)
    with torch.no_grad():
        drawn = torch.empty(model.qa_outputs.weight.shape)
        drawn.normal_(std=config.initializer_range, generator=torch.Generator().manual_seed(seed))
        model.qa_outputs.weight.copy_(drawn)
        model.qa_outputs.bias.zero_()
    return model.eval().to(encoder.device)


def span_logits(
    reader: PreTrainedModel, input_ids: Tensor, token_type_ids: Tensor | None, attention_mask: Tensor
) -> tuple[Tensor, Tensor]:
    """Start and end logits [B, T] of a model with a span head."""
    output = reader(**model_inputs(reader, input_ids, token_type_ids, attention_mask))
    return output.start_logits, output.end_logits


def n_layers(model: PreTrainedModel) -> int:
    """L: layer applications of one pass."""
    return layers_of_config(model.config)


def width(model: PreTrainedModel) -> int:
    """H."""
    return model.config.hidden_size


def _read(
    kind: Any,
    place: str | Path,
    config: PreTrainedConfig,
    revision: str | None,
    dtype: torch.dtype,
    pickled: bool,
) -> tuple[Any, list[str]]:
    given = {"config": config, "revision": revision or "main", "dtype": dtype}
    try:
        model, report = read_weights(kind, place, "weights", pickled=pickled, **given)
    except RuntimeError as problem:  # shapes that are not those of config.json
        raise ValueError(f"cannot load the weights of {place}: {first_line(problem)}") from problem
    return model, sorted(report["missing_keys"])
