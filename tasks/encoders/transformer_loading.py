"""Loading or drawing an encoder of the BERT family, checked against the plan and against the tokens it will get."""

from typing import Any

import torch
from transformers import PreTrainedConfig, PreTrainedModel

from models import any_encoder, transformer
from models.any_encoder import Attention
from orchestrator.experiment import Context
from tasks.encoders.loading import check_fit, given_place, made_place
from tasks.encoders.transformer import TransformerParams
from tasks.training.seeds import stream_seed


def load_transformer_here(
    params: TransformerParams, context: Context, *, vocab_size: int, pad_token_id: int, longest: int
) -> PreTrainedModel:
    """The encoder, without any head, on the context's device, in the parameters' precision and evaluation mode.

    Random weights are drawn from `encoder_seed` alone, on the CPU: the same on every device.

    Args:
        vocab_size: ids that the tokens need.
        pad_token_id: what the tokens are padded with.
        longest: tokens of the longest text.

    Raises:
        ValueError: the checkpoint is not the planned one, is of another type than the four, or its vocabulary, its
            padding or its positions do not fit the tokens.
    """
    dtype = getattr(torch, params.dtype)
    pickled = "pickled_weights" in context.paths
    if params.encoder != "random":
        place, revision = transformer_place(params, context)
        model = transformer.load_transformer(place, revision, dtype, pickled)
    else:
        assert params.encoder_seed is not None  # the parameters have seen to it
        if params.is_scratch:
            config = scratch_config_here(params, vocab_size, pad_token_id, longest)
        else:
            config = transformer.load_transformer_config(*transformer_place(params, context))
        model = transformer.random_transformer(config, stream_seed(params.encoder_seed, "encoder"), dtype)
    _check(params, model.config, vocab_size, pad_token_id, longest)
    return model.to(context.device)  # pyright: ignore[reportArgumentType]  # the decorated method loses its `self`


def load_reader_here(
    params: TransformerParams, context: Context, *, vocab_size: int, pad_token_id: int, longest: int
) -> PreTrainedModel:
    """The encoder with the span head that the checkpoint was saved with.

    Raises:
        ValueError: as `load_transformer_here`; or random weights, or a checkpoint without a span head.
    """
    if params.encoder == "random":
        raise ValueError("random weights have no span head; give a fine-tuned checkpoint, or train one")
    place, revision = transformer_place(params, context)
    pickled = "pickled_weights" in context.paths
    model = transformer.load_reader(place, revision, getattr(torch, params.dtype), pickled)
    _check(params, model.config, vocab_size, pad_token_id, longest)
    return model.to(context.device)  # pyright: ignore[reportArgumentType]


def transformer_place(params: TransformerParams, context: Context) -> tuple[str, str | None]:
    """Where the weights lie: a directory or hub name, and the hub's revision.

    Raises:
        ValueError: the directory holds other weights than planned, or the training job's artifact is not there.
    """
    if params.is_made:
        return made_place(context, "the job that trains it"), None
    return given_place(params.checkpoint or params.model, params.revision, context)


def scratch_config_here(
    params: TransformerParams, vocab_size: int, pad_token_id: int, longest: int
) -> PreTrainedConfig:
    """The configuration of the model `scratch` of these parameters, for the tokens that it will get."""
    assert params.architecture is not None
    assert params.layers is not None
    assert params.width is not None
    return transformer.scratch_transformer_config(
        params.architecture,
        layers=params.layers,
        width=params.width,
        heads=params.heads,
        intermediate=params.intermediate,
        embedding=params.embedding,
        vocab_size=vocab_size,
        positions=max(512, longest),
        pad_token_id=pad_token_id,
    )


def _check(params: TransformerParams, config: PreTrainedConfig, vocab_size: int, pad: int, longest: int) -> None:
    name = params.checkpoint or params.model
    positions = transformer.longest(config)
    check_fit(name, ids=config.vocab_size, positions=positions, vocab_size=vocab_size, longest=longest)
    # RoBERTa tells padding from text, and so counts its positions, by this id.
    if config.model_type == "roberta" and config.pad_token_id != pad:
        raise ValueError(f"the tokens are padded with {pad}, {name} with {config.pad_token_id}; give its tokenizer")


def load_any_here(
    params: TransformerParams,
    context: Context,
    *,
    vocab_size: int,
    pad_token_id: int,
    longest: int,
    attention: Attention = "fused",
    outputs: int | None = None,
    head_seed: int = 0,
) -> PreTrainedModel:
    """The encoder on the context's device, in the parameters' precision and evaluation mode.

    Random weights are drawn from `encoder_seed` alone, on the CPU: the same on every device.

    Args:
        vocab_size: ids that the tokens need.
        pad_token_id: what the tokens are padded with.
        longest: tokens of the longest text.
        outputs: of a new classifier on the encoder; None: the bare encoder.
        head_seed: what a given encoder's classifier is drawn from; a random one's comes from `encoder_seed`.

    Raises:
        ValueError: the checkpoint is not the planned one, is no encoder, has weights missing or left over, or its
            vocabulary or its positions do not fit the tokens.
    """
    shared: dict[str, Any] = {"dtype": getattr(torch, params.dtype), "attention": attention}
    if params.encoder == "random":
        assert params.encoder_seed is not None  # the parameters have seen to it
        if params.is_scratch:
            config = scratch_config_here(params, vocab_size, pad_token_id, longest)
        else:
            config = any_encoder.load_any_config(*transformer_place(params, context))
        seed = stream_seed(params.encoder_seed, "encoder")
        if outputs is None:
            model = any_encoder.random_any(config, seed, **shared)
        else:
            model = any_encoder.random_classifier(config, outputs, seed, **shared)
    else:
        place, revision = transformer_place(params, context)
        shared |= {"revision": revision, "pickled": "pickled_weights" in context.paths}
        if outputs is None:
            model = any_encoder.load_any(place, **shared)
        else:
            model = any_encoder.load_classifier(place, outputs, stream_seed(head_seed, "head"), **shared)
    positions = any_encoder.positions(model.config)
    name = params.checkpoint or params.model
    check_fit(name, ids=model.config.vocab_size, positions=positions, vocab_size=vocab_size, longest=longest)
    return model.to(context.device)  # pyright: ignore[reportArgumentType]  # the decorated method loses its `self`
