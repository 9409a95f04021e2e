"""PLUS-TFM, the protein transformer of Min et al. (arXiv 1912.05625), under the names of its published checkpoint.

A post-norm transformer over 25 words, residues and special ones: h_0 = norm(tok[x] + pe[position] + seg[type]);
a block is h' = norm1(h + proj(attention(h))), h = norm2(h' + fc2(gelu(fc1(h')))) with the exact gelu. Its norm is not
LayerNorm (see `Norm`). Levels of L blocks are 0, the output of the embedding's norm, to L, the last block's.
Source: Min et al., arXiv:1912.05625, as its published code computes it.

Dimensions: B batch, T tokens, H hidden, L layers, A heads, V = 25 words, C outputs.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

WORDS = 25
SEGMENTS = 2
EXTRA_POSITIONS = 3  # rows of the table of positions beyond max_length, in the published checkpoint too
HIDDEN_KEY = -10_000.0  # added to the scores of padded keys; their probability is exactly 0 after the softmax


@dataclass(frozen=True, kw_only=True)
class PlusConfig:
    """Sizes of a PLUS-TFM; the defaults are the published ones (85,669,658 parameters with one output)."""

    layers: int = 12
    width: int = 768
    heads: int = 12
    intermediate: int = 3072
    max_length: int = 512
    """Tokens of a sequence, special ones included."""
    dropout: float = 0.1
    learned_positions: bool = False
    """A trained table of positions in place of sinusoids."""
    outputs: int = 1
    """Classes, or 1 for regression."""

    def __post_init__(self):
        for name in ("layers", "width", "heads", "intermediate", "max_length", "outputs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give 1 or more")
        if self.width % self.heads:
            raise ValueError(f"heads is {self.heads}; give a number that divides the width {self.width}")
        if self.width % 2 and not self.learned_positions:
            raise ValueError(f"width is {self.width}; give an even one, since a sinusoid is a sine and a cosine")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; give 0 or more, and less than 1")


class Norm(nn.Module):
    """gamma * (x - mean) / sqrt(s + 1e-12) + beta, s the unbiased STANDARD DEVIATION over the features.

    The root is of the deviation and not of the variance, so features of deviation s leave with sqrt(s) and not with 1.
    That is how the published weights were trained, so it stays (tasks/transfer/README.md 7).
    """

    def __init__(self, width: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))
        self.beta = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        spread = x.std(dim=-1, keepdim=True)
        return self.gamma * (x - x.mean(dim=-1, keepdim=True)) / torch.sqrt(spread + 1e-12) + self.beta


class Sinusoids(nn.Module):
    """pe[p, 2i] = sin(p exp(-2i ln(10^4) / H)), pe[p, 2i + 1] the cosine of the same."""

    def __init__(self, positions: int, width: int):
        super().__init__()
        rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
        angle = torch.arange(positions)[:, None] * rates
        self.pe: Tensor
        self.register_buffer("pe", torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)[None])

    def forward(self, n_tokens: int) -> Tensor:
        return self.pe[:, :n_tokens]


class LearnedPositions(nn.Embedding):
    """A row of weights a position."""

    def forward(self, n_tokens: int) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.weight[None, :n_tokens]


class Embed(nn.Module):
    """Level 0."""

    def __init__(self, config: PlusConfig):
        super().__init__()
        rows, width = config.max_length + EXTRA_POSITIONS, config.width
        self.tok_embed = nn.Embedding(WORDS, width)
        self.seg_embed = nn.Embedding(SEGMENTS, width)
        self.pos_embed = LearnedPositions(rows, width) if config.learned_positions else Sinusoids(rows, width)
        self.norm = Norm(width)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, tokens_BT: Tensor, segments_BT: Tensor) -> Tensor:
        total = self.tok_embed(tokens_BT) + self.pos_embed(tokens_BT.shape[1]) + self.seg_embed(segments_BT)
        return self.drop(self.norm(total))


class Attention(nn.Module):
    """The three projections of a block."""

    def __init__(self, config: PlusConfig):
        super().__init__()
        self.heads, self.dropout = config.heads, config.dropout
        self.proj_q = nn.Linear(config.width, config.width)
        self.proj_k = nn.Linear(config.width, config.width)
        self.proj_v = nn.Linear(config.width, config.width)

    def split(self, x_BTH: Tensor) -> Tensor:
        """[B, A, T, H / A]."""
        return x_BTH.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def probabilities(self, h_BTH: Tensor, bias_B11T: Tensor) -> Tensor:
        """[B, A, T, T]: softmax over keys; rows of padded queries are there too."""
        q, k = self.split(self.proj_q(h_BTH)), self.split(self.proj_k(h_BTH))
        return torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + bias_B11T, dim=-1)

    def forward(self, h_BTH: Tensor, bias_B11T: Tensor) -> Tensor:
        q, k, v = (self.split(project(h_BTH)) for project in (self.proj_q, self.proj_k, self.proj_v))
        dropout = self.dropout if self.training else 0.0
        # The same as probabilities @ v, without the [B, A, T, T] in memory.
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias_B11T, dropout_p=dropout)
        return mixed.transpose(1, 2).flatten(2)


class FeedForward(nn.Module):
    def __init__(self, config: PlusConfig):
        super().__init__()
        self.fc1 = nn.Linear(config.width, config.intermediate)
        self.fc2 = nn.Linear(config.intermediate, config.width)

    def forward(self, h: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(h)))


class Block(nn.Module):
    def __init__(self, config: PlusConfig):
        super().__init__()
        self.attn = Attention(config)
        self.proj = nn.Linear(config.width, config.width)
        self.norm1 = Norm(config.width)
        self.pwff = FeedForward(config)
        self.norm2 = Norm(config.width)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, h_BTH: Tensor, bias_B11T: Tensor) -> Tensor:
        h_BTH = self.norm1(h_BTH + self.drop(self.proj(self.attn(h_BTH, bias_B11T))))
        return self.norm2(h_BTH + self.drop(self.pwff(h_BTH)))


class Encoder(nn.Module):
    def __init__(self, config: PlusConfig):
        super().__init__()
        self.embed = Embed(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))


class Plus(nn.Module):
    """The encoder with its two heads; `models.plus` runs, draws, reads and writes it."""

    def __init__(self, config: PlusConfig):
        super().__init__()
        self.config = config
        self.transformer = Encoder(config)
        self.fc_lm = nn.Linear(config.width, config.width)
        self.norm_lm = Norm(config.width)
        self.decoder = nn.Linear(config.width, WORDS, bias=False)
        self.decoder.weight = self.transformer.embed.tok_embed.weight  # one table reads and writes words
        self.decoder_bias = nn.Parameter(torch.zeros(WORDS))
        self.drop = nn.Dropout(config.dropout)
        self.cls = nn.Linear(config.width, config.outputs)

    def masked_lm_logits(self, states: Tensor) -> Tensor:
        """[…, V] of last states [..., H], before the softmax."""
        return self.decoder(self.norm_lm(functional.gelu(self.fc_lm(states)))) + self.decoder_bias

    def class_logits(self, states_BTH: Tensor, every_position: bool = False) -> Tensor:
        """[B, C] of the last states at position 0, or [B, T, C] of all."""
        return self.cls(self.drop(states_BTH if every_position else states_BTH[:, 0]))
