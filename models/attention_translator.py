"""The encoder-decoder whose single attention head is watched while it learns (tasks/attention/README.md 2).

One embedding for both languages; a bidirectional LSTM reads the source, a second LSTM the words that were predicted so
far. Attention mixes the source states into a context that goes into the output alone: there is no input feeding, so
all decoder states of a sentence are known before any attention is.

    q_t = W_a d_t + b_a     alpha_ts = softmax_s(q_t . e_s)     c_t = W_p sum_s alpha_ts e_s + b_p
    log p_t = log_softmax(W_o relu(W_f [d_t; c_t] + b_f) + b_o)

Dimensions: B batch, S source positions, T target positions, H hidden, V vocabulary, L layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

PAD, BOS, EOS = 0, 1, 2
MASKED = -1e9  # added to the scores of padding

State = tuple[Tensor, Tensor]
"""(h, c) of an LSTM layer, [B, H] each."""


@dataclass(frozen=True, kw_only=True)
class TranslatorConfig:
    """Sizes of a translator; the defaults are the published ones."""

    vocab_size: int
    hidden: int = 256
    """Width of embedding, decoder and each direction of the encoder."""
    layers: int = 2
    """LSTM layers of encoder and of decoder."""
    dropout: float = 0.5
    """Between LSTM layers, in training."""
    uniform: bool = False
    """Attention frozen to 1/S, in training and evaluation."""

    def __post_init__(self):
        if self.vocab_size < EOS + 2:
            raise ValueError(f"vocab_size is {self.vocab_size}: give at least {EOS + 2}, for pad, bos, eos and a word")
        for name in ("hidden", "layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: give at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}: give a share, 0 or more and below 1")


@dataclass(frozen=True)
class Encoded:
    """What the encoder makes of a batch."""

    states_BSE: Tensor
    """e_s, [B, S, 2H]; zero on padding."""
    mask_BS: Tensor
    """True on words."""
    start: list[State]
    """Where each decoder layer starts: the mean of the final states of both directions."""


@dataclass(frozen=True)
class DropoutMasks:
    """Factors 0 or 1/(1-p) for the outputs of all layers but the last."""

    encoder: Sequence[Tensor]
    """[B, S, 2H] each."""
    decoder: Sequence[Tensor]
    """[B, T, H] each."""


def draw_dropout(
    config: TranslatorConfig, batch: int, source: int, target: int, stream: torch.Generator
) -> DropoutMasks | None:
    """Masks for a batch of [B, S] source and [B, T] predicted tokens; None where the configuration has no dropout."""
    p, H = config.dropout, config.hidden
    if not p or config.layers == 1:
        return None

    def masks(length: int, width: int) -> list[Tensor]:
        shape = (config.layers - 1, batch, length, width)
        return list((torch.rand(shape, generator=stream, device=stream.device) >= p).float().div_(1 - p))

    return DropoutMasks(masks(source, 2 * H), masks(target, H))


class AttentionTranslator(nn.Module):
    """One translator. Weights start as torch draws them: embedding N(0, 1), all else uniform."""

    def __init__(self, config: TranslatorConfig):
        super().__init__()
        self.config = config
        H, V = config.hidden, config.vocab_size
        self.embedding = nn.Embedding(V, H)
        sizes = [H] + [2 * H] * (config.layers - 1)
        self.encoder = nn.ModuleList(nn.LSTM(size, H, batch_first=True, bidirectional=True) for size in sizes)
        self.decoder = nn.ModuleList(nn.LSTM(H, H, batch_first=True) for _ in range(config.layers))
        self.query = nn.Linear(H, 2 * H)
        self.project = nn.Linear(2 * H, H)
        self.join = nn.Linear(2 * H, H)
        self.vocabulary = nn.Linear(H, V)

    def encode(self, source_BS: Tensor, dropout: DropoutMasks | None = None) -> Encoded:
        """The source states and the decoder's start. Padding is at the end of a row; every row has a word."""
        mask_BS = source_BS != PAD
        lengths = mask_BS.sum(1).cpu()
        S = source_BS.shape[1]
        x = self.embedding(source_BS)
        start = []
        for number, layer in enumerate(self.encoder):
            if number and dropout is not None:
                x = x * dropout.encoder[number - 1]
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            packed, (h_2BH, c_2BH) = layer(packed)
            x, _ = pad_packed_sequence(packed, batch_first=True, total_length=S)
            start.append((h_2BH.mean(0), c_2BH.mean(0)))
        return Encoded(x, mask_BS, start)

    def decode(
        self, inputs_BT: Tensor, start: Sequence[State], dropout: DropoutMasks | None = None
    ) -> tuple[Tensor, list[State]]:
        """Decoder states d_BTH after each input word, and where each layer ends."""
        x = self.embedding(inputs_BT)
        ends = []
        for number, (layer, (h_BH, c_BH)) in enumerate(zip(self.decoder, start, strict=True)):
            if number and dropout is not None:
                x = x * dropout.decoder[number - 1]
            x, (h, c) = layer(x, (h_BH[None].contiguous(), c_BH[None].contiguous()))
            ends.append((h[0], c[0]))
        return x, ends

    def attention(self, d_BTH: Tensor, encoded: Encoded) -> Tensor:
        """alpha_BTS: rows that sum to one over the words of the source."""
        if self.config.uniform:
            words_BS = encoded.mask_BS.to(d_BTH.dtype)
            return (words_BS / words_BS.sum(1, keepdim=True))[:, None].expand(-1, d_BTH.shape[1], -1)
        scores = self.query(d_BTH) @ encoded.states_BSE.transpose(1, 2)
        return torch.softmax(scores + MASKED * (~encoded.mask_BS)[:, None].to(scores.dtype), dim=-1)

    def combine(self, d: Tensor, context: Tensor) -> Tensor:
        """What the output layer reads, [..., H], from decoder states [..., H] and projected contexts [..., H]."""
        return torch.relu(self.join(torch.cat([d, context], dim=-1)))

    def read(self, d_BTH: Tensor, encoded: Encoded) -> Tensor:
        """What the output layer reads of each decoder state, [B, T, H]."""
        alpha_BTS = self.attention(d_BTH, encoded)
        return self.combine(d_BTH, self.project(alpha_BTS @ encoded.states_BSE))

    def forward(self, source_BS: Tensor, target_BT1: Tensor, dropout: DropoutMasks | None = None) -> Tensor:
        """log p [B, T, V] of the next word after each of `target_BT1` but the last (teacher forcing)."""
        encoded = self.encode(source_BS, dropout)
        d_BTH, _ = self.decode(target_BT1[:, :-1], encoded.start, dropout)
        return torch.log_softmax(self.vocabulary(self.read(d_BTH, encoded)), dim=-1)

    def loss(self, source_BS: Tensor, target_BT1: Tensor, dropout: DropoutMasks | None = None) -> Tensor:
        """Mean NLL in nats over the predicted words, eos counted and padding not."""
        encoded = self.encode(source_BS, dropout)
        d_BTH, _ = self.decode(target_BT1[:, :-1], encoded.start, dropout)
        wanted_BT = target_BT1[:, 1:]
        words = wanted_BT != PAD  # padding never reaches the output layer, which is most of the work
        return functional.cross_entropy(self.vocabulary(self.read(d_BTH, encoded)[words]), wanted_BT[words])
