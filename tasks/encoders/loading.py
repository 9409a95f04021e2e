"""Loading or drawing the encoder of a job, checked against the plan and against the tokens it will get."""

from pathlib import Path

import torch
from transformers import AlbertModel

from models.albert import Attention, load_albert, load_config, random_albert, scratch_config
from models.checkpoints import directory_revision
from orchestrator.experiment import Context
from tasks.encoders.params import EncoderParams
from tasks.seeds import stream_seed


def load_encoder(
    params: EncoderParams,
    context: Context,
    *,
    vocab_size: int,
    pad_token_id: int,
    longest: int,
    attention: Attention = "sdpa",
    pooler: bool = True,
) -> AlbertModel:
    """The encoder on the context's device, in the parameters' precision and evaluation mode.

    Random weights are drawn from `encoder_seed` alone, so the encoder is the same at every depth, head seed and task of
    one vocabulary. `pooler` says whether the pooler's weights must be in the checkpoint.

    Raises:
        ValueError: the checkpoint is not the planned one, its vocabulary or positions are too few for the tokens, or it
            is no iterated map.
    """
    dtype = getattr(torch, params.dtype)
    place, revision = checkpoint_place(params, context)
    if params.encoder == "pretrained":
        pickled = "pickled_weights" in context.paths
        model = load_albert(place, revision, dtype, attention, pickled=pickled, pooler=pooler)
    else:
        assert params.init_style is not None  # both are checked by the parameters
        assert params.encoder_seed is not None
        if params.is_scratch:
            assert params.width is not None
            config = scratch_config(
                params.width,
                heads=params.heads,
                intermediate_size=params.intermediate,
                embedding_size=params.embedding or 128,
                vocab_size=vocab_size,
                max_position=max(512, longest),
                pad_token_id=pad_token_id,
                attention=attention,
            )
        else:
            config = load_config(place, revision)
            config._attn_implementation = attention
        if params.init_range is not None:
            config.initializer_range = params.init_range
        model = random_albert(config, params.init_style, stream_seed(params.encoder_seed, "encoder"), dtype)
    if vocab_size > model.config.vocab_size:
        raise ValueError(
            f"the tokens need {vocab_size} ids, {params.model} has {model.config.vocab_size}; give its tokenizer"
        )
    if longest > model.config.max_position_embeddings:
        raise ValueError(
            f"the longest example has {longest} tokens, {params.model} has "
            f"{model.config.max_position_embeddings} positions; give a smaller length"
        )
    return model.to(context.device)  # pyright: ignore[reportArgumentType]  # the decorated method loses its `self`


def checkpoint_place(params: EncoderParams, context: Context) -> tuple[str, str | None]:
    """Where the weights lie: a directory or hub name, and the hub's revision.

    Raises:
        ValueError: the directory holds other weights than planned, or the pretraining job's artifact is not there.
    """
    if params.is_small:
        if "model" not in context.needs:
            raise ValueError('context.needs has no "model"; plan the job that pretrains the model small')
        return str(context.needs["model"]), None
    if not params.is_scratch and "model" in context.paths:
        place = context.paths["model"]
        found = directory_revision(Path(place), "pickled_weights" in context.paths)
        if found != params.revision:
            raise ValueError(f"{place} holds revision {found}, planned was {params.revision}; start the sweep anew")
        return place, None
    return params.model, params.revision or None
