"""Beam search over a translator, all sentences of a batch together (tasks/attention/README.md 2).

A hypothesis scores the plain sum of its log-probabilities, with no regard to its length, as published: short ones are
favoured. One that has ended goes on with padding at log-probability 0.

Dimensions: B batch, K beams, T tokens so far, V vocabulary.
"""

import torch
from torch import Tensor

from models.attention_translator import BOS, EOS, PAD, AttentionTranslator, Encoded


@torch.no_grad()
def beam_search(
    model: AttentionTranslator, source_BS: Tensor, beams: int = 5, max_length: int = 100
) -> tuple[Tensor, Tensor]:
    """The best hypotheses of each sentence, best first.

    Args:
        model: without dropout here, whatever its mode.
        source_BS: bos … eos, padded at the end.
        beams: hypotheses kept; the first step takes the best `beams` words, later ones the best of beams x beams.
        max_length: tokens with bos at most; ends earlier once all have ended.

    Returns:
        tokens [B, K, T] that begin with bos, and scores [B, K], log-probabilities in nats.

    Raises:
        ValueError: more beams than words, or no room for a word.
    """
    V = model.config.vocab_size
    if not 1 <= beams <= V or max_length < 2:
        raise ValueError(f"{beams} beams of {max_length} tokens, {V} words; give 1 to {V} beams and 2 tokens at least")
    B = len(source_BS)
    encoded = model.encode(source_BS)
    tokens = torch.full((B, 1), BOS, dtype=torch.long, device=source_BS.device)
    log_BV, states = _next(model, encoded, tokens[:, -1], encoded.start)
    scores_BK, words_BK = _best(log_BV, beams)
    tokens_BKT = torch.stack([tokens.expand(B, beams), words_BK], dim=-1)
    encoded = Encoded(
        encoded.states_BSE.repeat_interleave(beams, 0), encoded.mask_BS.repeat_interleave(beams, 0), encoded.start
    )
    states = [(h.repeat_interleave(beams, 0), c.repeat_interleave(beams, 0)) for h, c in states]
    rows_B1 = torch.arange(B, device=source_BS.device)[:, None] * beams
    while tokens_BKT.shape[-1] < max_length:
        last = tokens_BKT[..., -1].flatten()
        ended = (last == EOS) | (last == PAD)
        if bool(ended.all()):
            break
        log_NV, states = _next(model, encoded, last, states)
        log_NV[ended] = -torch.inf
        log_NV[ended, PAD] = 0.0
        # No hypothesis can have more than `beams` of the best, so the search is over beams x beams as published.
        each_NK, word_NK = _best(log_NV, beams)
        total = (scores_BK[..., None] + each_NK.view(B, beams, beams)).flatten(1)
        scores_BK, chosen_BK = _best(total, beams)
        parent_BK = torch.div(chosen_BK, beams, rounding_mode="floor")
        words_BK = word_NK.view(B, -1).gather(1, chosen_BK)
        kept = tokens_BKT.gather(1, parent_BK[..., None].expand(-1, -1, tokens_BKT.shape[-1]))
        tokens_BKT = torch.cat([kept, words_BK[..., None]], dim=-1)
        rows = (rows_B1 + parent_BK).flatten()
        states = [(h[rows], c[rows]) for h, c in states]
    return tokens_BKT, scores_BK


def _next(
    model: AttentionTranslator, encoded: Encoded, words_N: Tensor, states: list[tuple[Tensor, Tensor]]
) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """log p [N, V] of the word after `words_N`, and the decoder's states after them."""
    d_N1H, states = model.decode(words_N[:, None], states)
    return torch.log_softmax(model.vocabulary(model.read(d_N1H, encoded))[:, 0], dim=-1), states


def _best(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The largest `count` of each row, falling, and where they are."""
    return values.topk(count, dim=-1)
