"""ALBERT's masked-language-model readout: what is between a state h_n and a probability for each token.

    y = LayerNorm(gelu_new(W h + b)) [E],  logits = Word y + c [V]

W, b, the LayerNorm and c are the readout's own; the decoder `Word` is the encoder's word table, tied and never trained
here. The published code used LayerNorm eps 1e-5, transformers 5 the configuration's 1e-12.

Dimensions: P positions, H hidden, E embedding, V vocabulary.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AlbertForMaskedLM, AlbertModel

from models.albert import load_config
from models.weights import read_weights

LEGACY_EPS = 1e-5  # of the library that the published code used; 5e-4 in the logits of a tiny model


@dataclass(frozen=True, kw_only=True)
class MlmHead:
    """One readout; the decoder is not in it, but is the word table of the encoder."""

    dense: Tensor
    """W [E, H]."""
    dense_bias: Tensor
    """b [E]."""
    gain: Tensor
    """[E], of the LayerNorm."""
    shift: Tensor
    """[E], of the LayerNorm."""
    bias: Tensor
    """c [V]."""


def word_table(model: AlbertModel) -> Tensor:
    """The word table [V, E] of an encoder, which is the decoder of every readout on it."""
    return model.embeddings.word_embeddings.weight


def load_mlm_head(
    place: str | Path,
    revision: str | None = None,
    dtype: torch.dtype = torch.float32,
    pickled: bool = False,
) -> MlmHead:
    """The readout of a masked-LM checkpoint: a local directory, or a hub model at `revision`.

    Only safetensors are read, unless `pickled` allows the tensors of a pytorch_model.bin.

    Raises:
        ValueError: the checkpoint cannot be read, has no (whole) masked-LM readout, or one with a decoder of its own.
    """
    config = load_config(place, revision)
    if not config.tie_word_embeddings:
        raise ValueError(f"{place} has a decoder of its own (tie_word_embeddings is false); give a tied checkpoint")
    model, report = read_weights(
        AlbertForMaskedLM, place, "readout", pickled=pickled, config=config, revision=revision or "main", dtype=dtype
    )
    if missing := sorted(key for key in report["missing_keys"] if key.startswith("predictions.")):
        raise ValueError(
            f"{place} has no masked-LM readout: it lacks {', '.join(missing)}; give an AlbertForMaskedLM checkpoint, "
            "or leave out the readouts trained and zero_shot"
        )
    own = model.predictions
    return MlmHead(
        dense=own.dense.weight.detach(),
        dense_bias=own.dense.bias.detach(),
        gain=own.LayerNorm.weight.detach(),
        shift=own.LayerNorm.bias.detach(),
        bias=own.bias.detach(),
    )


def fresh_mlm_head(config: Any, generator: torch.Generator, dtype: torch.dtype = torch.float32) -> MlmHead:
    """A new readout for an encoder of this configuration: W normal with sd `initializer_range`, LayerNorm gain 1, all
    else 0. Drawn in float32 on the CPU, then cast; the word table is left as it is."""
    E, H = config.embedding_size, config.hidden_size
    dense = torch.empty(E, H).normal_(std=config.initializer_range, generator=generator)
    zeros = torch.zeros(E, dtype=dtype)
    return MlmHead(
        dense=dense.to(dtype),
        dense_bias=zeros,
        gain=torch.ones(E, dtype=dtype),
        shift=zeros.clone(),
        bias=torch.zeros(config.vocab_size, dtype=dtype),
    )


@torch.no_grad()
def legacy_mlm_head(model: AlbertModel, generator: torch.Generator) -> MlmHead:
    """The published new readout, with its defect: every tensor U(±1/sqrt(last dim)), the tied decoder among them.

    So the word table that `model` itself reads its inputs with is overwritten, and the encoder is no longer the
    pretrained one (`tasks/transient_chaos/README.md 4`).
    """
    table = word_table(model)
    E, H, V = model.config.embedding_size, model.config.hidden_size, model.config.vocab_size

    def drawn(*shape: int) -> Tensor:
        bound = 1 / math.sqrt(shape[-1])
        return torch.empty(shape).uniform_(-bound, bound, generator=generator).to(table)

    head = MlmHead(dense=drawn(E, H), dense_bias=drawn(E), gain=drawn(E), shift=drawn(E), bias=drawn(V))
    table.copy_(drawn(V, E))
    return head


def mlm_logits(head: MlmHead, h_PH: Tensor, table_VE: Tensor, eps: float) -> Tensor:
    """Logits [P, V] of states [P, H]: for a few positions; many would fill memory."""
    y_PE = functional.gelu(functional.linear(h_PH, head.dense, head.dense_bias), approximate="tanh")
    y_PE = functional.layer_norm(y_PE, y_PE.shape[-1:], head.gain, head.shift, eps)
    return functional.linear(y_PE, table_VE, head.bias)
