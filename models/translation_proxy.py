"""The proxy that sees bags of words alone: log q(. | x) = log_softmax(U mean_l E[x_l] + b).

Its table of word translations is M = row softmax(E U^T), the distribution over target words if the source were a
single word, without the bias.

Dimensions: B sentences, S source positions, T target words, V vocabulary, D width.
"""

import torch
from torch import Tensor, nn

from models.attention_translator import PAD


class TranslationProxy(nn.Module):
    """Embeddings N(0, 1), the row of padding zero and frozen; the output layer as torch draws it."""

    def __init__(self, vocab_size: int, width: int):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width, padding_idx=PAD)
        self.output = nn.Linear(width, vocab_size)

    def forward(self, source_BS: Tensor) -> Tensor:
        """log q [B, V]; the mean is over the words of the source, padding left out."""
        words_B1 = (source_BS != PAD).sum(1, keepdim=True)
        return torch.log_softmax(self.output(self.embedding(source_BS).sum(1) / words_B1), dim=-1)

    def loss(self, source_BS: Tensor, target_BT: Tensor, legacy: bool = False) -> Tensor:
        """NLL in nats, summed over the target words of each sentence, [B].

        Args:
            source_BS: bos … eos, padded at the end.
            target_BT: the same; bos and padding do not count.
            legacy: they do, as published in training (tasks/attention/README.md 2), so that the number depends on the
                longest of a batch.
        """
        log_BT = self(source_BS).gather(1, target_BT)
        if legacy:
            return -log_BT.sum(1)
        return -(log_BT[:, 1:] * (target_BT[:, 1:] != PAD)).sum(1)

    @torch.no_grad()
    def translations(self, source_P: Tensor, target_P: Tensor, rows: int = 256) -> Tensor:
        """M[x, y] of P pairs of words; the table, V x V, is never held: `rows` source words pass at a time."""
        used, where = source_P.unique(return_inverse=True)
        normaliser = torch.cat(
            [(self.embedding(some) @ self.output.weight.T).logsumexp(1) for some in used.split(rows)]
        )
        found = normaliser.new_empty(len(source_P))
        for first in range(0, len(source_P), rows * rows):
            some = slice(first, first + rows * rows)
            score = (self.embedding(source_P[some]) * self.output.weight[target_P[some]]).sum(1)
            found[some] = torch.exp(score - normaliser[where[some]])
        return found
