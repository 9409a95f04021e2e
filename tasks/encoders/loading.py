"""Loading or drawing the encoder of a job, checked against the plan and against the tokens it will get."""

from pathlib import Path

import torch
from transformers import AlbertModel

from models.albert import Attention, load_albert, load_config, random_albert, scratch_config
from models.checkpoints import directory_revision
from orchestrator.experiment import Context
from tasks.encoders.params import EncoderParams
from tasks.training.seeds import stream_seed


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
    ids, positions = model.config.vocab_size, model.config.max_position_embeddings
    check_fit(params.model, ids=ids, positions=positions, vocab_size=vocab_size, longest=longest)
    return model.to(context.device)  # pyright: ignore[reportArgumentType]  # the decorated method loses its `self`


def checkpoint_place(params: EncoderParams, context: Context) -> tuple[str, str | None]:
    """Where the weights lie: a directory or hub name, and the hub's revision.

    Raises:
        ValueError: the directory holds other weights than planned, or the pretraining job's artifact is not there.
    """
    if params.is_small:
        return made_place(context, "the job that pretrains the model small"), None
    if params.is_scratch:
        return params.model, None
    return given_place(params.model, params.revision, context)


def made_place(context: Context, maker: str) -> str:
    """Where another job of the sweep wrote the weights.

    Raises:
        ValueError: its artifact is not there; `maker` says which job that is.
    """
    if "model" not in context.needs:
        raise ValueError(f'context.needs has no "model"; plan {maker}')
    return str(context.needs["model"])


def given_place(name: str, revision: str, context: Context) -> tuple[str, str | None]:
    """Where a checkpoint lies: its directory, or its hub name with the hub's revision.

    Raises:
        ValueError: the directory holds other weights than planned.
    """
    if "model" not in context.paths:
        return name, revision or None
    place = context.paths["model"]
    found = directory_revision(Path(place), "pickled_weights" in context.paths)
    if found != revision:
        raise ValueError(f"{place} holds revision {found}, planned was {revision}; start the sweep anew")
    return place, None


def check_fit(model: str, *, ids: int, positions: int, vocab_size: int, longest: int) -> None:
    """Refuse tokens for which a model has too few ids, or too few positions.

    Raises:
        ValueError: with both numbers.
    """
    if vocab_size > ids:
        raise ValueError(f"the tokens need {vocab_size} ids, {model} has {ids}; give its tokenizer")
    if longest > positions:
        raise ValueError(
            f"the longest example has {longest} tokens, {model} has {positions} positions; give a smaller length"
        )
