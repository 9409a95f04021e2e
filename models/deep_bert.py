"""One BERT for any depth: pre-LN or post-LN, a scaled residual stream, ReLU or GeLU, and its two heads.

Every residual step is x <- lambda skip + Dropout(beta f(LN(x))) with the branch f attention or MLP. `pre`: the skip
connection is x itself. `post`: it is LN(x), so that the LayerNorm which textbook post-LN puts behind the sum stands at
the beginning of the next step: with lambda = beta = 1 this is the original BERT, weight by weight, but that
dropout of the embeddings comes before their LayerNorm. A last LayerNorm follows the layers. With lambda^2 + beta^2 = 1
and the weights of `models.deep_bert_init` it is DeepScaleLM (Kedia et al., 2024).

`embeddings` and each of `layers` return the residual stream, before any LayerNorm, so that forward hooks measure it.

Dimensions: B batch, T tokens, H width, A heads, D head size, I feed-forward width, V vocabulary, P masked positions.
"""

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

Norm = Literal["pre", "post"]
Activation = Literal["relu", "gelu"]


@dataclass(frozen=True, kw_only=True)
class DeepBertConfig:
    """Everything that shapes the network but its weights."""

    layers: int
    width: int
    """H."""
    heads: int
    intermediate: int
    """I, the width of the MLP."""
    vocab_size: int
    max_length: int
    """Rows of the position table, the most tokens of a sequence."""
    token_types: int = 2
    norm: Norm = "post"
    activation: Activation = "relu"
    """Activation of the MLPs and of the masked-language-model head; `gelu` is the exact form."""
    dropout: float = 0.1
    """Dropout rate on the embeddings' sum and on each branch."""
    attention_dropout: float = 0.1
    skip: float = 1.0
    """lambda, the factor of the skip connection."""
    branch: float = 1.0
    """beta, the factor of the branch."""
    logit_scale: float = 1.0
    """Factor of the masked-language-model head's output, before the tied decoder."""
    norm_eps: float = 1e-5

    def __post_init__(self):
        for name in ("layers", "width", "heads", "intermediate", "vocab_size", "max_length", "token_types"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} cannot be divided among {self.heads} heads")
        if self.norm not in ("pre", "post"):
            raise ValueError(f"norm is {self.norm!r}; choose pre or post")
        if self.activation not in ("relu", "gelu"):
            raise ValueError(f"activation is {self.activation!r}; choose relu or gelu")
        for name in ("dropout", "attention_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected a share, 0 or more and below 1")


class Embeddings(nn.Module):
    """The sum of the three tables, with dropout: the beginning of the residual stream [B, T, H]."""

    def __init__(self, config: DeepBertConfig):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.width)
        self.position = nn.Embedding(config.max_length, config.width)
        self.token_type = nn.Embedding(config.token_types, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, input_ids: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        T = input_ids.shape[1]
        if len(self.position.weight) < T:
            raise ValueError(
                f"the batch has {T} tokens a sequence; the position table ends at {len(self.position.weight)}"
            )
        types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        return self.dropout(self.word(input_ids) + self.token_type(types) + self.position.weight[:T])


class Layer(nn.Module):
    """Two residual steps, attention and MLP."""

    def __init__(self, config: DeepBertConfig):
        super().__init__()
        H = config.width
        self.config = config
        self.attention_norm = nn.LayerNorm(H, eps=config.norm_eps)
        self.qkv = nn.Linear(H, 3 * H)  # queries, keys, values of all heads
        self.out = nn.Linear(H, H)
        self.mlp_norm = nn.LayerNorm(H, eps=config.norm_eps)
        self.up = nn.Linear(H, config.intermediate)
        self.down = nn.Linear(config.intermediate, H)
        self.dropout = nn.Dropout(config.dropout)
        self.act = nn.ReLU() if config.activation == "relu" else nn.GELU()
        self.recompute = False
        """Keep the layer's input only and run it again in the backward pass, with the same dropout."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.recompute and torch.is_grad_enabled():
            result = checkpoint(self.steps, x, mask, use_reentrant=False)
            assert isinstance(result, Tensor)
            return result
        return self.steps(x, mask)

    def steps(self, x: Tensor, mask: Tensor | None) -> Tensor:
        normed = self.attention_norm(x)
        x = self._add(x, normed, self.attend(normed, mask))
        normed = self.mlp_norm(x)
        return self._add(x, normed, self.down(self.act(self.up(normed))))

    def _add(self, x: Tensor, normed: Tensor, branch: Tensor) -> Tensor:
        config = self.config
        skip = x if config.norm == "pre" else normed
        if config.branch != 1.0:
            branch = branch * config.branch
        if config.skip != 1.0:
            return torch.add(self.dropout(branch), skip, alpha=config.skip)
        return skip + self.dropout(branch)

    def attend(self, normed: Tensor, mask: Tensor | None) -> Tensor:
        """The attention branch of LN(x); `mask` [B, 1, 1, T] or [B, 1, T, T], True where a query may look."""
        B, T, H = normed.shape
        A = self.config.heads
        q, k, v = self.qkv(normed).view(B, T, 3, A, H // A).permute(2, 0, 3, 1, 4)
        p = self.config.attention_dropout if self.training else 0.0
        context = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=p)
        return self.out(context.transpose(1, 2).reshape(B, T, H))


class DeepBert(nn.Module):
    """The encoder with the heads of masked language modelling and of sentence order."""

    def __init__(self, config: DeepBertConfig):
        super().__init__()
        H = config.width
        self.config = config
        self.embeddings = Embeddings(config)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.final_norm = nn.LayerNorm(H, eps=config.norm_eps)
        self.mlm_dense = nn.Linear(H, H)
        self.mlm_norm = nn.LayerNorm(H, eps=config.norm_eps)
        self.mlm_bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.act = nn.ReLU() if config.activation == "relu" else nn.GELU()
        self.pooler = nn.Linear(H, H)
        self.order = nn.Linear(H, 2)

    @property
    def layer_list(self) -> list[Layer]:
        """The layers, with their type."""
        return cast(list[Layer], list(self.layers))

    def recompute(self, on: bool = True) -> None:
        """Run each layer again in the backward pass instead of keeping what is inside it. No number changes."""
        for layer in self.layer_list:
            layer.recompute = on

    def encode(self, input_ids: Tensor, token_type_ids: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """The final LayerNorm's output [B, T, H].

        Args:
            input_ids: [B, T].
            token_type_ids: [B, T]; None: all 0.
            mask: bool [B, T], True for tokens and False for padding; None: nothing is padded. Padding is not attended
                to; what stands in its own rows means nothing.

        Raises:
            ValueError: more tokens than the position table has rows.
        """
        x = self.embeddings(input_ids, token_type_ids)
        keys = None if mask is None else mask[:, None, None, :]
        for layer in self.layers:
            x = layer(x, keys)
        return self.final_norm(x)

    def mlm_logits(self, h_PH: Tensor) -> Tensor:
        """[P, V]: scores of the vocabulary for the final states of the masked positions (or any states [..., H])."""
        h = self.mlm_norm(self.act(self.mlm_dense(h_PH)))
        if self.config.logit_scale != 1.0:
            h = h * self.config.logit_scale
        return functional.linear(h, self.embeddings.word.weight, self.mlm_bias)

    def pooled(self, h_BTH: Tensor) -> Tensor:
        """[B, H]: tanh of the pooler on the first token."""
        return torch.tanh(self.pooler(h_BTH[:, 0]))

    def order_logits(self, h_BTH: Tensor) -> Tensor:
        """[B, 2]: whether the two segments stand in their order (0) or were swapped (1)."""
        return self.order(self.pooled(h_BTH))

    def forward(
        self,
        input_ids: Tensor,
        token_type_ids: Tensor | None,
        mask: Tensor | None,
        positions: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Both heads: ([P, V], [B, 2]), with `positions` [P] of the masked tokens in the flattened batch [B T]."""
        h = self.encode(input_ids, token_type_ids, mask)
        return self.mlm_logits(h.flatten(0, 1)[positions]), self.order_logits(h)
