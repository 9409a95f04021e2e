"""The network that learns to copy: an LSTM encoder and decoder with one attention head (tasks/attention/README.md 4).

`CopyModel` is the definition. `StackedCopyModels` trains many of them at once and gives the same numbers up to the
order of sums, with fewer operations: tables of input projections (`models.recurrences`), and W_f2 W_p folded into one
matrix, which the source goes through. Of 20 H^2 multiplications a position (8 a recurrence, W_a and W_p 1 each, W_f 2)
11 remain.

Symbols are 0..V-1, V ends a sequence and V + 1 begins the target; there is no padding.

Dimensions: G stacked models, B batch, S source positions, T target positions, H width, D = H or 2H width of a source
state, V symbols.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from models.recurrences import input_table, lstm, project
from models.stacked import Parameters, under
from models.stacked_copies import StackedCopies


@dataclass(frozen=True, kw_only=True)
class CopyModelConfig:
    """What shapes a `CopyModel`."""

    symbols: int = 40
    """V: symbols that sequences are made of; the network knows two more, the end and the beginning."""
    hidden: int = 256
    """H: width of the embedding, of each direction of the encoder and of the decoder."""
    attention: Literal["learned", "uniform", "none"] = "learned"
    """"uniform": 1/S everywhere, in training and in evaluation. "none": the context is the zero vector."""
    bidirectional: bool = False
    """An encoder of both directions; the decoder begins with the mean of their last states."""

    def __post_init__(self) -> None:
        if min(self.symbols, self.hidden) < 1:
            raise ValueError(f"symbols is {self.symbols} and hidden {self.hidden}; both are at least 1")

    @property
    def source_width(self) -> int:
        return self.hidden * (1 + self.bidirectional)


class CopyModel(nn.Module):
    """One copy network, on PyTorch's own LSTM."""

    def __init__(self, config: CopyModelConfig) -> None:
        super().__init__()
        self.config = config
        H, D = config.hidden, config.source_width
        self.embedding = nn.Embedding(config.symbols + 2, H)
        self.encoder = nn.LSTM(H, H, batch_first=True, bidirectional=config.bidirectional)
        self.decoder = nn.LSTM(H, H, batch_first=True)
        self.query = nn.Linear(H, D)
        self.context = nn.Linear(D, H)
        self.mixer = nn.Linear(2 * H, H)
        self.output = nn.Linear(H, config.symbols + 2)

    def forward(self, source_BS: Tensor, target_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities of the next symbol [B, T, V + 2] (natural log) and attention alpha [B, T, S].

        Args:
            target_BT: the gold symbols so far, which begins with V + 1.
        """
        e_BSD, state = self.encoder(self.embedding(source_BS))
        start = tuple(last.mean(0, keepdim=True) for last in state)
        d_BTH, _ = self.decoder(self.embedding(target_BT), start)
        scores = self.query(d_BTH) @ e_BSD.transpose(1, 2)
        alpha_BTS = (scores * 0 if self.config.attention == "uniform" else scores).softmax(-1)
        c_BTH = self.context(alpha_BTS @ e_BSD)
        if self.config.attention == "none":
            c_BTH = torch.zeros_like(c_BTH)
        mixed = torch.tanh(self.mixer(torch.cat([d_BTH, c_BTH], -1)))
        return self.output(mixed).log_softmax(-1), alpha_BTS


class StackedCopyModels(StackedCopies[CopyModel]):
    """Copy networks of one configuration that are trained together."""

    network, gates = CopyModel, 4

    def forward(self, parameters: Parameters, source_GBS: Tensor, target_GBT: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [T, G, B, V + 2] and alpha [G, B, T, S]."""
        return _forward(self.config, parameters, source_GBS, target_GBT)

    def attended(self, alpha: Tensor) -> Tensor:
        """The source position that is attended to most [G, B, T]; of uniform attention the first."""
        if self.config.attention == "uniform":  # which of equal values argmax gives is not promised
            return alpha.new_zeros(alpha.shape[:-1], dtype=torch.long)
        return super().attended(alpha)


def training_bytes(config: CopyModelConfig, B: int, S: int, *, element_size: int = 4) -> int:
    """About what one member of a tile needs for activations in `backward`, in bytes; T is taken to be S."""
    H, D, V = config.hidden, config.source_width, config.symbols + 2
    recurrences = (1 + D // H) * (7 + 8) * H  # gates, cells and states; their gradients, once more model by model
    around = 6 * D + 8 * H + 4 * S + 4 * V
    return element_size * B * S * (recurrences + around)


def _forward(config: CopyModelConfig, p: Parameters, source_GBS: Tensor, target_GBT: Tensor) -> tuple[Tensor, Tensor]:
    """Logits [T, G, B, V + 2] and alpha [G, B, T, S]."""
    H = config.hidden
    e_SGBD, state = _encode(config, p, source_GBS)
    decoder = under(p, "decoder")
    table = input_table(p["embedding.weight"], decoder["weight_ih_l0"], decoder["bias_ih_l0"] + decoder["bias_hh_l0"])
    d_TGBH, _ = lstm(table, decoder["weight_hh_l0"], state, tokens_TGB=target_GBT.permute(2, 0, 1))

    mix_d, mix_c = p["mixer.weight"].split(H, -1)
    bias_GH, fold_GHD = p["mixer.bias"], torch.bmm(mix_c, p["context.weight"])
    if config.attention != "none":
        bias_GH = bias_GH + torch.bmm(mix_c, p["context.bias"][..., None])[..., 0]
    mixed_TGBH = project(d_TGBH, mix_d, bias_GH)
    if config.attention == "uniform":
        (S, G, B, _), T = e_SGBD.shape, len(d_TGBH)
        alpha_GBTS = e_SGBD.new_full((1,), 1 / S).expand(G, B, T, S)
        mixed_TGBH = mixed_TGBH + project(e_SGBD.mean(0, keepdim=True), fold_GHD)
    else:
        query_TGBD = project(d_TGBH, p["query.weight"], p["query.bias"])
        alpha_GBTS, added = _attend(e_SGBD, query_TGBD, None if config.attention == "none" else fold_GHD)
        mixed_TGBH = mixed_TGBH if added is None else mixed_TGBH + added
    return project(mixed_TGBH.tanh(), p["output.weight"], p["output.bias"]), alpha_GBTS


def _encode(config: CopyModelConfig, p: Parameters, source_GBS: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    weights, tokens_SGB = under(p, "encoder"), source_GBS.permute(2, 0, 1)
    outputs, states = [], []
    for end in ["l0", "l0_reverse"] if config.bidirectional else ["l0"]:
        bias = weights[f"bias_ih_{end}"] + weights[f"bias_hh_{end}"]
        table = input_table(p["embedding.weight"], weights[f"weight_ih_{end}"], bias)
        along, last = lstm(table, weights[f"weight_hh_{end}"], tokens_TGB=tokens_SGB, reverse=end.endswith("reverse"))
        outputs.append(along)
        states.append(last)
    if len(states) == 1:
        return outputs[0], states[0]
    (h, c), (h_back, c_back) = states
    return torch.cat(outputs, -1), ((h + h_back) / 2, (c + c_back) / 2)


def _attend(e_SGBD: Tensor, query_TGBD: Tensor, fold_GHD: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """alpha [G, B, T, S] and what the context adds before tanh [T, G, B, H]."""
    (S, G, B, _), T = e_SGBD.shape, len(query_TGBD)
    e, query = (x.permute(1, 2, 0, 3).reshape(G * B, len(x), -1) for x in (e_SGBD, query_TGBD))
    alpha = torch.bmm(query, e.transpose(1, 2)).softmax(-1)
    added = None
    if fold_GHD is not None:
        value = project(e_SGBD, fold_GHD).permute(1, 2, 0, 3).reshape(G * B, S, -1)
        added = torch.bmm(alpha, value).view(G, B, T, -1).permute(2, 0, 1, 3)
    return alpha.view(G, B, T, S), added
