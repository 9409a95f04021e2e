"""The stage `pretrain_small`: masked-language-model pretraining of a small ALBERT, minutes on two cores.

The loss is taken at the masked positions of the last of `depth` applications of the shared layer, through ALBERT's own
readout with the tied word table; float32, fused AdamW, no dropout.

Dimensions: B blocks of a batch, T tokens, P masked positions, H hidden, V vocabulary.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import AlbertForMaskedLM

from models.albert import embed, iterate, random_albert, scratch_config, shared_layer
from orchestrator.experiment import Context
from tasks.data.blocks import open_blocks
from tasks.data.masking import Masking, block_masking, mask_batch
from tasks.encoders.small import PretrainParams
from tasks.training.loop import Judged, read_training, train_small, write_training
from tasks.training.numerics import exact_numerics
from tasks.training.optimisers import split_decay
from tasks.training.seeds import numpy_stream, stream_seed


def pretrain_small(params: PretrainParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Write the checkpoint and its training into `context.artifact`; the blocks are in `context.needs`. No rows.

    Raises:
        ValueError: no blocks, or blocks of another length than planned, or a loss that is not finite (with its step).
    """
    if context.artifact is None:
        raise ValueError("pretrain_small writes a checkpoint: give context.artifact, an empty directory")
    if "blocks" not in context.needs:
        raise ValueError('context.needs has no "blocks"; plan a blocks job that this one needs')
    train, test = (open_blocks(context.needs["blocks"], part) for part in ("train", "test"))
    if train.input_ids.shape[1] != params.length:
        raise ValueError(f"the blocks have {train.input_ids.shape[1]} tokens, planned were {params.length}")
    masking = block_masking(train.meta, params.mask_ratio)
    with exact_numerics():
        model = small_model(params, masking).to(context.device)  # pyright: ignore[reportArgumentType]
        losses = _losses(model, params, train.input_ids, masking)
        tests = _tests(model, params, train.input_ids, test.input_ids[: params.test_blocks], masking)
        rows = train_small(*split_decay(model), losses, tests, params, remedy=", or a smaller init_range")
    model.to("cpu").save_pretrained(context.artifact)  # pyright: ignore[reportArgumentType]
    write_training(context.artifact, rows)
    return {}


def pretrain_report(params: PretrainParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `pretraining`: what the job in `context.needs["model"]` wrote about its training.

    Raises:
        ValueError: it is not there.
    """
    return {"pretraining": read_training(context.needs["model"], "pretrain_small")}


def small_model(params: PretrainParams, masking: Masking) -> AlbertForMaskedLM:
    """The model before its first step, drawn from the seed alone: hf_default weights, a new readout.

    Positions begin as sinusoids of the same variance, for which "the token before" is the same rotation everywhere, so
    that it need not be learned first: a thousand steps are few.
    """
    config = scratch_config(
        params.width,
        heads=params.heads,
        intermediate_size=params.intermediate,
        embedding_size=params.embedding or 128,
        vocab_size=masking.vocab_size,
        max_position=params.length,
        pad_token_id=masking.pad_id,
    )
    config.num_hidden_layers = params.depth
    config.initializer_range = params.init_range or 0.02 * math.sqrt(1024 / params.width)
    encoder = random_albert(config, "hf_default", stream_seed(params.seed, "pretrain", "encoder"))
    generator = torch.Generator().manual_seed(stream_seed(params.seed, "pretrain", "readout"))
    with torch.random.fork_rng(devices=[]):  # the constructor draws weights of its own, which are overwritten below
        model = AlbertForMaskedLM(config)
    missing, _ = model.albert.load_state_dict(encoder.state_dict(), strict=False)  # all but the pooler
    assert not missing
    with torch.no_grad():
        model.predictions.dense.weight.normal_(std=config.initializer_range, generator=generator)
        model.predictions.dense.bias.zero_()
        model.predictions.bias.zero_()
        positions = model.albert.embeddings.position_embeddings.weight
        positions.copy_(sinusoids(*positions.shape) * math.sqrt(2) * config.initializer_range)
    return model


def sinusoids(positions: int, width: int) -> Tensor:
    """[positions, width]: sin and cos of the position times frequencies from 1 down to 1/10000, in turns."""
    angle = torch.arange(positions)[:, None] * 10000.0 ** (-torch.arange(0, width, 2) / width)
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)[:, :width]


def _batches(ids_NT: np.ndarray, params: PretrainParams, masking: Masking) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(input, labels) [B, T] of each step: epochs of all blocks in seeded order, masked anew each time."""
    order = np.empty(0, dtype=np.int64)
    stream = numpy_stream(params.seed, "pretrain", "order")
    for step in range(params.steps):
        while len(order) < params.batch_size:
            order = np.concatenate([order, stream.permutation(len(ids_NT))])
        chosen, order = np.sort(order[: params.batch_size]), order[params.batch_size :]
        yield mask_batch(ids_NT[chosen], masking, params.seed, "pretrain", "train", step)


def hidden_logits(model: AlbertForMaskedLM, inputs_BT: np.ndarray, labels_BT: np.ndarray) -> tuple[Tensor, Tensor]:
    """Logits [P, V] and labels [P] of the masked tokens alone, after `num_hidden_layers` applications of the layer."""
    device = model.device
    labels = torch.from_numpy(labels_BT).to(device)
    h = embed(model.albert, torch.from_numpy(inputs_BT).to(device))
    h = iterate(shared_layer(model.albert), h, model.config.num_hidden_layers)
    hidden = labels >= 0
    return model.predictions(h[hidden]), labels[hidden]


def _losses(model: AlbertForMaskedLM, params: PretrainParams, ids_NT: np.ndarray, masking: Masking) -> Iterator[Tensor]:
    for inputs, labels in _batches(ids_NT, params, masking):
        logits, wanted = hidden_logits(model, inputs, labels)
        yield functional.cross_entropy(logits, wanted)


def _tests(
    model: AlbertForMaskedLM,
    params: PretrainParams,
    train_NT: np.ndarray,
    test_NT: np.ndarray,
    masking: Masking,
) -> Iterator[Judged]:
    """How masked tokens of the test part are named, beside the most frequent one of training."""
    counts = np.bincount(train_NT.ravel(), minlength=masking.vocab_size)
    counts[list(masking.special_ids)] = 0
    guess = int(counts.argmax())
    for start in range(0, len(test_NT), params.batch_size):
        batch = test_NT[start : start + params.batch_size]
        inputs, labels = mask_batch(batch, masking, params.seed, "pretrain", "test", start)
        yield *hidden_logits(model, inputs, labels), {"guess_accuracy": guess}
