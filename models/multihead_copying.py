"""The copy network with several attention heads, whose contexts are averaged (tasks/attention/README.md 5).

`MultiHeadCopyModel` is the definition: a GRU encoder and decoder, the base, and a list of heads. `StackedMultiHead`
trains many at once and gives the same numbers up to the order of sums: tables of input projections, all heads' queries
as one product, and B_j folded with the mixer's half for the context, so that all contexts go through one product.

Symbols are 0..V-1, V ends a sequence and V + 1 begins the target; there is no padding.

Dimensions: G stacked models, M heads, B batch, S source positions, T target positions, H width, V symbols.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.recurrences import gru, input_table, project
from models.stacked import Parameters, under
from models.stacked_copies import StackedCopies


@dataclass(frozen=True, kw_only=True)
class MultiHeadConfig:
    """What shapes a `MultiHeadCopyModel`."""

    symbols: int = 40
    """V: symbols that sequences are made of; the network knows two more, the end and the beginning."""
    hidden: int = 256
    """H: width of embeddings, recurrences and heads."""
    heads: int = 8
    """M: attention heads, whose contexts are averaged."""

    def __post_init__(self) -> None:
        if min(self.symbols, self.hidden, self.heads) < 1:
            raise ValueError(f"symbols is {self.symbols}, hidden {self.hidden}, heads {self.heads}; each is at least 1")


class AttentionHead(nn.Module):
    """q = A d + a; softmax over s of q . e_s (not scaled); context = B (sum of alpha_s e_s) + b."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.query = nn.Linear(hidden, hidden)
        self.context = nn.Linear(hidden, hidden)

    def forward(self, d_BTH: Tensor, e_BSH: Tensor) -> tuple[Tensor, Tensor]:
        """(context [B, T, H], alpha [B, T, S])."""
        alpha_BTS = (self.query(d_BTH) @ e_BSH.transpose(1, 2)).softmax(-1)
        return self.context(alpha_BTS @ e_BSH), alpha_BTS


class MultiHeadCopyModel(nn.Module):
    """One copy network, on PyTorch's own GRU; its parameters but for those of `heads` are the base."""

    def __init__(self, config: MultiHeadConfig) -> None:
        super().__init__()
        self.config, H = config, config.hidden
        self.source_embedding = nn.Embedding(config.symbols + 2, H)
        self.target_embedding = nn.Embedding(config.symbols + 2, H)
        self.encoder = nn.GRU(H, H, batch_first=True)
        self.decoder = nn.GRU(H, H, batch_first=True)
        self.mixer = nn.Linear(2 * H, H)
        self.output = nn.Linear(H, config.symbols + 2)
        self.heads = nn.ModuleList(AttentionHead(H) for _ in range(config.heads))

    def forward(self, source_BS: Tensor, target_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the next symbol [B, T, V + 2] and attention alpha [M, B, T, S].

        Args:
            target_BT: the gold symbols so far, which begins with V + 1.
        """
        e_BSH, last = self.encoder(self.source_embedding(source_BS))
        d_BTH, _ = self.decoder(self.target_embedding(target_BT), last)
        contexts, alphas = zip(*(head(d_BTH, e_BSH) for head in self.heads), strict=True)
        mixed = torch.tanh(self.mixer(torch.cat([torch.stack(contexts).mean(0), d_BTH], -1)))
        return self.output(mixed), torch.stack(alphas)


class StackedMultiHead(StackedCopies[MultiHeadCopyModel]):
    """Multi-head copy networks of one configuration that are trained together."""

    network, gates = MultiHeadCopyModel, 3

    def forward(self, parameters: Parameters, source_GBS: Tensor, target_GBT: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [T, G, B, V + 2] and alpha [G, M, B, T, S]."""
        return _forward(self.config, parameters, source_GBS, target_GBT)


def training_bytes(config: MultiHeadConfig, B: int, S: int, *, element_size: int = 4) -> int:
    """About what one member of a tile needs for activations in `backward`, in bytes; T is taken to be S."""
    H, M, V = config.hidden, config.heads, config.symbols + 2
    recurrences = 2 * (5 + 8) * H  # gates, candidate and state; their gradients, once more model by model
    heads = M * (6 * H + 4 * S)
    return element_size * B * S * (recurrences + heads + 8 * H + 4 * V)


def _recur(p: Parameters, side: str, words: str, tokens_GBX: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
    w = under(p, side)
    table = input_table(p[f"{words}.weight"], w["weight_ih_l0"], w["bias_ih_l0"])
    return gru(table, w["weight_hh_l0"], w["bias_hh_l0"], state, tokens_TGB=tokens_GBX.permute(2, 0, 1))


def _forward(config: MultiHeadConfig, p: Parameters, source_GBS: Tensor, target_GBT: Tensor) -> tuple[Tensor, Tensor]:
    """Logits [T, G, B, V + 2] and alpha [G, M, B, T, S]."""
    H, M = config.hidden, config.heads
    e_SGBH, last = _recur(p, "encoder", "source_embedding", source_GBS, None)
    d_TGBH, _ = _recur(p, "decoder", "target_embedding", target_GBT, last)
    (S, G, B, _), T = e_SGBH.shape, len(d_TGBH)

    def of_heads(name: str) -> Tensor:
        return torch.stack([p[f"heads.{m}.{name}"] for m in range(M)], 1)

    queries = project(d_TGBH, of_heads("query.weight").flatten(1, 2), of_heads("query.bias").flatten(1, 2))
    q = queries.view(T, G, B, M, H).permute(1, 2, 0, 3, 4).reshape(G * B, T * M, H)
    e = e_SGBH.permute(1, 2, 0, 3).flatten(0, 1)
    alpha = torch.bmm(q, e.transpose(1, 2)).softmax(-1)
    contexts = torch.bmm(alpha, e).view(G, B, T, M * H)

    mix_c, mix_d = p["mixer.weight"].split(H, -1)
    # mixer_c mean_j (B_j x_j + b_j) = sum_j (mixer_c B_j / M) x_j + mixer_c mean_j b_j
    fold_GMHH = torch.matmul(mix_c[:, None], of_heads("context.weight")) / M
    bias_GH = p["mixer.bias"] + torch.bmm(mix_c, of_heads("context.bias").mean(1)[..., None])[..., 0]
    added = torch.bmm(contexts.flatten(1, 2), fold_GMHH.transpose(2, 3).flatten(1, 2)).view(G, B, T, H)
    mixed_TGBH = (project(d_TGBH, mix_d, bias_GH) + added.permute(2, 0, 1, 3)).tanh()
    logits = project(mixed_TGBH, p["output.weight"], p["output.bias"])
    return logits, alpha.view(G, B, T, M, S).permute(0, 3, 1, 2, 4)
