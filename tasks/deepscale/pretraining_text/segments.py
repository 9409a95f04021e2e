"""Samples as `[CLS] A [SEP] B [SEP]` (dslm 4.1): cut in two, perhaps swapped, and cut to their targets.

The cut is at a border of sentences, each with the same chance. The two segments change places with a probability of
1/2, and which it was is the label of the sentence-order task. While they are too long the longer one (of two as long
ones the second) loses a token at one of its ends, each with the same chance. How many each loses is thus fixed, and how
many of these in front is binomial, so all of it takes a few array operations.

Letters: B batch, T tokens.
"""

from dataclasses import dataclass

import numpy as np

from tasks.deepscale.pretraining_text.documents import Documents
from tasks.deepscale.pretraining_text.draws import below, streams
from tasks.deepscale.pretraining_text.samples import SPECIALS, Chosen

CUTS, ENDS_A, ENDS_B, WORDS, SPANS, FATES, IDS, TOKENS = range(8)
"""Purposes of a sample's random numbers."""


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
    front_a_B, front_b_B = in_front(chosen.stream, lost_a_B, lost_b_B)
    a_B, b_B, n_a_B, n_b_B = a_B + front_a_B, b_B + front_b_B, n_a_B - lost_a_B, n_b_B - lost_b_B
    return packed(documents, (a_B, n_a_B), (b_B, n_b_B), swapped_B, width)


def lost(n_a_B: np.ndarray, n_b_B: np.ndarray, target_B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tokens that A and B lose until together they have at most `target` (2 or more)."""
    excess_B = np.maximum(n_a_B + n_b_B - target_B, 0)
    alone_B = np.minimum(np.abs(n_a_B - n_b_B), excess_B)  # the longer one loses until both are as long
    rest_B = excess_B - alone_B
    longer_B = n_a_B > n_b_B
    return np.where(longer_B, alone_B, 0) + rest_B // 2, np.where(longer_B, 0, alone_B) + (rest_B + 1) // 2


def in_front(stream_B: np.ndarray, lost_a_B: np.ndarray, lost_b_B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many of the lost tokens stood in front: the bits that are set among as many fair ones."""
    return _tossed(stream_B, ENDS_A, lost_a_B), _tossed(stream_B, ENDS_B, lost_b_B)


def packed(
    documents: Documents,
    a: tuple[np.ndarray, np.ndarray],
    b: tuple[np.ndarray, np.ndarray],
    swapped_B: np.ndarray,
    width: int,
) -> Sequences:
    """`[CLS] A [SEP] B [SEP]` of segments that are given as (first token, number of tokens), [B] each."""
    (a_B, n_a_B), (b_B, n_b_B) = a, b
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


def _tossed(stream_B: np.ndarray, purpose: int, count_B: np.ndarray) -> np.ndarray:
    """How many of the first `count` bits of each row of draws are set, int64 [B]."""
    n_words = -(-int(count_B.max(initial=0)) // 64)
    bits_BW = streams(stream_B, purpose, n_words)
    here_BW = np.clip(count_B[:, None] - 64 * np.arange(n_words), 0, 64)
    some_BW = bits_BW & ((np.uint64(1) << (here_BW % 64).astype(np.uint64)) - np.uint64(1))
    return np.bitwise_count(np.where(here_BW < 64, some_BW, bits_BW)).sum(axis=1).astype(np.int64)
