"""A binary classifier with one attention head over a bidirectional LSTM (tasks/attention/README.md 1).

Each position has a weight alpha and a contribution beta; the score is their product summed over the document, so beta
says what the score would be were all attention on that position. The uniform variant weighs all positions alike, and
its attention parameters never get a gradient. `stacked_classifiers.py` trains many of these at once.

Dimensions: B documents, S positions (begin and end of the document included), E embedding, H width of one direction,
I width inside the attention, V vocabulary.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

PADDING_LOGIT = -1e9  # added to the logits of padding, as published; exp of it is zero in any precision


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig:
    """Sizes, and whether attention is frozen to uniform; the defaults are the published ones."""

    vocab_size: int
    """V."""
    embedding: int = 300
    """E."""
    hidden: int = 256
    """H."""
    intermediate: int = 256
    """I."""
    uniform: bool = False
    """alpha is one over the length of the document, whatever the attention's parameters."""

    def __post_init__(self):
        for name in ("vocab_size", "embedding", "hidden", "intermediate"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected 1 or more")


class Attended(NamedTuple):
    """What a pass yields."""

    score_B: Tensor
    """Log odds of the label 1, in nats."""
    alpha_BS: Tensor
    """Attention; zero on padding."""
    beta_BS: Tensor
    """The score were all attention there, not oriented towards the label; zero on padding."""


class AttentionClassifier(nn.Module):
    """One classifier; weights as PyTorch leaves them until `initialise` draws them from a stream."""

    def __init__(self, config: ClassifierConfig):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.embedding)
        self.encoder = nn.LSTM(config.embedding, config.hidden, batch_first=True, bidirectional=True)
        self.attention_hidden = nn.Linear(2 * config.hidden, config.intermediate)
        self.attention_logit = nn.Linear(config.intermediate, 1)
        self.value = nn.Linear(2 * config.hidden, 1)

    @torch.no_grad()
    def initialise(
        self, generator: torch.Generator, vectors: tuple[Tensor, Tensor] | None = None
    ) -> "AttentionClassifier":
        """Draw all weights as PyTorch does by default: embeddings N(0, 1), the others uniform.

        Args:
            vectors: ids int64 [n] and pretrained vectors [n, E] of the tokens that have one; the others keep their
                draw. The published code copied such vectors into an embedding that it then threw away.

        Raises:
            ValueError: word vectors of another width.
        """
        self.embedding.weight.normal_(generator=generator)
        bound = 1 / math.sqrt(self.config.hidden)
        for parameter in self.encoder.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
        for linear in (self.attention_hidden, self.attention_logit, self.value):
            bound = 1 / math.sqrt(linear.in_features)
            linear.weight.uniform_(-bound, bound, generator=generator)
            linear.bias.uniform_(-bound, bound, generator=generator)
        if vectors is not None:
            ids_n, vectors_nE = vectors
            width = vectors_nE.shape[1]
            if width != self.config.embedding:
                raise ValueError(
                    f"the word vectors have {width} numbers each, the embedding {self.config.embedding}: give "
                    f"--embedding {width}"
                )
            self.embedding.weight[ids_n] = vectors_nE.to(self.embedding.weight.dtype)
        return self

    def forward(self, tokens_BS: Tensor, lengths_B: Tensor, scale_BS: Tensor | None = None) -> Attended:
        """One pass.

        Args:
            tokens_BS: int64, anything (a valid id) on padding.
            lengths_B: int64 on the CPU, 1 or more.
            scale_BS: multipliers of the token embeddings, the variables of `delta`.
        """
        x_BSE = self.embedding(tokens_BS)
        if scale_BS is not None:
            x_BSE = x_BSE * scale_BS[..., None]
        packed = pack_padded_sequence(x_BSE, lengths_B, batch_first=True, enforce_sorted=False)
        h_BSH, _ = pad_packed_sequence(self.encoder(packed)[0], batch_first=True, total_length=tokens_BS.shape[1])
        inside_BS = torch.arange(h_BSH.shape[1], device=h_BSH.device) < lengths_B.to(h_BSH.device)[:, None]
        if self.config.uniform:
            logit_BS = torch.zeros_like(h_BSH[..., 0])
        else:
            logit_BS = self.attention_logit(functional.relu(self.attention_hidden(h_BSH)))[..., 0]
        alpha_BS = functional.softmax(logit_BS + PADDING_LOGIT * ~inside_BS, dim=-1)
        beta_BS = self.value(h_BSH)[..., 0] * inside_BS
        return Attended((alpha_BS * beta_BS).sum(-1), alpha_BS, beta_BS)


def delta(model: AttentionClassifier, tokens_BS: Tensor, lengths_B: Tensor, labels_B: Tensor) -> Tensor:
    """How much strengthening each token lowers the loss: -dL/dc at c = 1, [B, S] (tasks/attention/README.md 1).

    L is the binary cross entropy of a document in nats, c a multiplier of a token's embedding. In closed form (y -
    sigmoid(s)) ds/dc, which needs no logarithm and therefore stays finite at any score. Documents do not interact, so
    one backward pass of the summed scores serves the batch; the weights get no gradients.

    Args:
        labels_B: 0 or 1.
    """
    scale_BS = torch.ones(tokens_BS.shape, dtype=model.value.weight.dtype, device=tokens_BS.device, requires_grad=True)
    wanted = [p.requires_grad for p in model.parameters()]
    training = model.training
    model.requires_grad_(False).train()  # cuDNN goes backward in training mode only, which changes nothing here
    try:
        with torch.enable_grad():
            score_B = model(tokens_BS, lengths_B, scale_BS).score_B
            (slope_BS,) = torch.autograd.grad(score_B.sum(), scale_BS)
    finally:
        model.train(training)
        for parameter, needed in zip(model.parameters(), wanted, strict=True):
            parameter.requires_grad_(needed)
    return (labels_B.to(score_B.dtype) - score_B.detach().sigmoid())[:, None] * slope_BS


def training_bytes(config: ClassifierConfig, cells: int, itemsize: int = 4) -> int:
    """Memory that the activations of a training pass over `cells` padded positions take at most, in bytes.

    A position keeps its embedding (and the packed one), gates, cells and outputs of both directions, outputs unpacked
    again, the attention's hidden layer before and after relu, and as much again as gradients.
    """
    numbers = 2 * config.embedding + 2 * 7 * config.hidden + 4 * config.hidden + 2 * config.intermediate
    return 2 * itemsize * cells * numbers
