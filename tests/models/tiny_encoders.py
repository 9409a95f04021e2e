"""Tiny encoders of several types, with weights large enough that every step of them matters."""

import torch
from transformers import AutoConfig, PreTrainedModel

from models.any_encoder import Attention, random_any

WIDTH, LAYERS, VOCAB = 16, 2, 50
SIZES = {
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "vocab_size": VOCAB,
    "max_position_embeddings": 40,
    "initializer_range": 0.3,
}
OWN = {
    "albert": {"embedding_size": 8},
    "distilbert": {"dim": WIDTH, "n_layers": LAYERS, "n_heads": 2, "hidden_dim": 24},
    "electra": {"embedding_size": WIDTH},
    "modernbert": {"global_attn_every_n_layers": 1, "pad_token_id": 0, "cls_token_id": 1, "sep_token_id": 2},
    "roberta": {"type_vocab_size": 1, "pad_token_id": 1},
}
TYPES = ("albert", "bert", "deberta", "distilbert", "electra", "modernbert", "roberta")


def tiny(kind: str, attention: Attention = "eager", dtype: torch.dtype = torch.float64, **sizes) -> PreTrainedModel:
    """A random encoder; its gains and biases are no ones and zeros."""
    known = {**SIZES, **OWN.get(kind, {}), **sizes}
    model = random_any(AutoConfig.for_model(kind, **known), 0, dtype, attention)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator, dtype=dtype))
    return model


def sentence(tokens: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, types and mask [1, T] without padding."""
    ids = torch.randint(3, VOCAB, (1, tokens), generator=torch.Generator().manual_seed(seed))
    return ids, torch.zeros_like(ids), torch.ones_like(ids)
