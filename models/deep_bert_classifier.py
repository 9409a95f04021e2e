"""DeepBert with a new head for classes, or for one score a choice: tanh pooler, dropout, linear.

Dimensions: B batch, T tokens, H width, C outputs, K choices of a question.
"""

import torch
from torch import Tensor, nn

from models.deep_bert import DeepBert

HEAD_SPREAD = 0.02  # BERT's own, and the published


class DeepBertClassifier(nn.Module):
    """The encoder and pooler of `bert`, trained together with the new head. Its heads of pretraining stay as is."""

    def __init__(self, bert: DeepBert, outputs: int, dropout: float, choices: int = 1):
        """`choices` above 1: that many rows in a row are one question's, each gets one score, and `outputs` is 1."""
        super().__init__()
        if choices > 1 and outputs != 1:
            raise ValueError(f"{choices} choices take one score each, not {outputs} outputs")
        self.bert = bert
        self.choices = choices
        self.dropout = nn.Dropout(dropout)
        weight = bert.pooler.weight
        with torch.random.fork_rng(devices=[]):
            self.head = nn.Linear(bert.config.width, outputs).to(weight.device, weight.dtype)
        for part in (bert.mlm_dense, bert.mlm_norm, bert.order):
            part.requires_grad_(False)
        bert.mlm_bias.requires_grad_(False)

    @torch.no_grad()
    def draw_head(self, seed: int) -> None:
        """Overwrite the head: weights N(0, 0.02^2), biases 0; drawn in float32 on the CPU from the seed alone."""
        generator = torch.Generator().manual_seed(seed)
        weight = torch.empty(self.head.weight.shape, dtype=torch.float32).normal_(std=HEAD_SPREAD, generator=generator)
        self.head.weight.copy_(weight)
        self.head.bias.zero_()

    def forward(self, input_ids: Tensor, token_type_ids: Tensor, mask: Tensor | None) -> Tensor:
        """[B, C] scores of the classes, or of the choices: [B / K, K].

        Args:
            input_ids: [B, T].
            token_type_ids: [B, T].
            mask: bool [B, T], True for tokens; None: nothing is padded.
        """
        scores = self.head(self.dropout(self.bert.pooled(self.bert.encode(input_ids, token_type_ids, mask))))
        return scores.view(-1, self.choices) if self.choices > 1 else scores
