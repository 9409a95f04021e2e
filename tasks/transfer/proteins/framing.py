"""What a model reads of a protein: `[CLS] residues [SEP]`, cut and padded (transfer_analysis 6).

PLUS has words of its own for CLS, SEP and padding (23, 24, 0). A text model gets its tokenizer's (101, 102, 0 of BERT)
beside the same residue ids 1-21, and all of them are mapped through a token table (`token_tables`).

Letters: B sequences, T tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.transfer.proteins.alphabets import CLS, PAD, SEP


@dataclass(frozen=True)
class Specials:
    """The ids of the words that are no residues."""

    cls: int
    sep: int
    pad: int


PLUS = Specials(cls=CLS, sep=SEP, pad=PAD)
BERT = Specials(cls=101, sep=102, pad=0)


@dataclass(frozen=True)
class Framed:
    """A batch as a model reads it."""

    tokens: np.ndarray
    """int64 [B, T]."""
    segments: np.ndarray
    """int64 [B, T]: 1 in the second part of a pair with its SEP, 0 elsewhere."""
    mask: np.ndarray
    """bool [B, T]: False at padding."""


def frame(
    first: np.ndarray, second: np.ndarray | None, max_length: int, specials: Specials = PLUS
) -> tuple[np.ndarray, np.ndarray]:
    """(tokens [T], segments [T]) of one protein or a pair, int64, T <= max_length, without padding.

    One loses its end; of a pair the longer loses residues at its end, and where they are equal the second.

    Raises:
        ValueError: a `max_length` without room for a residue of each part.
    """
    least = 3 if second is None else 5
    if max_length < least:
        raise ValueError(f"max_length is {max_length}; give at least {least}, a residue and the special tokens")
    if second is None:
        tokens = np.concatenate([[specials.cls], first[: max_length - 2], [specials.sep]]).astype(np.int64)
        return tokens, np.zeros_like(tokens)
    n_first, n_second = pair_lengths(len(first), len(second), max_length - 3)
    head = [[specials.cls], first[:n_first], [specials.sep]]
    tokens = np.concatenate([*head, second[:n_second], [specials.sep]]).astype(np.int64)
    return tokens, np.repeat([0, 1], [n_first + 2, n_second + 1])


def pair_lengths(n_first: int, n_second: int, room: int) -> tuple[int, int]:
    """What is left of two lengths when one after another is taken from the longer, of equals from the second."""
    surplus = max(0, n_first + n_second - room)
    uneven = min(surplus, abs(n_first - n_second))
    if n_first > n_second:
        n_first -= uneven
    else:
        n_second -= uneven
    surplus -= uneven
    return n_first - surplus // 2, n_second - (surplus - surplus // 2)


def frame_batch(
    sequences: Sequence[np.ndarray],
    max_length: int,
    specials: Specials = PLUS,
    *,
    second: Sequence[np.ndarray] | None = None,
    pad_to: int | None = None,
) -> Framed:
    """Several proteins (or pairs), padded on the right to the longest of them, or to `pad_to`.

    Raises:
        ValueError: no sequences, unequal numbers of first and second ones, a `max_length` that is too short, or a
            `pad_to` shorter than a framed sequence.
    """
    if not len(sequences):
        raise ValueError("a batch needs at least one sequence")
    others = [None] * len(sequences) if second is None else second
    if len(others) != len(sequences):
        raise ValueError(f"{len(sequences)} first and {len(others)} second sequences; a pair has one of each")
    framed = [frame(one, other, max_length, specials) for one, other in zip(sequences, others, strict=True)]
    longest = max(len(tokens) for tokens, _ in framed)
    if pad_to is not None and pad_to < longest:
        raise ValueError(f"pad_to is {pad_to}; a sequence has {longest} tokens")
    shape = (len(framed), longest if pad_to is None else pad_to)
    tokens_BT, segments_BT = np.full(shape, specials.pad, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    mask_BT = np.zeros(shape, dtype=bool)
    for b, (tokens, segments) in enumerate(framed):
        tokens_BT[b, : len(tokens)], segments_BT[b, : len(tokens)] = tokens, segments
        mask_BT[b, : len(tokens)] = True
    return Framed(tokens_BT, segments_BT, mask_BT)
