"""Bags of words: one embedding a token, averaged over the document, and one linear unit (tasks/attention/README.md 1).

Dimensions: N documents, L tokens of all of them end to end, V vocabulary, D numbers of an embedding.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

PADDING = 0


class AveragedEmbeddings(nn.Module):
    """p = sigmoid(w . mean of E[x] + b)."""

    def __init__(self, vocabulary: int, width: int):
        super().__init__()
        self.embedding = nn.EmbeddingBag(vocabulary, width, mode="mean")
        self.linear = nn.Linear(width, 1)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> "AveragedEmbeddings":
        """Draw all weights as PyTorch does by default; the row of padding is zero and, as no document has padding,
        stays so."""
        self.embedding.weight.normal_(generator=generator)
        self.embedding.weight[PADDING] = 0
        bound = 1 / math.sqrt(self.linear.in_features)
        self.linear.weight.uniform_(-bound, bound, generator=generator)
        self.linear.bias.uniform_(-bound, bound, generator=generator)
        return self

    def forward(self, tokens_L: Tensor, starts_N: Tensor) -> Tensor:
        """Log odds of the label 1 [N]; a document is the tokens from its start to the next one's."""
        return self.linear(self.embedding(tokens_L, starts_N))[:, 0]

    def losses(self, tokens_L: Tensor, starts_N: Tensor, labels_N: Tensor) -> Tensor:
        """Binary cross entropy of each document [N], in nats, from the log odds: finite at any."""
        score_N = self(tokens_L, starts_N)
        return functional.binary_cross_entropy_with_logits(score_N, labels_N.to(score_N.dtype), reduction="none")

    @property
    def beta_V(self) -> Tensor:
        """What each token adds to the log odds of a document of it alone, without the bias: E w [V]."""
        return (self.embedding.weight @ self.linear.weight[0]).detach()
