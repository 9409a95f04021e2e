"""What a trained translator says of each predicted and each source word: alpha, beta and log p.

    beta_ts = log softmax(W_o relu(W_f [d_t; W_p e_s + b_p] + b_f) + b_o)[y_t]

is the log-probability of the word y_t if all attention were on s. W_f is split as W_f1 d_t + W_f2 c_s, so that what
is done a pair (t, s) is one addition before the output layer; that layer's logits are never kept, only their
logsumexp and the one of y_t.

Dimensions: B batch, S source positions, T target positions, H hidden, V vocabulary, P real pairs (t, s) of a batch,
sentence after sentence and t after t, N rows that pass the output layer together.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from models.attention_translator import PAD, AttentionTranslator, Encoded

LOGIT_BYTES = 1 << 26  # of the rows that pass the output layer together; their number is fixed, so numbers repeat


@dataclass(frozen=True)
class Pass:
    """A batch of sentences with their gold targets, read by a model without dropout."""

    encoded: Encoded
    d_BTH: Tensor
    alpha_BTS: Tensor
    wanted_BT: Tensor
    """Gold words, padding at the end."""

    @property
    def words_BT(self) -> Tensor:
        """True at predicted positions."""
        return self.wanted_BT != PAD

    @property
    def pairs(self) -> tuple[Tensor, Tensor, Tensor]:
        """(sentence, t, s) of all real pairs, [P] each."""
        real = self.words_BT[:, :, None] & self.encoded.mask_BS[:, None, :]
        b, t, s = real.nonzero(as_tuple=True)
        return b, t, s


@torch.no_grad()
def read_batch(model: AttentionTranslator, source_BS: Tensor, target_BT1: Tensor) -> Pass:
    """Everything before the output layer."""
    encoded = model.encode(source_BS)
    d_BTH, _ = model.decode(target_BT1[:, :-1], encoded.start)
    return Pass(encoded, d_BTH, model.attention(d_BTH, encoded), target_BT1[:, 1:])


@torch.no_grad()
def teacher_forced(model: AttentionTranslator, read: Pass) -> tuple[Tensor, Tensor]:
    """(log p of the gold word, whether it is the most likely one), [B, T] each, of no meaning on padding."""
    context = model.project(read.alpha_BTS @ read.encoded.states_BSE)
    words = read.words_BT
    hidden, wanted = model.combine(read.d_BTH, context)[words], read.wanted_BT[words]
    log_p, best = hidden.new_empty(len(hidden)), wanted.new_empty(len(wanted))
    for rows, logits in _logits(model, hidden):
        log_p[rows] = logits.gather(1, wanted[rows, None])[:, 0] - logits.logsumexp(1)
        best[rows] = logits.argmax(1)
    shape = read.wanted_BT.shape
    return (
        hidden.new_zeros(shape).masked_scatter(words, log_p),
        words.new_zeros(shape).masked_scatter(words, best == wanted),
    )


@torch.no_grad()
def contributions(model: AttentionTranslator, read: Pass) -> Tensor:
    """beta [P] of all real pairs, in nats; at most `LOGIT_BYTES` of logits at a time."""
    from_state, from_context = model.join.weight.split(model.config.hidden, dim=1)
    state_BTH = read.d_BTH @ from_state.T + model.join.bias
    context_BSH = model.project(read.encoded.states_BSE) @ from_context.T
    b, t, s = read.pairs
    wanted = read.wanted_BT[b, t]
    beta = state_BTH.new_empty(len(b))
    step = chunk_rows(model)
    for start in range(0, len(b), step):
        rows = slice(start, start + step)
        hidden = torch.relu(state_BTH[b[rows], t[rows]] + context_BSH[b[rows], s[rows]])
        logits = model.vocabulary(hidden)
        beta[rows] = logits.gather(1, wanted[rows, None])[:, 0] - logits.logsumexp(1)
    return beta


@torch.no_grad()
def context_contributions(model: AttentionTranslator, read: Pass) -> Tensor:
    """The variant without decoder state, log softmax(W_o (W_p e_s + b_p) + b_o)[y_t], [B, T, S]."""
    log_BSV = torch.log_softmax(model.vocabulary(model.project(read.encoded.states_BSE)), dim=-1)
    index = read.wanted_BT[:, None, :].expand(-1, log_BSV.shape[1], -1)
    return log_BSV.gather(2, index).transpose(1, 2)


def chunk_rows(model: AttentionTranslator) -> int:
    """How many rows pass the output layer together."""
    return max(1, LOGIT_BYTES // (model.config.vocab_size * model.vocabulary.weight.element_size()))


def _logits(model: AttentionTranslator, hidden_NH: Tensor) -> Iterator[tuple[slice, Tensor]]:
    step = chunk_rows(model)
    for start in range(0, len(hidden_NH), step):
        rows = slice(start, start + step)
        yield rows, model.vocabulary(hidden_NH[rows])
