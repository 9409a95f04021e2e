"""Samples as `[CLS] A [SEP] B [SEP]`: cut in two, perhaps swapped, cut to their targets, whole words masked in spans.

The cut is at a border of sentences, each with the same chance. The two segments change places with a probability of
1/2, and which it was is the label of the sentence-order task. While they are too long the longer one (of two as long
ones the second) loses a token at one of its ends, each with the same chance. How many each loses is thus fixed, and how
many of these in front is binomial, so all of it takes a few array operations.

A sequence of `length` tokens has min(0.15 target, max(1, round(0.15 length))) masked tokens. The words come up in
random order, each as the beginning of a span of 1, 2 or 3 words (probability proportional to 1/n). A span that would
exceed the number is tried shorter; if one word is still too long, or a word of it is masked already, the next word
comes up. Of the masked tokens 80 % become [MASK], 10 % stay, and 10 % become an id drawn from the whole vocabulary.

The published cap is a number with a fraction, below 1 for targets under 7, and words may be longer than what is left:
such sequences then have no masked token. Here each has at least one; where no word fits, the first that comes up is
masked. The published way is `legacy_none`. Another difference: a token at the beginning of B that goes on with a
word which was cut off is a word of its own here, and there one with the last word of A.

Letters: B batch, T tokens, P masked tokens.
"""

from dataclasses import dataclass

import numpy as np

from tasks.deepscale.pretraining_text.documents import Documents
from tasks.deepscale.pretraining_text.samples import SPECIALS, Chosen, below, streams, unit

CUTS, ENDS_A, ENDS_B, WORDS, SPANS, FATES, IDS, TOKENS = range(8)
"""Purposes of a sample's random numbers."""
RATIO = 0.15
SPAN_P = np.array([6, 3, 2]) / 11
MASKED_P, KEPT_P = 0.8, 0.1


@dataclass(frozen=True, kw_only=True)
class Sequences:
    """Sequences before anything is masked, padded on the right."""

    ids: np.ndarray
    """int64 [B, T]."""
    types: np.ndarray
    """int64 [B, T]: 0 for `[CLS] A [SEP]` and padding, 1 for `B [SEP]`."""
    lengths: np.ndarray
    """int64 [B]: real tokens."""
    firsts: np.ndarray
    """int64 [B]: tokens of A; text stands at 1 … A and A + 2 … length - 2."""
    swapped: np.ndarray
    """int64 [B]: 1 where A is the later part of the text."""


def sequences(documents: Documents, chosen: Chosen, width: int) -> Sequences:
    """The sequences of some samples, T = `width`, which is at least the longest's `n_tokens`."""
    draws_B2 = streams(chosen.stream, CUTS, 2)
    cut_B = chosen.first + 1 + below(draws_B2[:, 0], chosen.stop - chosen.first - 1)
    swapped_B = below(draws_B2[:, 1], 2)
    begin_B, middle_B, end_B = (documents.sentences[at] for at in (chosen.first, cut_B, chosen.stop))
    swap_B = swapped_B.astype(bool)
    a_B, b_B = np.where(swap_B, middle_B, begin_B), np.where(swap_B, begin_B, middle_B)
    n_a_B = np.where(swap_B, end_B, middle_B) - a_B
    n_b_B = np.where(swap_B, middle_B, end_B) - b_B
    lost_a_B, lost_b_B = lost(n_a_B, n_b_B, chosen.target)
    a_B = a_B + in_front(chosen.stream, ENDS_A, lost_a_B)
    b_B = b_B + in_front(chosen.stream, ENDS_B, lost_b_B)
    n_a_B, n_b_B = n_a_B - lost_a_B, n_b_B - lost_b_B
    meta = documents.meta
    at_T = np.arange(width)
    sep_B1, end_B1 = (n_a_B + 1)[:, None], (n_a_B + n_b_B + 2)[:, None]
    source_BT = np.where(at_T < sep_B1, (a_B - 1)[:, None], (b_B - 2 - n_a_B)[:, None]) + at_T
    text_BT = (at_T > 0) & (at_T != sep_B1) & (at_T < end_B1)
    ids_BT = documents.tokens[np.where(text_BT, source_BT, 0)].astype(np.int64)
    ids_BT = np.where(text_BT, ids_BT, np.where(at_T <= end_B1, meta["sep_token_id"], meta["pad_token_id"]))
    ids_BT[:, 0] = meta["cls_token_id"]
    return Sequences(
        ids=ids_BT,
        types=((at_T > sep_B1) & (at_T <= end_B1)).astype(np.int64),
        lengths=n_a_B + n_b_B + SPECIALS,
        firsts=n_a_B,
        swapped=swapped_B,
    )


def lost(n_a_B: np.ndarray, n_b_B: np.ndarray, target_B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tokens that A and B lose until together they have at most `target` (2 or more)."""
    excess_B = np.maximum(n_a_B + n_b_B - target_B, 0)
    alone_B = np.minimum(np.abs(n_a_B - n_b_B), excess_B)  # the longer one loses until both are as long
    rest_B = excess_B - alone_B
    longer_B = n_a_B > n_b_B
    return np.where(longer_B, alone_B, 0) + rest_B // 2, np.where(longer_B, 0, alone_B) + (rest_B + 1) // 2


def in_front(stream_B: np.ndarray, purpose: int, lost_B: np.ndarray) -> np.ndarray:
    """How many of the lost tokens stood in front, int64 [B]: the bits that are set among as many fair ones."""
    n_words = -(-int(lost_B.max(initial=0)) // 64)
    bits_BW = streams(stream_B, purpose, n_words)
    here_BW = np.clip(lost_B[:, None] - 64 * np.arange(n_words), 0, 64)
    some_BW = bits_BW & ((np.uint64(1) << (here_BW % 64).astype(np.uint64)) - np.uint64(1))
    return np.bitwise_count(np.where(here_BW < 64, some_BW, bits_BW)).sum(axis=1).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class Hidden:
    """The masked tokens of a batch."""

    ids: np.ndarray
    """int64 [B, T]: what the model sees."""
    positions: np.ndarray
    """int64 [P]: places in the flattened B*T, ascending."""
    labels: np.ndarray
    """int64 [P]: the ids that stood there."""


def hide(
    given: Sequences,
    target_B: np.ndarray,
    stream_B: np.ndarray,
    *,
    continues: np.ndarray,
    mask_id: int,
    legacy_none: bool = False,
) -> Hidden:
    """Mask tokens of sequences; `continues` is bool [V]."""
    B, T = given.ids.shape
    at_T = np.arange(T)
    sep_B1, end_B1 = (given.firsts + 1)[:, None], (given.lengths - 1)[:, None]
    text_BT = (at_T > 0) & (at_T != sep_B1) & (at_T < end_B1)
    begins_BT = text_BT & (~continues[given.ids] | (at_T == 1) | (at_T == sep_B1 + 1))
    place_S = np.flatnonzero(text_BT)  # all text of the batch end to end, and its words the same way
    begin_W = np.flatnonzero(begins_BT.ravel()[place_S])
    size_W = np.diff(begin_W, append=len(place_S))
    hidden_W = np.zeros(len(size_W), np.uint8)
    n_words_B = begins_BT.sum(axis=1)
    most = int(n_words_B.max())
    keys_BM = np.where(np.arange(most) < n_words_B[:, None], unit(streams(stream_B, WORDS, most)), np.inf)
    order_BM = np.argsort(keys_BM, axis=1, kind="stable")
    drawn_BM = 1 + np.searchsorted(np.cumsum(SPAN_P)[:-1], unit(streams(stream_B, SPANS, most)), side="right")
    budget_B = budgets(given.lengths, target_B, legacy_none)
    start = 0
    for b in range(B):
        stop = start + int(n_words_B[b])
        order = order_BM[b, : stop - start].tolist()
        found = spans(order, drawn_BM[b].tolist(), size_W[start:stop], int(budget_B[b]))
        if not found and not legacy_none:
            found = [(order[0], 1)]
        for word, n in found:
            hidden_W[start + word : start + word + n] = 1
        start = stop
    positions = place_S[np.repeat(hidden_W, size_W) == 1]
    labels = given.ids.ravel()[positions]
    fate = unit(streams(stream_B, FATES, T).ravel()[positions])
    words = below(streams(stream_B, IDS, T).ravel()[positions], len(continues))
    seen = given.ids.copy()
    seen.ravel()[positions] = np.where(fate < MASKED_P, mask_id, np.where(fate < MASKED_P + KEPT_P, labels, words))
    return Hidden(ids=seen, positions=positions, labels=labels)


def spans(order: list[int], drawn: list[int], size_W: np.ndarray, budget: int) -> list[tuple[int, int]]:
    """The spans that are masked, as (first word, number of words), in the order in which they are found.

    Args:
        order: the words as they come up.
        drawn: how many words the span has that begins at each word; what goes beyond the last word is cut off.
        size_W: tokens of each word.
        budget: most tokens of all of them.
    """
    before = [0, *np.cumsum(size_W).tolist()]
    W, left, hidden, found = len(order), budget, bytearray(len(order)), []
    for word in order:
        if not left:
            break
        n = min(drawn[word], W - word)
        size = before[word + n] - before[word]
        while size > left and n > 1:
            n -= 1
            size = before[word + n] - before[word]
        if size <= left and hidden.find(1, word, word + n) < 0:
            hidden[word : word + n] = b"\1" * n
            found.append((word, n))
            left -= size
    return found


def budgets(length_B: np.ndarray, target_B: np.ndarray, legacy_none: bool = False) -> np.ndarray:
    """Numbers of masked tokens, int64 [B]; a number with a fraction is never exceeded either."""
    wanted_B = np.maximum(1, np.round(RATIO * length_B))
    found_B = np.minimum(RATIO * target_B, wanted_B).astype(np.int64)
    return found_B if legacy_none else np.maximum(1, found_B)
