"""The two encoders of a pair, each with its own framing of a protein, and the proteins in batches.

PLUS reads [23] residues [24], a text encoder [CLS] residues [SEP] with the same residue ids 1 to 21, each of which (and
each special token) a table turns into an ordinary word piece (README 7). Rows of both are therefore the same positions
of the same proteins.

Dimensions: B proteins of a batch, T tokens, H hidden, L layers (levels 0 … L).
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models import any_encoder
from models.any_encoder import Attention
from models.plus import Plus, PlusConfig, load_plus, plus_attention_maps, plus_levels, random_plus
from models.transformer import layers_of_config
from orchestrator.experiment import Context
from tasks.data.tokenizers import TokenizerRef, load_tokenizer
from tasks.encoders.loading import check_fit
from tasks.encoders.transformer_loading import load_any_here
from tasks.training.numerics import dropout_stream, synchronise
from tasks.training.seeds import stream_seed
from tasks.transfer.comparison.options import PairParams, Role
from tasks.transfer.comparison.plan import plus_revision
from tasks.transfer.proteins.artifact import Proteins, open_proteins
from tasks.transfer.proteins.tokens import CLS, PAD, SEP, WORDS, frame_batch, read_table, table_revision, token_table


@dataclass(frozen=True, kw_only=True)
class ProteinBatch:
    """B proteins as PLUS's ids, framed, padded on the right to the longest of them."""

    tokens: Tensor
    """[B, T]: 23, residues 1 to 21, 24, padding 0."""
    mask: Tensor
    """[B, T]: 1 for residues and the two special tokens."""
    lengths: np.ndarray
    """[B]: tokens with the two special ones."""
    proteins: np.ndarray
    """[B]: numbers of the proteins."""


Forward = Callable[[ProteinBatch], tuple[Tensor, ...]]


@dataclass(frozen=True, kw_only=True)
class Side:
    """One encoder of a pair."""

    role: Role
    layers: int
    width: int
    heads: int
    model: Any
    states: Forward
    """The levels 0 … L, each [B, T, H]."""
    maps: Forward
    """Attention probabilities of each layer, [B, heads, T, T] (query, key); the pair must be opened as eager."""


def open_pair(params: PairParams, context: Context, attention: Attention = "fused") -> tuple[Side, Side]:
    """Both encoders on the context's device; with `legacy_dropout` random ones and PLUS have dropout on.

    Raises:
        ValueError: a checkpoint is not the planned one or does not fit the proteins.
    """
    longest = int(open_here(params, context).lengths.max()) + 2
    first, second = (_open(params, role, context, attention, longest) for role in (params.first, params.second))
    return first, second


def open_here(params: PairParams, context: Context) -> Proteins:
    """The proteins of the job (`context.needs["proteins"]`).

    Raises:
        ValueError: there are none, or those of another task.
    """
    if "proteins" not in context.needs:
        raise ValueError('context.needs has no "proteins"; plan a proteins job that this one needs')
    proteins = open_proteins(context.needs["proteins"])
    if proteins.meta["task"] != params.protein_task:
        found = proteins.meta["task"]
        raise ValueError(f"{context.needs['proteins']} holds proteins of {found}, not {params.protein_task}")
    if not len(proteins):
        raise ValueError(f"{params.protein_task} has no proteins in its {params.split} part; give one with some")
    return proteins


def protein_batches(params: PairParams, context: Context, size: int) -> Iterator[ProteinBatch]:
    """All proteins of the job in the order of the file, `size` at a time."""
    proteins = open_here(params, context)
    for start in range(0, len(proteins), size):
        indices = np.arange(start, min(start + size, len(proteins)))
        yield protein_batch(proteins, indices, params.max_length, context.device)


def protein_batch(proteins: Proteins, indices: np.ndarray, max_length: int, device: str = "cpu") -> ProteinBatch:
    """These proteins, framed and padded to the longest of them."""
    framed = frame_batch([proteins.sequence(int(index)) for index in indices], max_length)
    return ProteinBatch(
        tokens=torch.from_numpy(framed.tokens).to(device),
        mask=torch.from_numpy(framed.mask.astype(np.int64)).to(device),
        lengths=framed.mask.sum(axis=1),
        proteins=indices,
    )


def forward(params: PairParams, batch: ProteinBatch, *passes: Forward) -> tuple[list[tuple[Tensor, ...]], float]:
    """What each of some forward passes over a batch gives, and the seconds that they took.

    With `legacy_dropout` a batch's masks depend on its first protein alone (batches are then of one), and the global
    random state is left as it was.
    """
    clock, device = time.perf_counter(), batch.tokens.device
    dropout = contextlib.nullcontext()
    if params.legacy_dropout:
        dropout = dropout_stream(device, params.encoder_seed or 0, int(batch.proteins[0]))
    with dropout:
        found = [one(batch) for one in passes]
    synchronise(device)
    return found, time.perf_counter() - clock


def word_pieces(params: PairParams, context: Context) -> Tensor:
    """[25]: the text encoder's token id for each of PLUS's, through the table of `table_seed` or of a file.

    Raises:
        ValueError: a tokenizer without the special tokens, or a file with another table than planned.
    """
    path = context.paths.get("tokenizer")
    tokenizer = load_tokenizer(TokenizerRef(name=params.tokenizer, revision=params.tokenizer_revision, path=path))
    raw = np.arange(WORDS, dtype=np.int64)
    special = {PAD: tokenizer.pad_token_id, CLS: tokenizer.cls_token_id, SEP: tokenizer.sep_token_id}
    for own, piece in special.items():
        if piece is None:
            raise ValueError(
                f"the tokenizer {params.tokenizer} has no [CLS], [SEP] or padding token; give one that has"
            )
        raw[own] = piece
    table = _table(params, context, len(tokenizer))
    if table is not None:
        if raw.max() >= len(table):
            raise ValueError(f"proteins need raw ids up to {raw.max()}, the table has {len(table)}: give a larger one")
        raw = table[raw].astype(np.int64)
    return torch.from_numpy(raw)


def _table(params: PairParams, context: Context, vocab_size: int) -> np.ndarray | None:
    """The table of token ids [V]; None: raw ids."""
    if params.table_seed is not None:
        return token_table(vocab_size, params.table_seed)
    if params.table_revision is None:
        return None
    place = context.paths["table"]
    table = read_table(place, vocab_size)
    if (found := table_revision(table)) != params.table_revision:
        raise ValueError(f"{place} holds the table {found}, planned was {params.table_revision}; start the sweep anew")
    return table


def _open(params: PairParams, role: Role, context: Context, attention: Attention, longest: int) -> Side:
    if role == "plus":
        return _open_plus(params, context, longest)
    pieces = word_pieces(params, context).to(context.device)
    model = load_any_here(
        params.text_encoder(role),
        context,
        vocab_size=int(pieces.max()) + 1,
        pad_token_id=int(pieces[PAD]),
        longest=longest,
        attention=attention,
    )
    model.train(params.legacy_dropout and role == "random")

    def inputs(batch: ProteinBatch) -> tuple[Tensor, Tensor, Tensor]:
        ids = pieces[batch.tokens]
        return ids, torch.zeros_like(ids), batch.mask

    return Side(
        role=role,
        layers=layers_of_config(model.config),
        width=model.config.hidden_size,
        heads=model.config.num_attention_heads,
        model=model,
        states=lambda batch: any_encoder.hidden_states(model, *inputs(batch)),
        maps=lambda batch: any_encoder.attention_maps(model, *inputs(batch)),
    )


def _open_plus(params: PairParams, context: Context, longest: int) -> Side:
    model = _load_plus(params, context, longest).to(context.device)
    model.train(params.legacy_dropout)
    config = model.config
    check_fit(f"PLUS {params.plus}", ids=WORDS, positions=config.max_length, vocab_size=0, longest=longest)
    return Side(
        role="plus",
        layers=config.layers,
        width=config.width,
        heads=config.heads,
        model=model,
        states=lambda batch: plus_levels(model, batch.tokens, None, batch.mask.bool()),
        maps=lambda batch: plus_attention_maps(model, batch.tokens, None, batch.mask.bool()),
    )


def _load_plus(params: PairParams, context: Context, longest: int) -> Plus:
    dtype = getattr(torch, params.dtype)
    if params.plus_width is not None:
        assert params.plus_layers is not None  # the plan gives all sizes of random weights
        assert params.plus_heads is not None
        assert params.plus_intermediate is not None
        assert params.plus_seed is not None
        config = PlusConfig(
            layers=params.plus_layers,
            width=params.plus_width,
            heads=params.plus_heads,
            intermediate=params.plus_intermediate,
            max_length=max(512, longest),
        )
        return random_plus(config, stream_seed(params.plus_seed, "plus"), dtype)
    if "plus" in context.needs:
        return load_plus(context.needs["plus"], dtype)
    pickled = "pickled_weights" in context.paths
    place = context.paths["plus"]
    found = plus_revision(Path(place), pickled)
    if found != params.plus_revision:
        raise ValueError(f"{place} holds revision {found}, planned was {params.plus_revision}; start the sweep anew")
    return load_plus(place, dtype, pickled)
