"""Loading or drawing an encoder of any type that AutoModel knows, bare or with a new classifier, for a job."""

from typing import Any

import torch
from transformers import PreTrainedModel

from models import any_encoder
from models.any_encoder import Attention
from orchestrator.experiment import Context
from tasks.encoders.loading import check_fit
from tasks.encoders.transformer import TransformerParams
from tasks.encoders.transformer_loading import scratch_config_here, transformer_place
from tasks.training.seeds import stream_seed


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
